//! `-e` and `--env-file`: the environment that the user gives (V12.06).

use std::ffi::OsString;
use std::fs;

use super::refusal::{invalid, refused};
use crate::say::failure::Failure;

/// Looks up a variable of the caller.
pub type Caller<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The variables of `files` and then those of `words`, of each name the last one, in the order
/// in which the names came. One without a value takes the caller's, and is left out if the
/// caller has none.
pub fn environment(
    files: &[String],
    words: &[String],
    caller: Caller<'_>,
) -> Result<Vec<String>, Failure> {
    let mut env = Vec::new();
    for path in files {
        for variable in read(path, caller).map_err(|reason| {
            refused(
                &format!("--env-file {path}"),
                format_args!("invalid env file ({path}): {reason}"),
            )
        })? {
            set(&mut env, variable);
        }
    }
    for word in words {
        if word.is_empty() || word.starts_with('=') {
            let reason = format_args!("invalid environment variable: {word}");
            return Err(invalid("-e, --env", word, reason));
        }
        let variable = valued(word, caller).map_err(|e| invalid("-e, --env", word, e))?;
        variable.into_iter().for_each(|variable| set(&mut env, variable));
    }
    Ok(env)
}

fn set(env: &mut Vec<String>, variable: String) {
    let name = |text: &str| text.split('=').next().unwrap_or_default().to_owned();
    let new = name(&variable);
    match env.iter_mut().find(|earlier| name(earlier) == new) {
        Some(earlier) => *earlier = variable,
        None => env.push(variable),
    }
}

fn valued(word: &str, caller: Caller<'_>) -> Result<Option<String>, String> {
    if word.contains('=') {
        return Ok(Some(word.into()));
    }
    match caller(word).map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(format!("{word}={value}"))),
        Some(Err(value)) => Err(format!("its value is not UTF-8: {value:?}")),
    }
}

/// A line a variable; comments begin with `#`; values are taken as they are, quotes included.
fn read(path: &str, caller: Caller<'_>) -> Result<Vec<String>, String> {
    let bytes = fs::read(path).map_err(|e| format!("open {path}: {e}"))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut variables = Vec::new();
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = std::str::from_utf8(line)
            .map_err(|_| format!("invalid utf8 bytes at line {}: {line:?}", at + 1))?;
        let line = line.strip_suffix('\r').unwrap_or(line).trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line.split('=').next().unwrap_or_default();
        if name.is_empty() {
            return Err(format!("no variable name on line '{line}'"));
        }
        if name.contains(char::is_whitespace) {
            return Err(format!("variable '{name}' contains whitespaces"));
        }
        variables.extend(valued(line, caller)?);
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn caller(name: &str) -> Option<OsString> {
        match name {
            "HOME" => Some("/home/me".into()),
            "BYTES" => Some(OsString::from_vec(vec![0xff])),
            _ => None,
        }
    }

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|word| (*word).to_owned()).collect()
    }

    /// V12.06, and the order of files and flags.
    #[test]
    fn variables() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("env").display().to_string();
        fs::write(&path, "\u{feff}# comment\n\n A=1 \nB='x y'\r\nHOME\nUNSET\nC=\nA=3").unwrap();
        let got = environment(&[path], &words(&["B=2", "D", "HOME=/", "E=", "F=a=b"]), &caller);
        assert_eq!(got.unwrap(), ["A=3", "B=2", "HOME=/", "C=", "E=", "F=a=b"]);
        assert_eq!(
            environment(&[], &words(&["HOME", "NOPE"]), &caller).unwrap(),
            ["HOME=/home/me"]
        );
    }

    /// What is refused, and where it is.
    #[test]
    fn refusals() {
        let flags = [
            (
                "=x",
                "invalid argument \"=x\" for \"-e, --env\" flag: invalid environment variable: =x",
            ),
            ("", "invalid argument \"\" for \"-e, --env\" flag: invalid environment variable: "),
            (
                "BYTES",
                "invalid argument \"BYTES\" for \"-e, --env\" flag: its value is not UTF-8: \
                 \"\\xFF\"",
            ),
        ];
        for (word, want) in flags {
            let failure = environment(&[], &words(&[word]), &caller).unwrap_err();
            assert_eq!((failure.cause.as_str(), failure.status.code()), (want, 125));
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("env").display().to_string();
        let files: [(&[u8], &str); 3] = [
            (b"A B=1", "variable 'A B' contains whitespaces"),
            (b"A=1\n=2", "no variable name on line '=2'"),
            (b"A=1\nB=\xff", "invalid utf8 bytes at line 2: [66, 61, 255]"),
        ];
        for (text, want) in files {
            fs::write(&path, text).unwrap();
            let failure = environment(std::slice::from_ref(&path), &[], &caller).unwrap_err();
            assert_eq!(failure.cause, format!("invalid env file ({path}): {want}"));
        }
        let missing = environment(&words(&["/nope/env"]), &[], &caller).unwrap_err();
        assert!(missing.cause.contains("open /nope/env: No such file"), "{missing}");
    }
}
