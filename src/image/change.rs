//! The instructions that `import --change` takes: a part of Dockerfile's, with its quoting.

use std::collections::BTreeMap;

use super::config::ImageConfig;

/// Why an instruction was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// No instruction that this command takes. The words are Docker's.
    #[error("{0} is not a valid change command")]
    Unknown(String),
    /// An instruction without its arguments.
    #[error("{0} requires at least one argument")]
    Empty(&'static str),
    /// Arguments that mean nothing.
    #[error("{instruction} {argument:?}: {why}")]
    Argument {
        /// Which instruction.
        instruction: &'static str,
        /// Its arguments.
        argument: String,
        /// What is wrong with them.
        why: &'static str,
    },
}

const KNOWN: [&str; 9] =
    ["CMD", "ENTRYPOINT", "ENV", "EXPOSE", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"];

/// Applies one instruction, `ENV A=1 B=2`.
pub fn apply(config: &mut ImageConfig, instruction: &str) -> Result<(), ChangeError> {
    let instruction = instruction.trim();
    let (word, rest) = instruction.split_once(char::is_whitespace).unwrap_or((instruction, ""));
    let upper = word.to_uppercase();
    let Some(name) = KNOWN.into_iter().find(|known| *known == upper) else {
        return Err(ChangeError::Unknown(word.into()));
    };
    let change = Change { name, rest: rest.trim(), env: environment(&config.env) };
    if change.rest.is_empty() {
        return Err(ChangeError::Empty(name));
    }
    match name {
        "CMD" => config.cmd = change.command()?,
        "ENTRYPOINT" => config.entrypoint = change.command()?,
        "ENV" => {
            for (key, value) in change.pairs()? {
                set_env(&mut config.env, &key, &value);
            }
        }
        "EXPOSE" => {
            // A variable may hold several ports.
            for word in change.words()?.iter().flat_map(|w| w.split_whitespace()) {
                config.exposed_ports.extend(change.ports(word)?);
            }
        }
        "LABEL" => config.labels.extend(change.pairs()?),
        "STOPSIGNAL" => config.stop_signal = Some(change.signal()?),
        "USER" => config.user = change.one()?,
        "VOLUME" => config.volumes.extend(change.volumes()?),
        _ => config.working_dir = change.directory(&config.working_dir)?,
    }
    Ok(())
}

fn environment(env: &[String]) -> BTreeMap<String, String> {
    let pair = |e: &String| e.split_once('=').map(|(k, v)| (k.to_string(), v.to_string()));
    env.iter().filter_map(pair).collect()
}

fn set_env(env: &mut Vec<String>, key: &str, value: &str) {
    let new = format!("{key}={value}");
    match env.iter_mut().find(|e| e.split_once('=').is_some_and(|(k, _)| k == key)) {
        Some(old) => *old = new,
        None => env.push(new),
    }
}

/// One instruction, taken apart.
struct Change<'a> {
    name: &'static str,
    rest: &'a str,
    env: BTreeMap<String, String>,
}

