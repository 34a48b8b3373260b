//! A failure as it is told, and the exit status that its kind decides.
//!
//! ```text
//! cannot <what the user wanted>: <what failed>: <cause>
//!   kernel: <the kernel's own words>
//!   hint: <what to do>
//! ```

use std::fmt;

use super::plain::plain;

/// The exit status of a failure. It comes from the kind of failure, never from its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Status {
    /// 1: a command other than `run` failed.
    Failed,
    /// 125: rrun refused or could not set up a container.
    NotStarted,
    /// 126: the command exists and cannot be executed.
    NotExecutable,
    /// 127: the command does not exist.
    NotFound,
}

impl Status {
    /// The number for exit(2).
    pub fn code(self) -> u8 {
        match self {
            Status::Failed => 1,
            Status::NotStarted => 125,
            Status::NotExecutable => 126,
            Status::NotFound => 127,
        }
    }
}

/// What could not be done, why, and what may help. It is returned or printed, never both.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    /// What the user wanted, to follow the word "cannot".
    pub wanted: String,
    /// What failed and its cause.
    pub cause: String,
    /// The kernel's own words.
    pub kernel: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// The exit status.
    pub status: Status,
}

impl Failure {
    /// A failure of a command other than `run` (status 1).
    pub fn new(wanted: impl Into<String>, cause: impl fmt::Display) -> Self {
        let (wanted, cause) = (wanted.into(), cause.to_string());
        Self {
            cause: without(&wanted, &cause).to_owned(),
            wanted,
            kernel: None,
            hint: None,
            status: Status::Failed,
        }
    }

    /// The same failure with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same failure with a hint, if there is one.
    #[must_use]
    pub fn perhaps(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// The same failure with another exit status.
    #[must_use]
    pub fn status(mut self, status: Status) -> Self {
        self.status = status;
        self
    }
}

/// Some of Docker's sentences begin with what was wanted: that is told once.
fn without<'a>(wanted: &str, cause: &'a str) -> &'a str {
    let bare = cause.strip_prefix("cannot ").unwrap_or(cause);
    bare.strip_prefix(wanted).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(cause)
}

impl Failure {
    /// The failure in one line, for programs that read it.
    pub fn one_line(&self) -> String {
        self.to_string().replace("\n  ", "; ")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", plain(&self.wanted), plain(&self.cause))?;
        if let Some(words) = &self.kernel {
            write!(f, "\n  kernel: {}", plain(words))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {}", plain(hint))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was wanted is told once, also where the cause begins with it.
    #[test]
    fn nothing_is_told_twice() {
        let cases = [
            (
                "remove data",
                "remove data: volume is in use",
                "cannot remove data: volume is in use",
            ),
            ("remove x", "cannot remove x: it runs", "cannot remove x: it runs"),
            ("remove x", "remove xy: it runs", "cannot remove x: remove xy: it runs"),
            ("remove x", "remove x", "cannot remove x: remove x"),
        ];
        for (wanted, cause, want) in cases {
            assert_eq!(Failure::new(wanted, cause).to_string(), want);
        }
    }
}
