//! Those who attach to a container that another process watches over, as its supervisor sees them.

use std::os::fd::BorrowedFd;

use rustix::event::PollFlags;

/// Which of a container's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
    /// Its terminal, which has one output only.
    Terminal,
}

/// What a guest asks the supervisor for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Bytes for the container's input.
    Input(Vec<u8>),
    /// No more of them.
    InputEnd,
    /// The guest's terminal has this size.
    Resize {
        /// Lines.
        rows: u16,
        /// Characters a line.
        columns: u16,
    },
    /// A signal for the container's first process.
    Signal(i32),
}

/// The guests of one container.
pub trait Guests {
    /// Have all taken so much that there is room for more output?
    fn has_room(&self) -> bool;

    /// What they are waited for with; `input` says whether the container takes more of it.
    fn wishes(&self, input: bool) -> Vec<(BorrowedFd<'_>, PollFlags)>;

    /// Serves them; `ready` answers the wishes.
    fn serve(&mut self, ready: &[PollFlags]) -> Vec<Ask>;

    /// The container has written.
    fn output(&mut self, channel: Channel, bytes: &[u8]);

    /// The container has ended with this status.
    fn ended(&mut self, status: u8);

    /// Has one asked that the container, once ended, is not started again?
    fn wants_stay(&self) -> bool;

    /// Forgets those that have taken nothing for too long.
    fn drop_slow(&mut self);

    /// Is there something that was not sent yet?
    fn is_sending(&self) -> bool;
}
