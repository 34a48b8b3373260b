//! Where words go: standard output for results, standard error for warnings.

use std::io::{self, Write};

use super::plain::plain;

/// Standard output and error of a command.
///
/// That a pipe is closed is no failure, as `head` expects: what nobody reads is dropped, and the
/// command finishes what it does. Any other error of writing is the command's failure.
#[derive(Debug, Default)]
pub struct Output;

impl Output {
    /// Writes one line of result.
    pub fn line(&self, text: impl std::fmt::Display) -> io::Result<()> {
        read_or_dropped(writeln!(io::stdout().lock(), "{text}"))
    }

    /// Writes result text as it is.
    pub fn text(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        // Flushed here, since at exit nobody would hear of an error.
        read_or_dropped(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
    }

    /// Writes a result that may be no text, such as file names.
    pub fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        read_or_dropped(stdout.write_all(bytes).and_then(|()| stdout.flush()))
    }

    /// Writes text to standard error that is not the command's result.
    pub fn aside(&self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// Writes one warning to standard error. That nobody reads it is no failure.
    pub fn warning(&self, text: impl std::fmt::Display) {
        let _ = writeln!(io::stderr().lock(), "warning: {}", plain(&text.to_string()));
    }

    /// Writes a failure that does not end the command (`volume rm a b`).
    pub fn failure(&self, failure: &super::failure::Failure) {
        let _ = writeln!(io::stderr().lock(), "{failure}");
    }
}

fn read_or_dropped(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