impl Change<'_> {
    fn wrong<T>(&self, why: &'static str) -> Result<T, ChangeError> {
        let argument = self.rest.to_string();
        Err(ChangeError::Argument { instruction: self.name, argument, why })
    }

    /// A JSON list, or a text for the shell.
    fn command(&self) -> Result<Vec<String>, ChangeError> {
        match self.list() {
            Some(list) => Ok(list),
            None => Ok(vec!["/bin/sh".into(), "-c".into(), self.rest.into()]),
        }
    }

    fn list(&self) -> Option<Vec<String>> {
        self.rest.starts_with('[').then(|| serde_json::from_str(self.rest).ok()).flatten()
    }

    fn volumes(&self) -> Result<Vec<String>, ChangeError> {
        let volumes = match self.list() {
            Some(list) => list,
            None => self.words()?,
        };
        if volumes.is_empty() || volumes.iter().any(|v| v.trim().is_empty()) {
            return self.wrong("a volume's path cannot be empty");
        }
        Ok(volumes)
    }

    fn words(&self) -> Result<Vec<String>, ChangeError> {
        match words(self.rest, &self.env) {
            Some(words) => Ok(words),
            None => self.wrong("a quote or a brace is not closed"),
        }
    }

    /// All of the rest as one word, as USER and WORKDIR take it.
    fn one(&self) -> Result<String, ChangeError> {
        Ok(self.words()?.join(" "))
    }

    /// `A=1 B="2 3"`, or the old form `A the rest`.
    fn pairs(&self) -> Result<Vec<(String, String)>, ChangeError> {
        let first = self.rest.split(char::is_whitespace).next().unwrap_or_default();
        if !first.contains('=') {
            let Some((key, _)) = self.rest.split_once(char::is_whitespace) else {
                return self.wrong("it must have two arguments");
            };
            let words = self.words()?;
            return Ok(vec![(key.into(), words.get(1..).unwrap_or_default().join(" "))]);
        }
        let mut pairs = Vec::new();
        for word in self.words()? {
            match word.split_once('=') {
                Some(("", _)) => return self.wrong("a name cannot be empty"),
                Some((key, value)) => pairs.push((key.into(), value.into())),
                None => return self.wrong("every word must be name=value"),
            }
        }
        Ok(pairs)
    }

    /// `80`, `443/tcp`, `8000-8010/udp`.
    fn ports(&self, word: &str) -> Result<Vec<String>, ChangeError> {
        let (range, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
        let protocol = protocol.to_lowercase();
        if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
            return self.wrong("the protocol must be tcp, udp or sctp");
        }
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        match (first.parse::<u16>(), last.parse::<u16>()) {
            (Ok(first), Ok(last)) if first <= last => {
                Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
            }
            _ => self.wrong("invalid port"),
        }
    }

    fn signal(&self) -> Result<String, ChangeError> {
        let signal = self.one()?;
        let bare = signal.to_uppercase();
        let bare = bare.strip_prefix("SIG").unwrap_or(&bare);
        let realtime = |text: &str| {
            let offset = text.strip_prefix("RTMIN").or_else(|| text.strip_prefix("RTMAX"))?;
            (offset.is_empty() || offset[1..].parse::<u8>().is_ok_and(|n| n <= 30)).then_some(())
        };
        let named = format!("SIG{bare}").parse::<nix::sys::signal::Signal>().is_ok();
        let number = bare.parse::<u8>().is_ok_and(|n| (1..=64).contains(&n));
        if named || number || realtime(bare).is_some() {
            return Ok(signal);
        }
        self.wrong("invalid signal")
    }

    /// A relative one counts from the one before.
    fn directory(&self, before: &str) -> Result<String, ChangeError> {
        let wanted = self.one()?;
        let joined = if wanted.starts_with('/') { wanted } else { format!("/{before}/{wanted}") };
        Ok(crate::config::path::RootPath::clean(&joined).as_str().into())
    }
}

