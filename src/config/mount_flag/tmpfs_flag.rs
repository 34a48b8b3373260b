//! `--tmpfs TARGET[:OPTIONS]` (V3), and the options of every tmpfs.

use crate::config::request::{MountKind, MountRequest, ReadOnly, Style, TmpfsRequest};

use super::error::MountFlagError;
use super::place;

/// What a tmpfs has unless a later word says otherwise (V3.01).
const DEFAULTS: [&str; 3] = ["noexec", "nosuid", "nodev"];

/// Words without a value. The words of a row exclude each other.
///
/// `bind`, `rbind` and `remount` are missing: they would make it something other than a tmpfs.
pub(super) const WORDS: &[&[&str]] = &[
    &["ro", "rw"],
    &["exec", "noexec"],
    &["suid", "nosuid"],
    &["dev", "nodev"],
    &["sync", "async"],
    &["dirsync"],
    &["mand", "nomand"],
    &["atime", "noatime"],
    &["diratime", "nodiratime"],
    &["relatime", "norelatime"],
    &["strictatime", "nostrictatime"],
    &["private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable"],
];

/// Keys with a value, for the file system itself.
pub(super) const KEYS: [&str; 7] = ["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"];

/// Parses the value of `--tmpfs`. Everything after the first colon is options.
pub fn parse_tmpfs(text: &str) -> Result<MountRequest, MountFlagError> {
    let (target_text, mode) = text.split_once(':').unwrap_or((text, ""));
    let target = place::target(target_text).map_err(MountFlagError::TmpfsTarget)?;
    let words = if mode.is_empty() { Vec::new() } else { mode.split(',').collect() };
    let options = effective(&words)?;
    Ok(MountRequest {
        flag: format!("--tmpfs {text}"),
        style: Style::Tmpfs,
        target,
        target_text: target_text.into(),
        read_only: read_only(&options),
        mode: mode.into(),
        kind: MountKind::Tmpfs(TmpfsRequest { options, size_bytes: None, mode: None }),
    })
}

/// The words in effect: the defaults and `words`, of each kind the last one (V3.02).
pub(super) fn effective(words: &[&str]) -> Result<Vec<String>, MountFlagError> {
    let mut options: Vec<&str> = Vec::new();
    for word in DEFAULTS.iter().chain(words) {
        if *word == "defaults" {
            continue;
        }
        let class = class(word).ok_or_else(|| MountFlagError::TmpfsOption((*word).into()))?;
        options.retain(|earlier| self::class(earlier) != Some(class));
        options.push(word);
    }
    Ok(options.into_iter().map(str::to_owned).collect())
}

/// The words that exclude `word`, by the first of them; none if a tmpfs has no such word.
fn class(word: &str) -> Option<&'static str> {
    match word.split_once('=') {
        Some((key, _)) => KEYS.into_iter().find(|known| *known == key),
        None => WORDS.iter().find(|row| row.contains(&word)).map(|row| row[0]),
    }
}

/// Is a tmpfs with these words read-only?
pub(super) fn read_only(options: &[String]) -> ReadOnly {
    if options.iter().any(|word| word == "ro") { ReadOnly::TopOnly } else { ReadOnly::No }
}
