//! The caller's terminal while a container's terminal is connected to it.

use std::os::fd::{AsFd, OwnedFd};

use rustix::termios::{
    OptionalActions, OutputModes, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
};

/// What the outer terminal does to output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Nothing: the container's terminal has made `\r\n` already.
    Raw,
    /// A line's end becomes `\r\n` here, because the container's terminal leaves it.
    Processed,
}

/// The caller's terminal; dropping it restores its modes.
#[derive(Debug)]
pub struct Terminal {
    file: OwnedFd,
    before: Termios,
    output: Output,
}

impl Terminal {
    /// The terminal on standard input, if that is one.
    pub fn of_stdin(output: Output) -> Option<Self> {
        let stdin = rustix::stdio::stdin();
        if !isatty(stdin) {
            return None;
        }
        let file = stdin.try_clone_to_owned().ok()?;
        let before = tcgetattr(&file).ok()?;
        Some(Self { file, before, output })
    }

    /// Hands every key to the container.
    pub fn set_raw(&self) {
        let mut modes = self.before.clone();
        modes.make_raw();
        if self.output == Output::Processed {
            modes.output_modes.insert(OutputModes::OPOST | OutputModes::ONLCR);
        }
        let _ = tcsetattr(&self.file, OptionalActions::Now, &modes);
    }

    /// The modes as they were.
    pub fn restore(&self) {
        let _ = tcsetattr(&self.file, OptionalActions::Now, &self.before);
    }

    /// Gives `inner` this terminal's size.
    pub fn copy_size(&self, inner: impl AsFd) {
        if let Ok(size) = tcgetwinsize(&self.file) {
            let _ = tcsetwinsize(inner, size);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.restore();
    }
}

/// Lines and columns of the terminal on standard input, if that is one.
pub fn size_of_stdin() -> Option<(u16, u16)> {
    let size = tcgetwinsize(rustix::stdio::stdin()).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}
