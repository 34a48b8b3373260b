//! A value of an option that cannot be used: Docker's words, status 125.

use std::fmt::Display;
use std::num::{IntErrorKind, ParseIntError};

use crate::say::failure::{Failure, Status};

/// `value` cannot be used with `flag` (`-m, --memory`) because of `reason`.
pub fn invalid(flag: &str, value: &str, reason: impl Display) -> Failure {
    refused(flag, format_args!("invalid argument {value:?} for {flag:?} flag: {reason}"))
}

/// `what` (`-v data:/data`) cannot be used because of `cause`, which names the value.
pub fn refused(what: &str, cause: impl Display) -> Failure {
    Failure::new(format!("use {what}"), cause).status(Status::NotStarted)
}

/// Why `text` is no number, in the words of Docker's language.
pub fn number_words(text: &str, error: &ParseIntError) -> String {
    let why = match error.kind() {
        IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
        _ => "invalid syntax",
    };
    format!("strconv.ParseInt: parsing {text:?}: {why}")
}
