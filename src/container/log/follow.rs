//! Waiting for more: inotify on the container's directory, until the container has ended.
//!
//! The end is a state that says so, or a supervisor whose lock is free (it was killed). The kernel
//! tells that the lock's file was closed a moment before it lets go of the lock (__fput of Linux
//! 6.18: first fsnotify, then flock), so after that it is looked at a few times more.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock, openat};
use rustix::io::Errno;
use rustix::time::Timespec;

use super::reading::Reading;
use crate::container::record::ContainerState;
use crate::store;

/// How often it is looked at whether a supervisor whose lock was closed is gone. The pauses are of
/// 1 ms, 2 ms, 4 ms, …: together a second.
const LOOKS: u32 = 10;

/// When is there nothing more to come?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// When the container has ended.
    Exit,
    /// When nobody will start it again: its supervisor is gone.
    Supervisor,
}

/// A watch on a container's directory.
#[derive(Debug)]
pub(super) struct Watch {
    last: Last,
    inotify: OwnedFd,
    /// The directory by descriptor: `rm` renames it.
    directory: OwnedFd,
}

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    /// Something was written, made or renamed, or nothing.
    Changed,
    /// The supervisor's lock was closed, or what only read it.
    Unlocked,
    /// The container's directory was taken away.
    Removed,
    /// It is late enough.
    Over,
}

impl Watch {
    pub(super) fn new(directory: &Path, last: Last) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let wanted = WatchFlags::MODIFY
            | WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVE_SELF
            | WatchFlags::DELETE_SELF
            | WatchFlags::ONLYDIR;
        inotify::add_watch(&inotify, directory, wanted)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { last, inotify, directory: openat(CWD, directory, flags, Mode::empty())? })
    }

    /// Reads what comes until the container has ended.
    pub(super) fn follow(&self, reading: &mut Reading) -> io::Result<()> {
        let mut looks = LOOKS;
        let mut has_ended = self.has_ended();
        loop {
            // All that was written before the end is there to be read after it.
            reading.read_all()?;
            if has_ended {
                return Ok(());
            }
            let pause = (looks < LOOKS).then(|| Duration::from_millis(1 << looks));
            has_ended = match self.wait((reading.wanted.until, pause))? {
                News::Over | News::Removed => true,
                News::Changed => self.has_ended(),
                News::Unlocked => {
                    looks = 0;
                    self.has_ended()
                }
            };
            looks = LOOKS.min(looks + 1);
        }
    }

    fn has_ended(&self) -> bool {
        let path = format!("/proc/self/fd/{}/state.json", self.directory.as_raw_fd());
        let state = store::read_record::<ContainerState>(Path::new(&path)).ok().flatten();
        let ended =
            |state: ContainerState| self.last == Last::Exit && !state.status.has_supervisor();
        state.is_some_and(ended) || self.is_unlocked()
    }

    /// Does no supervisor hold the container's lock? Asked without opening the file to write,
    /// whose closing would be an event.
    fn is_unlocked(&self) -> bool {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        match openat(&self.directory, "run.lock", flags, Mode::empty()) {
            Ok(file) => flock(&file, FlockOperation::NonBlockingLockShared).is_ok(),
            Err(_) => true,
        }
    }

    /// Waits for news, for the reader's going away, or for a pause to be over.
    fn wait(&self, (until, pause): (Option<Timestamp>, Option<Duration>)) -> io::Result<News> {
        let stdout = rustix::stdio::stdout();
        loop {
            let left = match until.map(|until| until.duration_since(Timestamp::now())) {
                Some(left) if left.is_negative() => return Ok(News::Over),
                left => left.map(|left| left.unsigned_abs()),
            };
            let limit = left.into_iter().chain(pause).min().map(|limit| Timespec {
                tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: limit.subsec_nanos().into(),
            });
            let mut files = [
                PollFd::new(&self.inotify, PollFlags::IN),
                // Nothing is asked of it, but that nobody reads it is told all the same.
                PollFd::new(&stdout, PollFlags::empty()),
            ];
            match poll(&mut files, limit.as_ref()) {
                Err(Errno::INTR) => continue,
                Err(e) => return Err(e.into()),
                Ok(0) if pause.is_some() => return Ok(News::Changed),
                Ok(_) => {}
            }
            if files[1].revents().intersects(PollFlags::ERR) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            if let Some(news) = self.news()? {
                return Ok(news);
            }
        }
    }

    fn news(&self) -> io::Result<Option<News>> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.inotify, &mut buffer);
        let mut news = None;
        loop {
            let event = match events.next() {
                Ok(event) => event,
                Err(Errno::WOULDBLOCK) => return Ok(news),
                Err(Errno::INTR) => continue,
                Err(e) => return Err(e.into()),
            };
            let this = kind(event.events(), event.file_name().map(CStr::to_bytes));
            news = match (news, this) {
                (Some(News::Removed), _) => news,
                (Some(News::Unlocked), Some(News::Changed)) => news,
                (_, None) => news,
                (_, this) => this,
            };
        }
    }
}

fn kind(flags: ReadFlags, name: Option<&[u8]>) -> Option<News> {
    if flags.intersects(ReadFlags::MOVE_SELF | ReadFlags::DELETE_SELF) {
        return Some(News::Removed);
    }
    match (flags.contains(ReadFlags::CLOSE_WRITE), name) {
        (true, Some(b"run.lock")) => Some(News::Unlocked),
        // The end of writing anything else is no news: its writes were.
        (true, _) => None,
        _ => Some(News::Changed),
    }
}
