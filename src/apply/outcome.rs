//! What comes of a step: the alternative that was taken, or what stopped it.

use rustix::io::Errno;

/// Which alternative of a step was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Taken {
    /// The only one.
    Done,
    /// The path is absent: nothing was to be done.
    SkippedAbsent,
    /// The place did not exist and was made.
    Made,
    /// A file was hidden.
    HidFile,
    /// A directory was hidden.
    HidDirectory,
    /// It was there already and is what it should be.
    WasThere,
    /// The kernel does not allow it here, and nothing depends on it.
    NotPermitted,
}

/// What stopped a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The kernel's answer, or the errno that comes nearest to what we found.
    pub errno: Errno,
    /// The kernel's own words, or ours where we refused what the kernel would have taken.
    pub words: String,
}

impl Fault {
    /// A refusal of our own.
    pub fn refused(errno: Errno, words: impl Into<String>) -> Self {
        Self { errno, words: words.into() }
    }
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        Self { errno, words: String::new() }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        match error.raw_os_error() {
            Some(number) => Errno::from_raw_os_error(number).into(),
            None => Self::refused(Errno::IO, error.to_string()),
        }
    }
}

/// The outcome of a step: which of its alternatives was taken.
pub type Outcome = Result<Taken, Fault>;
