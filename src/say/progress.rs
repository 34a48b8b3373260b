//! How far a long read is, shown on a terminal and nowhere else.

use std::io::{self, IsTerminal, Read};

use indicatif::{ProgressBar, ProgressStyle};

/// A stream whose progress is shown.
pub struct Progress<R> {
    input: R,
    bar: ProgressBar,
}

impl<R: Read> Progress<R> {
    /// Shows the reading of `input` under a label on standard error, if that is a terminal.
    /// `length` is how much there is, where that is known.
    pub fn over(input: R, length: Option<u64>, label: Option<&str>) -> Self {
        let Some(label) = label.filter(|_| io::stderr().is_terminal()) else {
            return Self { input, bar: ProgressBar::hidden() };
        };
        let (bar, template) = match length {
            Some(length) => (ProgressBar::new(length), "{msg} {wide_bar} {bytes}/{total_bytes}"),
            None => (ProgressBar::new_spinner(), "{msg} {bytes} {bytes_per_sec}"),
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
