//! `--filter` of `volume ls` and `volume prune` (V4.18, V4.19, V4.27).

use std::collections::BTreeMap;

use regex_lite::Regex;

use super::record::VolumeRecord;

/// A filter that is none. The texts are Docker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// No `=`.
    #[error("bad format of filter (expected name=value)")]
    Form,
    /// A key that this command does not know.
    #[error("invalid filter '{0}'")]
    Key(String),
    /// A value that is neither true nor false.
    #[error("invalid filter '{key}=[{values}]'")]
    Value {
        /// The key.
        key: &'static str,
        /// All its values.
        values: String,
    },
    /// The same thing said twice.
    #[error("conflicting options: cannot specify both --all and --filter all=1")]
    AllTwice,
}

/// Which volumes are listed.
#[derive(Debug, Default)]
pub struct ListFilter {
    drivers: Vec<String>,
    labels: Vec<Label>,
    names: Vec<Name>,
    dangling: Option<bool>,
}

/// Which volumes are pruned.
#[derive(Debug, Default)]
pub struct PruneFilter {
    with: Vec<Label>,
    without: Vec<Label>,
    all: bool,
}

/// `key` or `key=value`.
#[derive(Debug)]
pub(crate) struct Label {
    key: String,
    value: Option<String>,
}

impl Label {
    pub(crate) fn parse(text: &str) -> Self {
        match text.split_once('=') {
            Some((key, value)) => Self { key: key.into(), value: Some(value.into()) },
            None => Self { key: text.into(), value: None },
        }
    }

    pub(crate) fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        labels
            .get(&self.key)
            .is_some_and(|found| self.value.as_ref().is_none_or(|value| value == found))
    }
}

/// A regular expression, matched anywhere; a text that is none is only equal to itself.
#[derive(Debug)]
pub(crate) struct Name {
    text: String,
    pattern: Option<Regex>,
}

impl Name {
    pub(crate) fn parse(text: &str) -> Self {
        Self { pattern: Regex::new(text).ok(), text: text.into() }
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        self.text == name || self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(name))
    }
}

/// The values of each key. Keys are in lower case, as Docker makes them.
pub(crate) fn by_key(texts: &[String]) -> Result<BTreeMap<String, Vec<String>>, FilterError> {
    let mut keys = BTreeMap::<String, Vec<String>>::new();
    for text in texts.iter().filter(|text| !text.is_empty()) {
        let (key, value) = text.split_once('=').ok_or(FilterError::Form)?;
        keys.entry(key.trim().to_lowercase()).or_default().push(value.trim().into());
    }
    Ok(keys)
}

fn truth(key: &'static str, values: &[String]) -> Result<bool, FilterError> {
    let truths: Option<Vec<bool>> = values
        .iter()
        .map(|value| match value.as_str() {
            "1" | "true" => Some(true),
            "0" | "false" => Some(false),
            _ => None,
        })
        .collect();
    match truths.as_deref() {
        Some([first, rest @ ..]) if rest.iter().all(|other| other == first) => Ok(*first),
        _ => Err(FilterError::Value { key, values: values.join(" ") }),
    }
}

impl ListFilter {
    /// Reads the filters of `volume ls`.
    pub fn parse(texts: &[String]) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        for (key, values) in by_key(texts)? {
            match key.as_str() {
                "dangling" => filter.dangling = Some(truth("dangling", &values)?),
                "driver" => filter.drivers = values,
                "label" => filter.labels = values.iter().map(|v| Label::parse(v)).collect(),
                "name" => {
                    filter.names = values.iter().map(|text| Name::parse(text)).collect();
                }
                _ => return Err(FilterError::Key(key)),
            }
        }
        Ok(filter)
    }

    /// Must it be known whether a volume is used?
    pub fn asks_for_use(&self) -> bool {
        self.dangling.is_some()
    }

    /// Is the volume listed? Keys must all match; of several values one, of labels all.
    pub fn matches(&self, volume: &VolumeRecord, links: usize) -> bool {
        let name = volume.name.as_str();
        self.dangling.is_none_or(|dangling| dangling == (links == 0))
            && (self.drivers.is_empty() || self.drivers.contains(&volume.driver))
            && self.labels.iter().all(|label| label.matches(&volume.labels))
            && (self.names.is_empty() || self.names.iter().any(|wanted| wanted.matches(name)))
    }
}

impl PruneFilter {
    /// Reads the filters of `volume prune`.
    pub fn parse(texts: &[String], all_flag: AllFlag) -> Result<Self, FilterError> {
        let mut filter = Self { all: all_flag == AllFlag::Given, ..Self::default() };
        for (key, values) in by_key(texts)? {
            let labels = || values.iter().map(|value| Label::parse(value)).collect();
            match key.as_str() {
                "all" if filter.all => return Err(FilterError::AllTwice),
                "all" => filter.all = truth("all", &values)?,
                "label" => filter.with = labels(),
                "label!" => filter.without = labels(),
                _ => return Err(FilterError::Key(key)),
            }
        }
        Ok(filter)
    }

    /// Do named volumes go too?
    pub fn takes_named(&self) -> bool {
        self.all
    }

    /// Do the labels allow it? One of `label=` must match, none of `label!=`.
    pub fn labels_match(&self, volume: &VolumeRecord) -> bool {
        (self.with.is_empty() || self.with.iter().any(|label| label.matches(&volume.labels)))
            && !self.without.iter().any(|label| label.matches(&volume.labels))
    }
}

/// Was `--all` given?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllFlag {
    /// Yes.
    Given,
    /// No.
    Absent,
}
