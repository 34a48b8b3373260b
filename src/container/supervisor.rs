//! The process that watches over a container in the background: it runs it, starts it again as
//! its restart policy says, and removes it if it shall go with its process.
//!
//! It is a copy of the command that started it, in a session of its own, without any of its
//! descriptors. It wakes up only if there is something to do.

mod rest;
mod word;

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::pipe::PipeFlags;

use self::rest::{Woken, let_in, rest, say_farewell};
pub use self::word::Word;
use super::attach::{self, host::Hall};
use super::entry::{Container, RunLock};
use super::failure::not_started;
use super::record::{ContainerState, Status};
use super::remove::{Force, WithVolumes, remove};
use super::restart::{self, Run};
use super::start::{self, Ended, Manner};
use super::store::ContainerStore;
use super::streams::{Audience, Stdin};
use crate::apply::report::Tracing;
use crate::engine::guests::Guests;
use crate::engine::signals::Signals;
use crate::say::failure::Failure;
use crate::say::setup;
use crate::store::{Store, read_record};
use crate::sys::process::{
    Birth, Cloned, clone_process, close_all_but, duplicate_to, exit_now, wait,
};

/// How long a guest may take to take the last of what there is for it.
const FAREWELL: Duration = Duration::from_secs(10);

/// A container to be run in the background.
#[derive(Debug)]
pub struct Order<'a> {
    /// Its store.
    pub store: &'a Store,
    /// The container.
    pub container: &'a Container,
    /// Its lock, which the supervisor holds as long as it lives.
    pub lock: RunLock,
    /// Lines and columns of the terminal of whoever starts it.
    pub size: Option<(u16, u16)>,
}

/// Whoever starts a container may be its first guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstGuest {
    /// It will attach: nothing of the output is missed.
    Us,
    /// It goes away.
    Nobody,
}

/// Starts the container in the background; returns when its process is there, with our end of the
/// first guest's connection.
pub fn launch(order: Order<'_>, first: FirstGuest) -> Result<(Word, Option<OwnedFd>), Errno> {
    let (ours, theirs) = match first {
        FirstGuest::Us => attach::pair().map(|(a, b)| (Some(a), Some(b)))?,
        FirstGuest::Nobody => (None, None),
    };
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    // Between this process and the supervisor is one that ends at once: so the supervisor is
    // nobody's child here, and who started it need not reap it.
    match clone_process(Birth::default())? {
        Cloned::Child => match clone_process(Birth::default()) {
            Ok(Cloned::Child) => {
                drop((ours, read));
                become_supervisor(order, write, theirs)
            }
            Ok(Cloned::Parent { .. }) => exit_now(0),
            Err(errno) => exit_now(errno.raw_os_error()),
        },
        Cloned::Parent { pid, .. } => {
            drop((write, theirs, order));
            match wait(pid)? {
                0 => Ok((Word::read(&read), ours)),
                status => Err(Errno::from_raw_os_error(status >> 8 & 0xff)),
            }
        }
    }
}

fn become_supervisor(order: Order<'_>, word: OwnedFd, first: Option<OwnedFd>) -> ! {
    let prepared = alone(&order.lock, &word, first.as_ref());
    let mut word = Some(word);
    let mut tell = |said: Word| drop(word.take().map(|pipe| said.write(&pipe)));
    let opened =
        prepared.and_then(|()| Hall::open(&order.container.directory, first)).and_then(|hall| {
            let signals = Signals::block().map_err(|e| Errno::from_raw_os_error(e as i32))?;
            Ok((hall, signals))
        });
    match opened {
        Ok((hall, signals)) => {
            Supervisor { order, hall: Some(Box::new(hall)), signals }.serve(&mut tell);
        }
        Err(errno) => {
            remove_if_wished(order.store, order.container, order.lock);
            let cause = format!("no supervisor: {}", setup::words_of(errno));
            tell(Word::failed(Failure::new("start the container", cause)));
        }
    }
    exit_now(0)
}

/// Lets go of all that belongs to whoever started us: session, directory, descriptors.
fn alone(lock: &RunLock, word: &OwnedFd, first: Option<&OwnedFd>) -> Result<(), Errno> {
    rustix::process::setsid()?;
    rustix::process::chdir("/")?;
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC;
    let null = rustix::fs::open("/dev/null", flags, rustix::fs::Mode::empty())?;
    (0..=2).try_for_each(|number| duplicate_to(&null, number))?;
    let mut kept = vec![lock.as_fd(), word.as_fd()];
    kept.extend(first.map(AsFd::as_fd));
    close_all_but(&kept)?;
    // Closed already, with all the others.
    std::mem::forget(null);
    Ok(())
}

struct Supervisor<'a> {
    order: Order<'a>,
    hall: Option<Box<dyn Guests>>,
    signals: Signals,
}

/// What comes after a run.
enum Next {
    Again(Duration),
    Over,
}