/// Splits at blanks, with the quotes, backslashes and variables of a Dockerfile.
fn words(text: &str, env: &BTreeMap<String, String>) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next()? {
                        '"' => break,
                        '\\' if matches!(rest.peek(), Some('"' | '\\' | '$')) => {
                            word.extend(rest.next());
                        }
                        '$' => word.push_str(&variable(&mut rest, env)?),
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(rest.next()),
            '$' => {
                let value = variable(&mut rest, env)?;
                word.get_or_insert_default().push_str(&value);
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

/// After a `$`: `NAME`, `{NAME}`, `{NAME:-default}`, `{NAME:+instead}`.
fn variable(
    rest: &mut std::iter::Peekable<std::str::Chars<'_>>,
    env: &BTreeMap<String, String>,
) -> Option<String> {
    let in_name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    if rest.next_if_eq(&'{').is_none() {
        let name: String = std::iter::from_fn(|| rest.next_if(in_name)).collect();
        return Some(if name.is_empty() {
            "$".into()
        } else {
            env.get(&name).cloned().unwrap_or_default()
        });
    }
    let mut inside = String::new();
    loop {
        match rest.next()? {
            '}' => break,
            c => inside.push(c),
        }
    }
    let set = |name: &str| env.get(name).filter(|v| !v.is_empty()).cloned();
    if let Some((name, default)) = inside.split_once(":-") {
        return Some(set(name).unwrap_or_else(|| default.into()));
    }
    if let Some((name, instead)) = inside.split_once(":+") {
        return Some(set(name).map(|_| instead.into()).unwrap_or_default());
    }
    (!inside.is_empty() && inside.chars().all(|c| in_name(&c)))
        .then(|| env.get(&inside).cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(instructions: &[&str]) -> Result<ImageConfig, ChangeError> {
        let mut config = ImageConfig::default();
        for instruction in instructions {
            apply(&mut config, instruction)?;
        }
        Ok(config)
    }

    /// The forms that Docker takes.
    #[test]
    fn instructions() {
        let config = changed(&[
            r#"CMD ["/bin/sh", "-c"]"#,
            "entrypoint echo ep",
            r#"ENV A=1 B="two $A" C=\ x D='$A' E=${NO:-e}${A:+f}"#,
            "ENV A 7  8",
            "LABEL l=v \"with blank\"=\"x y\"",
            "EXPOSE 80 443/UDP 8000-8002",
            "VOLUME /a /b$A",
            r#"VOLUME ["/c d"]"#,
            "USER app:grp",
            "WORKDIR /srv",
            "WORKDIR dir/../$B",
            "STOPSIGNAL SIGRTMIN+3",
        ])
        .unwrap();
        assert_eq!(config.cmd, ["/bin/sh", "-c"]);
        assert_eq!(config.entrypoint, ["/bin/sh", "-c", "echo ep"]);
        // Variables have the values from before their instruction.
        assert_eq!(config.env, ["A=7 8", "B=two ", "C= x", "D=$A", "E=e"]);
        assert_eq!(config.labels["l"], "v");
        assert_eq!(config.labels["with blank"], "x y");
        assert_eq!(
            config.exposed_ports.into_iter().collect::<Vec<_>>(),
            ["443/udp", "80/tcp", "8000/tcp", "8001/tcp", "8002/tcp"]
        );
        assert_eq!(config.volumes.into_iter().collect::<Vec<_>>(), ["/a", "/b7 8", "/c d"]);
        assert_eq!((config.user.as_str(), config.working_dir.as_str()), ("app:grp", "/srv/two "));
        assert_eq!(config.stop_signal.as_deref(), Some("SIGRTMIN+3"));
    }

    /// What is refused, and in which words.
    #[test]
    fn refused() {
        let cases = [
            ("ONBUILD RUN x", "ONBUILD is not a valid change command"),
            ("RUN x", "RUN is not a valid change command"),
            ("", " is not a valid change command"),
            ("CMD", "CMD requires at least one argument"),
            ("ENV A", "ENV \"A\": it must have two arguments"),
            ("ENV A=1 B", "ENV \"A=1 B\": every word must be name=value"),
            ("ENV =1", "ENV \"=1\": a name cannot be empty"),
            ("EXPOSE 99999", "EXPOSE \"99999\": invalid port"),
            ("EXPOSE 9-8", "EXPOSE \"9-8\": invalid port"),
            ("USER \"a", "USER \"\\\"a\": a quote or a brace is not closed"),
            ("STOPSIGNAL SIGNO", "STOPSIGNAL \"SIGNO\": invalid signal"),
            ("VOLUME []", "VOLUME \"[]\": a volume's path cannot be empty"),
        ];
        for (instruction, words) in cases {
            let error = changed(&[instruction]).unwrap_err();
            assert_eq!(error.to_string(), words);
        }
    }
}
