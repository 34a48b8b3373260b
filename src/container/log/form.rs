//! The two forms of a log file, and where an entry in it begins and ends.

use super::entry::{Entry, Piece};
use super::{frame, json_line};
use crate::container::options::LogDriver;

/// The form of a log file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A JSON object a line.
    Json,
    /// Frames of bytes.
    Local,
}

impl Form {
    /// The form that a driver writes; none where nothing is kept.
    pub fn of(driver: LogDriver) -> Option<Self> {
        match driver {
            LogDriver::JsonFile => Some(Form::Json),
            LogDriver::Local => Some(Form::Local),
            LogDriver::None => None,
        }
    }

    /// The name of the newest file.
    pub fn file_name(self) -> &'static str {
        match self {
            Form::Json => "log.json",
            Form::Local => "log.local",
        }
    }

    pub(super) fn encode(self, entry: &Entry, text: &mut Vec<u8>) {
        match self {
            Form::Json => json_line::encode(entry, text),
            Form::Local => frame::encode(entry, text),
        }
    }

    /// The first entry of `bytes`.
    pub(super) fn first(self, bytes: &[u8]) -> Piece {
        match self {
            Form::Json => json_line::first(bytes),
            Form::Local => frame::first(bytes),
        }
    }

    /// The last entry of `bytes`, which end where an entry ends.
    pub(super) fn last(self, bytes: &[u8]) -> Piece {
        match self {
            Form::Json => json_line::last(bytes),
            Form::Local => frame::last(bytes),
        }
    }
}
