//! A value of an option that cannot be used: Docker's words, status 125.

use std::fmt::Display;

use crate::say::failure::{Failure, Status};

/// `value` cannot be used with `flag` (`-m, --memory`) because of `reason`.
pub fn invalid(flag: &str, value: &str, reason: impl Display) -> Failure {
    refused(flag, format_args!("invalid argument {value:?} for {flag:?} flag: {reason}"))
}

/// `what` (`-v data:/data`) cannot be used because of `cause`, which names the value.
pub fn refused(what: &str, cause: impl Display) -> Failure {
    Failure::new(format!("use {what}"), cause).status(Status::NotStarted)
}
