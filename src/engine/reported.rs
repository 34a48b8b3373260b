//! What comes through the pipe that closes when the program is executed: why it was not, or which
//! process is to execute it.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};

/// What was written to the pipe before it closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reported {
    /// Why the program was not executed.
    pub errno: Option<Errno>,
    /// The process that was to execute it, where that is another than ours.
    pub process: Option<i32>,
}

/// More is never written; what a stranger might write is not read for ever.
const MOST_MESSAGES: usize = 8;

impl Reported {
    /// Reads until the pipe closes: by execve, or by death. A number above 0 is an errno, one
    /// below it that of a process.
    ///
    /// Nothing if the pipe only closes, which an execve that succeeds does, too; so no error here
    /// may look like that.
    pub fn read(pipe: &OwnedFd) -> Result<Self, Errno> {
        let mut reported = Self::default();
        for _ in 0..MOST_MESSAGES {
            let mut bytes = [0; 4];
            match rustix::io::retry_on_intr(|| rustix::io::read(pipe, &mut bytes))? {
                0 => break,
                // One write of at most PIPE_BUF bytes comes whole (pipe(7)).
                4 => match i32::from_le_bytes(bytes) {
                    number if number < 0 => {
                        reported.process.get_or_insert(number.saturating_neg());
                    }
                    number => {
                        // What is no errno was written by somebody else.
                        let number = if number < MOST_ERRNO { number } else { libc::EIO };
                        reported.errno.get_or_insert(Errno::from_raw_os_error(number));
                    }
                },
                _ => return Err(Errno::IO),
            }
        }
        Ok(reported)
    }
}

/// The kernel's errors are less than this (include/linux/err.h).
const MOST_ERRNO: i32 = 4096;

/// A descriptor of our child `pid`; ECHILD for a process that is not ours, whoever named it.
pub fn adopt(pid: i32) -> Result<OwnedFd, Errno> {
    let process = pidfd_open(
        Some(pid).filter(|pid| *pid > 0).and_then(Pid::from_raw).ok_or(Errno::CHILD)?,
        PidfdFlags::empty(),
    )?;
    let asking = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::PidFd(std::os::fd::AsFd::as_fd(&process)), asking)?;
    Ok(process)
}

#[cfg(test)]
mod tests {
    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;

    /// Both kinds of messages, in any order, and an end of the reading.
    #[test]
    fn messages() {
        let read = |numbers: &[i32]| {
            let (from, to) = pipe_with(PipeFlags::CLOEXEC).unwrap();
            for number in numbers {
                rustix::io::write(&to, &number.to_le_bytes()).unwrap();
            }
            drop(to);
            let seen = Reported::read(&from).unwrap();
            (seen.errno.map(Errno::raw_os_error), seen.process)
        };
        assert_eq!(read(&[]), (None, None));
        assert_eq!(read(&[2]), (Some(2), None));
        assert_eq!(read(&[-77]), (None, Some(77)));
        assert_eq!(read(&[13, -77]), (Some(13), Some(77)));
        assert_eq!(read(&[-77, -1, 2]), (Some(2), Some(77)));
        assert_eq!(read(&[i32::MIN; 20]), (None, Some(i32::MAX)));
    }

    /// The end of the pipe alone is silence; what cannot be read, or only in part, is an error.
    #[test]
    fn only_silence_is_an_execution() {
        let (from, to) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        rustix::io::write(&to, &[2, 0]).unwrap();
        drop(to);
        assert_eq!(Reported::read(&from), Err(Errno::IO));
        let directory = crate::sys::mount::open_root_place().unwrap();
        assert_eq!(Reported::read(&directory), Err(Errno::BADF));
    }

    /// The first process of the machine is nobody's child of ours.
    #[test]
    fn strangers_are_not_adopted() {
        for pid in [1, 0, -1, i32::MAX] {
            assert!(adopt(pid).is_err(), "{pid}");
        }
    }
}