impl Supervisor<'_> {
    /// Runs the container until it is over.
    fn serve(mut self, tell: &mut dyn FnMut(Word)) {
        let mut pause = None;
        loop {
            let began = Instant::now();
            let mut state = match self.run(tell) {
                Ok(state) => state,
                Err(failure) => {
                    // The first one waits for this word; of a later one the state tells.
                    self.leave(None);
                    return tell(Word::failed(failure));
                }
            };
            let status = state.exit_code;
            let run = Run { status, lasted: began.elapsed(), restarts: state.restarts };
            match self.next(run, pause) {
                Next::Again(next) => {
                    state = ContainerState {
                        status: Status::Restarting,
                        restarts: run.restarts + 1,
                        ..state
                    };
                    self.note(&state);
                    if let Some(hall) = &mut self.hall {
                        hall.ended(status);
                    }
                    if self.rest(next) == Woken::Rested {
                        pause = Some(next);
                        continue;
                    }
                    self.note(&ContainerState { status: Status::Exited, ..state });
                }
                Next::Over => self.note(&state),
            }
            return self.leave(Some(status));
        }
    }

    /// One run; its state is not written down yet, unless there was no process.
    fn run(&mut self, tell: &mut dyn FnMut(Word)) -> Result<ContainerState, Failure> {
        let Order { store, container, lock, size } = &self.order;
        let stdin = match container.record.options.interactive {
            true => Stdin::Passed,
            false => Stdin::Null,
        };
        let manner = Manner {
            stdin,
            audience: Audience::Guests,
            guests: self.hall.take(),
            size: *size,
            tracing: Tracing::Off,
            signals: &mut self.signals,
            on_start: &mut || tell(Word::default()),
        };
        let wanted = format!("start container {}", container.record.name);
        let ended = start::run(store, container, lock, manner);
        let failure = match ended {
            Ok(Ended { outcome: Ok(_), state, guests, .. }) => {
                self.hall = guests;
                return Ok(state);
            }
            Ok(Ended { outcome: Err(error), plan, .. }) => setup::failure(&plan, &error),
            Err(error) => not_started(&wanted, &error),
        };
        self.note_failure(&failure);
        Err(failure)
    }

    fn next(&mut self, run: Run, last: Option<Duration>) -> Next {
        // What was said before the end counts, also if nobody has listened yet.
        let wants_stay = self.hall.as_mut().is_some_and(|hall| {
            let_in(hall.as_mut());
            hall.wants_stay()
        });
        // It may have been changed since the container was started.
        let path = self.order.container.directory.join("container.json");
        let record = read_record(&path).ok().flatten();
        let policy = record.unwrap_or_else(|| self.order.container.record.clone()).options.restart;
        match restart::pause(policy, run, last) {
            Some(pause) if !wants_stay => Next::Again(pause),
            _ => Next::Over,
        }
    }

    fn rest(&mut self, pause: Duration) -> Woken {
        match &mut self.hall {
            Some(hall) => rest(hall.as_mut(), &mut self.signals, pause),
            None => Woken::Rested,
        }
    }

    fn state(&self) -> ContainerState {
        let path = self.order.container.directory.join("state.json");
        read_record(&path).ok().flatten().unwrap_or_default()
    }

    /// What cannot be written down is found out by the next who looks: nobody holds the lock then.
    fn note(&self, state: &ContainerState) {
        let _ = start::note(self.order.container, state);
    }

    fn note_failure(&self, failure: &Failure) {
        let state = self.state();
        let status = if state.started.is_empty() { Status::Created } else { Status::Exited };
        let exit_code = failure.status.code();
        self.note(&ContainerState { status, exit_code, error: failure.to_string(), ..state });
    }

    /// Removes what shall not stay, then tells those who wait: they see what is.
    fn leave(self, status: Option<u8>) {
        let Self { order, hall, .. } = self;
        let Order { store, container, lock, .. } = order;
        attach::host::close(&container.directory);
        remove_if_wished(store, container, lock);
        if let (Some(hall), Some(status)) = (hall, status) {
            farewell(hall, status);
        }
    }
}

/// `--rm`: the container goes with its process. What cannot be removed is shown by `ps -a`.
fn remove_if_wished(store: &Store, container: &Container, lock: RunLock) {
    // Only who let go of the lock can remove the container.
    drop(lock);
    if !container.record.options.remove {
        return;
    }
    // It may have another name by now.
    let found = ContainerStore::open(store).map(|all| all.find(&container.record.id));
    if let Ok(Ok(container)) = found {
        let _ = remove(store, &container, WithVolumes::Yes, Force::No);
    }
}

/// Tells all guests the end.
pub fn farewell(mut guests: Box<dyn Guests>, status: u8) {
    let_in(guests.as_mut());
    guests.ended(status);
    say_farewell(guests.as_mut(), FAREWELL);
}
