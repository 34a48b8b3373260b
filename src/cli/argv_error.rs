//! What can be wrong with a command line before any value is looked at. The words are Docker's.

use std::ffi::OsString;

use clap::Arg;

use super::absent;
use crate::config::nearest::nearest;
use crate::say::failure::{Failure, Status};

/// What is wrong with a command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgvError {
    /// Bytes that are no text.
    #[error("argument {at} is not UTF-8: {word:?}")]
    NotUtf8 {
        /// Which argument, the first is 1.
        at: usize,
        /// The argument.
        word: OsString,
    },
    /// `--nosuchflag`
    #[error("unknown flag: {flag}")]
    UnknownFlag {
        /// The command.
        path: String,
        /// The flag.
        flag: String,
        /// The flag that was probably meant.
        near: Option<String>,
    },
    /// `-Q`
    #[error("unknown shorthand flag: '{letter}' in -{cluster}")]
    UnknownShorthand {
        /// The command.
        path: String,
        /// The letter.
        letter: char,
        /// The letters that it stands among.
        cluster: String,
    },
    /// `--=x`
    #[error("bad flag syntax: {0}")]
    BadFlag(String),
    /// `--name` as the last word.
    #[error("flag needs an argument: {flag}")]
    NeedsValue {
        /// The flag.
        flag: String,
    },
    /// `-v` as the last word.
    #[error("flag needs an argument: '{letter}' in -{cluster}")]
    ShorthandNeedsValue {
        /// The letter.
        letter: char,
        /// The letters that it stands among.
        cluster: String,
        /// Was it perhaps a call for help?
        help: bool,
    },
    /// `--rm=perhaps`
    #[error("invalid argument {value:?} for {flag:?} flag: parsing {value:?}: invalid syntax")]
    NoTruth {
        /// The flag, as `-q, --quiet`.
        flag: String,
        /// The value.
        value: String,
    },
    /// `rrun volume frobnicate`
    #[error("unknown command: {word}")]
    UnknownCommand {
        /// The group of commands.
        path: String,
        /// The word.
        word: String,
        /// The command that was probably meant, with its path.
        near: Option<String>,
    },
    /// Too few or too many words.
    #[error("'rrun {path}' {wanted}")]
    Words {
        /// The command.
        path: String,
        /// How many it takes: `requires at least 1 argument`.
        wanted: String,
    },
}

impl ArgvError {
    pub(super) fn unknown_flag<'a>(
        path: &[String],
        name: &str,
        known: impl Iterator<Item = &'a str>,
    ) -> Self {
        let near = nearest(name, known).map(|near| format!("--{near}"));
        Self::UnknownFlag { path: path.join(" "), flag: format!("--{name}"), near }
    }

    pub(super) fn no_truth(arg: &Arg, value: &str) -> Self {
        Self::NoTruth { flag: flag_name(arg), value: value.into() }
    }

    pub(super) fn words(path: &[String], (least, most): (usize, Option<usize>)) -> Self {
        let arguments =
            |n: usize| if n == 1 { "1 argument".into() } else { format!("{n} arguments") };
        let wanted = match most {
            Some(0) => "accepts no arguments".into(),
            Some(most) if most == least => format!("requires {}", arguments(least)),
            Some(most) if least == 0 => format!("requires at most {}", arguments(most)),
            Some(most) => format!("requires at least {least} and at most {}", arguments(most)),
            None => format!("requires at least {}", arguments(least)),
        };
        Self::Words { path: path.join(" "), wanted }
    }

    /// What may help.
    fn hint(&self) -> Option<String> {
        match self {
            Self::NotUtf8 { .. } => Some("names and options are UTF-8 text".into()),
            Self::UnknownFlag { near: Some(near), .. } => Some(format!("did you mean {near}?")),
            Self::UnknownFlag { path, .. }
            | Self::UnknownShorthand { path, .. }
            | Self::Words { path, .. } => Some(format!("see 'rrun {path} --help'")),
            Self::UnknownCommand { near: Some(near), .. } => {
                Some(format!("did you mean `rrun {near}`?"))
            }
            Self::UnknownCommand { word, .. } if absent::instead(word).is_some() => {
                absent::instead(word).map(str::to_owned)
            }
            Self::UnknownCommand { path, .. } if path.is_empty() => {
                Some("see 'rrun --help'".into())
            }
            Self::UnknownCommand { path, .. } => Some(format!("see 'rrun {path} --help'")),
            Self::ShorthandNeedsValue { help: true, .. } => {
                Some("-h is the host name of a container; --help shows the help".into())
            }
            _ => None,
        }
    }
}

/// The flag as Docker names it in messages: `-v, --volume`.
pub fn flag_name(arg: &Arg) -> String {
    match (arg.get_short(), arg.get_long()) {
        (Some(letter), Some(name)) => format!("-{letter}, --{name}"),
        (Some(letter), None) => format!("-{letter}"),
        (None, name) => format!("--{}", name.unwrap_or(arg.get_id().as_str())),
    }
}

impl From<ArgvError> for Failure {
    fn from(error: ArgvError) -> Self {
        // As Docker's: a wrong option is 125 for every command, a wrong number of words is 1.
        let status = match &error {
            ArgvError::Words { .. } | ArgvError::UnknownCommand { .. } => Status::Failed,
            _ => Status::NotStarted,
        };
        let failure = Failure::new("read the command line", &error).status(status);
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
