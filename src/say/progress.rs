//! How far a long read is, shown on a terminal and nowhere else.

use std::io::{self, IsTerminal, Read};

use indicatif::{ProgressBar, ProgressStyle};

/// A stream whose progress is shown.
pub struct Progress<R> {
    input: R,
    bar: ProgressBar,
}

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show<'a> {
    /// Nothing at all.
    Nothing,
    /// How many bytes there were, under this label.
    Bytes(&'a str),
    /// How many of so many.
    Share(&'a str, u64),
}

impl<R: Read> Progress<R> {
    /// Shows the reading of `input` on standard error, if that is a terminal.
    pub fn over(input: R, show: Show<'_>) -> Self {
        let (label, bar, template) = match show {
            Show::Bytes(label) if io::stderr().is_terminal() => {
                (label, ProgressBar::new_spinner(), "{msg} {bytes} {bytes_per_sec}")
            }
            Show::Share(label, total) if io::stderr().is_terminal() => {
                (label, ProgressBar::new(total), "{msg} {wide_bar} {bytes}/{total_bytes}")
            }
            _ => return Self { input, bar: ProgressBar::hidden() },
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(label.to_string());
        Self { input, bar }
    }
}

impl<R: Read> Read for Progress<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.bar.inc(read as u64);
        Ok(read)
    }
}

impl<R> Drop for Progress<R> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
