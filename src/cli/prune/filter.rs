//! `--filter` of `prune`: `until=TIME`, `label=KEY[=VALUE]`, `label!=KEY[=VALUE]`.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::config::moment::parse_moment;
use crate::say::failure::Failure;
use crate::volume::filter::{Label, by_key};

/// What may be removed, of containers or images.
#[derive(Debug, Default)]
pub struct PruneFilter {
    /// Only what was made before.
    until: Option<Timestamp>,
    with: Vec<Label>,
    without: Vec<Label>,
    /// `dangling=BOOL`, of images only.
    pub dangling: Option<bool>,
}

/// What is pruned, as far as that decides which filters there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Containers, or everything.
    Containers,
    /// Images.
    Images,
}

impl PruneFilter {
    /// Reads the filters.
    pub fn parse(texts: &[String], of: Of) -> Result<Self, Failure> {
        let failed = |cause: &dyn std::fmt::Display| Failure::new("use --filter", cause);
        let mut filter = Self::default();
        for (key, values) in by_key(texts).map_err(|e| failed(&e))? {
            let labels = || values.iter().map(|value| Label::parse(value)).collect();
            match key.as_str() {
                "until" => {
                    let [text] = values.as_slice() else {
                        return Err(failed(&"more than one until filter specified"));
                    };
                    let moment = parse_moment(text, Timestamp::now()).map_err(|e| failed(&e))?;
                    filter.until = Some(moment);
                }
                "label" => filter.with = labels(),
                "label!" => filter.without = labels(),
                "dangling" if of == Of::Images => {
                    filter.dangling = Some(match values.last().map_or("", String::as_str) {
                        "1" | "true" => true,
                        "0" | "false" => false,
                        other => {
                            return Err(failed(&format!("invalid filter 'dangling=[{other}]'")));
                        }
                    });
                }
                _ => return Err(failed(&format!("invalid filter '{key}'"))),
            }
        }
        Ok(filter)
    }

    /// Is there a condition on the time?
    pub fn has_until(&self) -> bool {
        self.until.is_some()
    }

    /// Is this old enough, and are its labels the right ones? All of `label=` must match, none
    /// of `label!=`.
    pub fn takes(&self, created: &str, labels: &BTreeMap<String, String>) -> bool {
        let created: Option<Timestamp> = created.parse().ok();
        // What does not say when it was made is older than anything.
        let old = |until: Timestamp| created.is_none_or(|created| created < until);
        self.until.is_none_or(old)
            && self.with.iter().all(|label| label.matches(labels))
            && !self.without.iter().any(|label| label.matches(labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(texts: &[&str], of: Of) -> Result<PruneFilter, String> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        PruneFilter::parse(&texts, of).map_err(|failure| failure.cause)
    }

    /// All conditions must hold.
    #[test]
    fn conditions() {
        let labels = BTreeMap::from([("keep".to_owned(), "1".to_owned())]);
        let cases: [(&[&str], bool); 7] = [
            (&[], true),
            (&["until=2024-05-01T00:00:00Z"], false),
            (&["until=2024-05-03T00:00:00Z"], true),
            (&["until=10m"], true),
            (&["label=keep"], true),
            (&["label=keep", "label=other"], false),
            (&["label!=keep=1"], false),
        ];
        for (texts, takes) in cases {
            let filter = parsed(texts, Of::Containers).unwrap();
            assert_eq!(filter.takes("2024-05-02T00:00:00Z", &labels), takes, "{texts:?}");
        }
    }

    /// What is no filter here.
    #[test]
    fn refusals() {
        let cases: [(&[&str], &str); 4] = [
            (&["color=red"], "invalid filter 'color'"),
            (&["dangling=true"], "invalid filter 'dangling'"),
            (&["until=x"], "failed to parse value as time or duration: \"x\""),
            (&["until=1h", "until=2h"], "more than one until filter specified"),
        ];
        for (texts, want) in cases {
            assert_eq!(parsed(texts, Of::Containers).map(drop), Err(want.into()), "{texts:?}");
        }
        assert_eq!(parsed(&["dangling=false"], Of::Images).unwrap().dangling, Some(false));
    }
}
