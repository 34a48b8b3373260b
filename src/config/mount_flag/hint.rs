//! What may help with a wrong mount flag: the nearest known word, or what was probably meant.

use crate::config::nearest::nearest;

use super::error::{ConfigReason, FieldError, MountFlagError};
use super::mode::{self, Mode};
use super::{mount_fields, tmpfs_flag};

impl MountFlagError {
    /// What may help: the nearest known word, or what the user probably meant.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Ambiguous(spec) => {
                let (target, mode) = spec.split_once(':')?;
                Some(format!("options need a source: -v SOURCE:{target}:{mode}"))
            }
            Self::Mode(text) => mode_hint(text),
            Self::MountSyntax { reason, .. } => reason.hint(),
            Self::Mount { kind, reason: ConfigReason::UnknownType } => {
                did_you_mean(nearest(kind, mount_fields::TYPES)?)
            }
            Self::Mount { reason: ConfigReason::Propagation(word), .. } => {
                did_you_mean(nearest(word, mode::PROPAGATIONS)?)
            }
            Self::TmpfsOption(word) => tmpfs_hint(word),
            // Without a type it is a volume, and a volume has no path.
            Self::Name { name, .. } if name.starts_with('/') => {
                Some(format!("a directory of the host is a bind: --mount type=bind,src={name},…"))
            }
            Self::Name { name, .. } => name_hint(name),
            Self::Duplicate { earlier, later, .. } if earlier == later => {
                Some(format!("{later} is given twice"))
            }
            Self::Duplicate { earlier, later, .. } => {
                Some(format!("{earlier} and {later} ask for the same place"))
            }
            _ => None,
        }
    }
}

impl FieldError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { key, .. } => did_you_mean(nearest(key, mount_fields::KEYS)?),
            Self::NoValue(word) if word == "rw" => {
                Some("a mount is writable unless it is readonly: leave rw out".into())
            }
            Self::NoValue(word) if mount_fields::TYPES.contains(&word.as_str()) => {
                Some(format!("did you mean type={word}?"))
            }
            Self::NoValue(word) => match nearest(word, mount_fields::KEYS)? {
                key if mount_fields::ALONE.contains(&key) => did_you_mean(key),
                key => Some(format!("did you mean {key}=…?")),
            },
            Self::Csv(_) => Some("quote the whole field: '\"src=/a,b\",dst=/c'".into()),
            Self::Number { size: Some(reason), .. } => {
                Some(format!("{reason}; a size is a number with b, k, m, g or t: 64m"))
            }
            Self::Number { .. } => Some("a mode is an octal number: 1777".into()),
            _ => None,
        }
    }
}

fn did_you_mean(word: &str) -> Option<String> {
    Some(format!("did you mean {word}?"))
}

fn name_hint(name: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix('~') {
        return Some(format!(
            "only the shell knows ~, and only unquoted at the start of a word: use \"$HOME{rest}\""
        ));
    }
    if name.starts_with('$') {
        return Some("only the shell replaces variables, and not in single quotes".into());
    }
    name.contains('/').then(|| format!("a path starts with / or with a dot: ./{name}"))
}

/// What the author of a wrong `-v` mode probably meant.
fn mode_hint(text: &str) -> Option<String> {
    let known = || mode::PROPAGATIONS.into_iter().chain(mode::OTHERS);
    let Some(wrong) = text.split(',').find(|word| Mode::default().word(word).is_none()) else {
        return Some("of each kind of option there can be one".into());
    };
    match nearest(wrong.trim(), known()) {
        Some(word) => Some(format!("did you mean {word}?")),
        None => Some(format!("options are {}", known().collect::<Vec<_>>().join(", "))),
    }
}

/// What the author of a wrong `--tmpfs` word probably meant.
fn tmpfs_hint(word: &str) -> Option<String> {
    let key = word.split('=').next().unwrap_or(word);
    if tmpfs_flag::KEYS.contains(&key) {
        return Some(format!("{key} needs a value: {key}=…"));
    }
    let known = tmpfs_flag::WORDS.iter().copied().flatten().copied().chain(tmpfs_flag::KEYS);
    let found = nearest(key, known)?;
    let value = word.split_once('=').map(|(_, value)| value);
    Some(match value.filter(|_| tmpfs_flag::KEYS.contains(&found)) {
        Some(value) => format!("did you mean {found}={value}?"),
        None => format!("did you mean {found}?"),
    })
}
