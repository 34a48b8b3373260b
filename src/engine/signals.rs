//! Signals of a supervisor: read from a descriptor, so that nothing runs inside a handler.

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// The signals that are waiting for us.
#[derive(Debug)]
pub struct Signals {
    file: SignalFd,
    before: SigSet,
}

impl Signals {
    /// Blocks the signals that a supervisor handles; from here on they come through the descriptor.
    ///
    /// Called before the clone, so that none is lost between; the child unblocks them.
    pub fn block() -> nix::Result<Self> {
        let mut set = SigSet::all();
        // Our own faults must stay deadly, and a stop by the terminal is the kernel's business.
        for signal in [
            Signal::SIGSEGV,
            Signal::SIGBUS,
            Signal::SIGILL,
            Signal::SIGFPE,
            Signal::SIGABRT,
            Signal::SIGTTIN,
            Signal::SIGTTOU,
        ] {
            set.remove(signal);
        }
        let mut before = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), Some(&mut before))?;
        let file = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self { file, before })
    }

    /// The next signal, if there is one.
    pub fn take(&mut self) -> Option<i32> {
        let info = self.file.read_signal().ok()??;
        i32::try_from(info.ssi_signo).ok()
    }

    /// Stops this process as SIGTSTP would have done; returns when it goes on.
    pub fn stop_here(&self) {
        let _ = nix::sys::signal::raise(Signal::SIGSTOP);
    }
}

impl std::os::fd::AsFd for Signals {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(&self.file)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}
