//! Asking for a passphrase at the terminal, without showing it.

use std::fs::File;
use std::io::{self, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// The terminal of this process, whatever its input and output are.
pub(super) struct Terminal {
    terminal: File,
    before: Termios,
}

const LINE_MAX: usize = 2048;

impl Terminal {
    /// Opens it; an error where there is none.
    pub(super) fn open() -> io::Result<Self> {
        let terminal =
            File::options().read(true).write(true).open("/dev/tty").map_err(|_| {
                io::Error::other("there is no terminal to ask for the passphrase at")
            })?;
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        // Without ISIG: an interrupt that ended us here would leave the terminal silent.
        silent.local_modes &= !(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }

    /// Asks for a line.
    pub(super) fn ask(&mut self, question: &str) -> io::Result<Vec<u8>> {
        self.terminal.write_all(question.as_bytes())?;
        let line = self.line();
        self.terminal.write_all(b"\n")?;
        line
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        const INTERRUPT: u8 = 3;
        const END: u8 = 4;
        const KILL: u8 = 21;
        let mut line = Vec::with_capacity(LINE_MAX);
        loop {
            let mut byte = [0];
            let count = self.terminal.read(&mut byte)?;
            match byte[0] {
                b'\n' | b'\r' => return Ok(line),
                _ if count == 0 => return Err(io::Error::other("the terminal was closed")),
                INTERRUPT | END => return Err(io::Error::other("interrupted")),
                KILL => line.clear(),
                8 | 127 => {
                    line.pop();
                }
                _ if line.len() == LINE_MAX => return Err(io::Error::other("it is too long")),
                other => line.push(other),
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}
