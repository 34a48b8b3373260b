//! The option words after the second colon of `-v`, and after the colon of `--volumes-from`.
//!
//! Each word belongs to a class, and a class has at most one word (V1.16): there is no later word
//! that wins, as in other flags.

use crate::config::propagation::Propagation;
use crate::config::request::{CopyUp, ReadOnly, Relabel};

use super::error::MountFlagError;

/// The words for propagation; the kernel has two more that Docker does not take.
pub(super) const PROPAGATIONS: [&str; 6] =
    ["private", "rprivate", "slave", "rslave", "shared", "rshared"];

/// All other words.
pub(super) const OTHERS: [&str; 8] =
    ["ro", "rw", "z", "Z", "nocopy", "cached", "delegated", "consistent"];

/// What the option words say; none for a class without a word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mode {
    access: Option<ReadOnly>,
    relabel: Option<Relabel>,
    consistency: Option<()>,
    /// The propagation, if there is a word for it.
    pub(super) propagation: Option<Propagation>,
    /// `nocopy`, if it is there.
    pub(super) copy_up: Option<CopyUp>,
}

impl Mode {
    /// Parses `text`. Empty text has no words; an empty word is none (V1.17).
    pub(super) fn parse(text: &str) -> Result<Self, MountFlagError> {
        let mut mode = Self::default();
        if text.is_empty() {
            return Ok(mode);
        }
        for word in text.split(',') {
            mode.word(word).ok_or_else(|| MountFlagError::Mode(text.into()))?;
        }
        Ok(mode)
    }

    /// Takes one word; none if there is no such word or its class has one.
    pub(super) fn word(&mut self, word: &str) -> Option<()> {
        match word {
            "ro" => once(&mut self.access, ReadOnly::Recursive),
            "rw" => once(&mut self.access, ReadOnly::No),
            "z" => once(&mut self.relabel, Relabel::Shared),
            "Z" => once(&mut self.relabel, Relabel::Private),
            "nocopy" => once(&mut self.copy_up, CopyUp::No),
            "cached" | "delegated" | "consistent" => once(&mut self.consistency, ()),
            _ if PROPAGATIONS.contains(&word) => {
                once(&mut self.propagation, Propagation::from_word(word)?)
            }
            _ => None,
        }
    }

    /// What is read-only.
    pub(super) fn read_only(&self) -> ReadOnly {
        self.access.unwrap_or(ReadOnly::No)
    }

    /// What SELinux is asked for.
    pub(super) fn relabel(&self) -> Relabel {
        self.relabel.unwrap_or(Relabel::No)
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}
