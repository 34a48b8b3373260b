//! `images --filter`: which images a list shows.

use super::Reference;
use super::store::Image;

/// Why a filter is none. The words are Docker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Without a value.
    #[error(
        "invalid argument \"{0}\" for \"-f, --filter\" flag: bad format of filter \
         (expected name=value)"
    )]
    Format(String),
    /// No filter of this command.
    #[error("invalid filter '{0}'")]
    Unknown(String),
    /// A value that is neither true nor false.
    #[error("invalid filter 'dangling={0}'")]
    Dangling(String),
    /// A `before` or `since` image that is not there.
    #[error("No such image: {0}")]
    NotFound(String),
}

/// All filters of one command: those of one kind are alternatives, the kinds all must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImageFilter {
    references: Vec<String>,
    dangling: Option<bool>,
    labels: Vec<(String, Option<String>)>,
    before: Vec<String>,
    since: Vec<String>,
}

impl ImageFilter {
    /// Reads `reference=alp*`, `dangling=true`, `label=k[=v]`, `before=IMAGE`, `since=IMAGE`.
    pub fn parse(texts: &[String]) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        for text in texts {
            let (name, value) =
                text.split_once('=').ok_or_else(|| FilterError::Format(text.clone()))?;
            let value = value.trim().to_string();
            match name.trim().to_lowercase().as_str() {
                "reference" => filter.references.push(value),
                "dangling" => filter.dangling = Some(truth(&value)?),
                "label" => filter.labels.push(match value.split_once('=') {
                    Some((key, value)) => (key.into(), Some(value.into())),
                    None => (value, None),
                }),
                "before" => filter.before.push(value),
                "since" => filter.since.push(value),
                other => return Err(FilterError::Unknown(other.into())),
            }
        }
        Ok(filter)
    }

    /// Replaces the images of `before` and `since` by the times at which they were made.
    pub fn resolve(
        mut self,
        created: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, FilterError> {
        for wanted in self.before.iter_mut().chain(&mut self.since) {
            *wanted = created(wanted).ok_or_else(|| FilterError::NotFound(wanted.clone()))?;
        }
        Ok(self)
    }

    /// Is an image shown at all?
    pub fn shows_image(&self, image: &Image) -> bool {
        let label = |(key, value): &(String, Option<String>)| {
            let own = image.config.labels.get(key);
            own.is_some_and(|own| value.as_ref().is_none_or(|v| v == own))
        };
        self.dangling.is_none_or(|wanted| wanted == image.references.is_empty())
            && self.labels.iter().all(label)
            && self.before.iter().all(|time| image.created < *time)
            && self.since.iter().all(|time| image.created > *time)
            && (self.references.is_empty()
                || image.references.iter().any(|name| self.shows_name(name)))
    }

    /// Is this one of an image's names shown?
    pub fn shows_name(&self, name: &Reference) -> bool {
        let repository = name.familiar_repository();
        let tagged = name.to_string();
        self.references.is_empty()
            || self.references.iter().any(|p| matches(p, &repository) || matches(p, &tagged))
    }
}

fn truth(text: &str) -> Result<bool, FilterError> {
    match text {
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Ok(true),
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Ok(false),
        _ => Err(FilterError::Dangling(text.into())),
    }
}

/// A shell pattern over a whole name; `*` and `?` stop at slashes.
pub fn matches(pattern: &str, name: &str) -> bool {
    match_bytes(pattern.as_bytes(), name.as_bytes())
}

/// Backtracks to the last star only: no pattern takes more than pattern × name steps.
fn match_bytes(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match (pattern.get(p), name.get(n)) {
            (None, None) => return true,
            (Some(b'*'), _) => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            (Some(_), Some(_)) => one(&pattern[p..], name[n]),
            _ => None,
        };
        match (step, star) {
            (Some(length), _) => {
                p += length;
                n += 1;
            }
            // The star takes one more, unless that is a slash.
            (None, Some((at, from))) if name.get(from).is_some_and(|b| *b != b'/') => {
                star = Some((at, from + 1));
                (p, n) = (at + 1, from + 1);
            }
            _ => return false,
        }
    }
}

/// Does the pattern's first element fit this byte? How long is it?
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern[0] {
        b'?' => (byte != b'/').then_some(1),
        b'\\' if pattern.len() > 1 => (pattern[1] == byte).then_some(2),
        b'[' => {
            let close = pattern.iter().skip(2).position(|b| *b == b']')? + 2;
            let (negated, set) = match pattern[1] {
                b'^' | b'!' => (true, &pattern[2..close]),
                _ => (false, &pattern[1..close]),
            };
            (in_set(set, byte) != negated).then_some(close + 1)
        }
        literal => (literal == byte).then_some(1),
    }
}

fn in_set(mut set: &[u8], byte: u8) -> bool {
    while let Some(first) = set.first() {
        match (set.get(1), set.get(2)) {
            (Some(b'-'), Some(last)) => {
                if (*first..=*last).contains(&byte) {
                    return true;
                }
                set = &set[3..];
            }
            _ => {
                if *first == byte {
                    return true;
                }
                set = &set[1..];
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shell patterns, and one that takes ages where stars multiply.
    #[test]
    fn patterns() {
        let cases = [
            ("alpine", "alpine", true),
            ("alp*", "alpine", true),
            ("*", "alpine", true),
            ("*", "rr/pop", false),
            ("rr/*", "rr/pop", true),
            ("*/*p", "rr/pop", true),
            ("alpine:*", "alpine:latest", true),
            ("a?pine", "alpine", true),
            ("[a-c]lpine", "alpine", true),
            ("[^a]lpine", "alpine", false),
            ("[a", "a", false),
            ("", "", true),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxcxxb", false),
        ];
        for (pattern, name, fits) in cases {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
        assert!(!matches(&"*a".repeat(50), &"a".repeat(49)));
    }

    /// What is no filter.
    #[test]
    fn refused() {
        for text in ["x", "color=red", "dangling=maybe"] {
            assert!(ImageFilter::parse(&[text.into()]).is_err(), "{text}");
        }
    }
}
