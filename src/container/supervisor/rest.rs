//! What a supervisor does while no process runs: it waits, and listens to its guests.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use crate::engine::guests::Guests;
use crate::engine::signals::Signals;

/// Why a rest ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// Its time is over.
    Rested,
    /// The container shall not start again.
    ToStay,
}

/// Serves the guests for `pause`, or until one asks the container to stay as it is, or a signal
/// to end comes.
pub fn rest(guests: &mut dyn Guests, signals: &mut Signals, pause: Duration) -> Woken {
    let until = Instant::now() + pause;
    loop {
        if guests.wants_stay() || ends(signals) {
            return Woken::ToStay;
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Woken::Rested;
        }
        turn(guests, &[signals.as_fd()], left);
    }
}

/// Serves the guests until nothing waits to be sent, `limit` at most.
pub fn say_farewell(guests: &mut dyn Guests, limit: Duration) {
    let until = Instant::now() + limit;
    while guests.is_sending() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        turn(guests, &[], left);
    }
}

/// Hears all that was said already.
pub fn let_in(guests: &mut dyn Guests) {
    while turn(guests, &[], Duration::ZERO) {}
}

/// One poll, which something on `besides` ends as well; returns whether a guest had something.
fn turn(guests: &mut dyn Guests, besides: &[BorrowedFd<'_>], limit: Duration) -> bool {
    let wishes = guests.wishes(true);
    let mut files: Vec<_> = wishes.iter().map(|(file, flags)| PollFd::new(file, *flags)).collect();
    files.extend(besides.iter().map(|file| PollFd::from_borrowed_fd(*file, PollFlags::IN)));
    let limit = Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    };
    let count = rustix::io::retry_on_intr(|| poll(&mut files, Some(&limit))).unwrap_or(0);
    let ready: Vec<_> = files[..wishes.len()].iter().map(PollFd::revents).collect();
    let seen = ready.iter().any(|flags| !flags.is_empty());
    drop(files);
    drop(wishes);
    // What they ask for is for a process, and there is none.
    drop(guests.serve(&ready));
    count > 0 && seen
}

/// Has a signal come that ends a process that does not handle it?
fn ends(signals: &mut Signals) -> bool {
    let mut ends = false;
    while let Some(number) = signals.take() {
        ends |= matches!(number, libc::SIGTERM | libc::SIGINT | libc::SIGQUIT | libc::SIGHUP);
    }
    ends
}
