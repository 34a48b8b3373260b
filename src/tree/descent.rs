//! The way down a tree: a stack of directories of which only the lowest few are open.
//!
//! A directory far above the place of work is closed and found again through `..`, where its
//! device and inode must be those it had: a tree of 10,000 levels needs no more descriptors than
//! one of 32. The open child keeps its parents' dentries in memory, so the numbers hold also
//! where a file system makes them up (overlay).

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, RawDir, ResolveFlags};
use rustix::io::Errno;

use super::{TreeError, shown};

/// How many directories of one way down are open at most.
const WINDOW: usize = 32;

/// How a directory is opened for reading its names.
pub(super) const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

/// One name below an open directory: no link, no other mount, nothing outside.
pub(super) const ONE_NAME: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// The directory that belongs to a file system rather than to its content (V5.08).
pub(super) const LOST_AND_FOUND: &CStr = c"lost+found";

/// Which file an inode is, as long as something keeps it in memory.
pub(super) type FileId = (u64, u64);

pub(super) fn file_id(directory: impl AsFd) -> Result<FileId, Errno> {
    let stat = rustix::fs::fstat(directory)?;
    Ok((stat.st_dev, stat.st_ino))
}

/// Opens the directory `name` of `parent` for reading.
pub(super) fn open_directory(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    open_one(parent, name, DIRECTORY)
}

/// Opens one name. EAGAIN says that a rename went on somewhere meanwhile: it is tried again.
pub(super) fn open_one(
    parent: BorrowedFd<'_>,
    name: &CStr,
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    open_resolved(parent, name, (flags, ONE_NAME))
}

/// As [`open_one`], with a way to resolve of the caller's.
pub(super) fn open_resolved(
    parent: BorrowedFd<'_>,
    name: &CStr,
    (flags, resolve): (OFlags, ResolveFlags),
) -> Result<OwnedFd, Errno> {
    let mut tries = 0;
    loop {
        match rustix::fs::openat2(parent, name, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN) if tries < 32 => tries += 1,
            answer => return answer,
        }
    }
}

struct Level {
    directory: Option<OwnedFd>,
    id: FileId,
    /// The length of `path` at this level.
    path_len: usize,
}

/// The directories from the top of a tree down to the place of work.
pub(super) struct Descent {
    top: OwnedFd,
    below: Vec<Level>,
    /// Levels before this one are closed.
    open_from: usize,
    path: Vec<u8>,
}

impl Descent {
    /// Starts at `top`, which may be an O_PATH descriptor and keeps its own file position.
    pub(super) fn new(top: BorrowedFd<'_>) -> Result<Self, TreeError> {
        let top = rustix::fs::openat(top, c".", DIRECTORY, Mode::empty())
            .map_err(|e| TreeError::new("openat", b"", e))?;
        Ok(Self { top, below: Vec::new(), open_from: 0, path: Vec::new() })
    }

    /// The top of the tree.
    pub(super) fn top(&self) -> BorrowedFd<'_> {
        self.top.as_fd()
    }

    /// The directory at the place of work.
    pub(super) fn here(&self) -> BorrowedFd<'_> {
        // The lowest level is always open: `push` closes only those above, `pop` reopens.
        match self.below.last().and_then(|level| level.directory.as_ref()) {
            Some(directory) => directory.as_fd(),
            None => self.top.as_fd(),
        }
    }

    /// Its path below the top; empty at the top.
    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }

    /// Goes down into `directory`, which is called `name` here.
    pub(super) fn push(&mut self, directory: OwnedFd, name: &CStr) -> Result<(), TreeError> {
        if self.below.len() - self.open_from >= WINDOW {
            let far = &mut self.below[self.open_from];
            if let Some(directory) = far.directory.take() {
                far.id = file_id(&directory).map_err(|e| TreeError::new("fstat", &self.path, e))?;
            }
            self.open_from += 1;
        }
        if !self.path.is_empty() {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(name.to_bytes());
        self.below.push(Level {
            directory: Some(directory),
            id: (0, 0),
            path_len: self.path.len(),
        });
        Ok(())
    }

    /// Goes up. `false` at the top.
    pub(super) fn pop(&mut self) -> Result<bool, TreeError> {
        let Some(child) = self.below.pop() else { return Ok(false) };
        self.path.truncate(self.below.last().map_or(0, |level| level.path_len));
        if let (Some(level), Some(child)) = (self.below.last_mut(), child.directory)
            && level.directory.is_none()
        {
            let parent = rustix::fs::openat(&child, c"..", DIRECTORY, Mode::empty())
                .map_err(|e| TreeError::new("openat", &self.path, e))?;
            let id = file_id(&parent).map_err(|e| TreeError::new("fstat", &self.path, e))?;
            if id != level.id {
                return Err(TreeError::Changed { path: shown(&self.path) });
            }
            level.directory = Some(parent);
            self.open_from -= 1;
        }
        Ok(true)
    }
}

/// Opens the directory `path` below `top`, however long the path is.
///
/// A path over PATH_MAX is walked in pieces, each below the one before.
pub(super) fn open_below(top: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
    const PIECE: usize = 3000;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at = rustix::fs::openat(top, c".", flags, Mode::empty())?;
    let mut rest = path;
    while !rest.is_empty() {
        let end = match rest.len() {
            short if short <= PIECE => short,
            // A name has at most 255 bytes, so there is a slash in the last 256.
            _ => rest[..PIECE].iter().rposition(|b| *b == b'/').ok_or(Errno::NAMETOOLONG)?,
        };
        at = rustix::fs::openat2(&at, &rest[..end], flags, Mode::empty(), ONE_NAME)?;
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    Ok(at)
}

/// Room for the names of directories, used again for each.
pub(super) struct NameBuffer(Vec<std::mem::MaybeUninit<u8>>);

impl NameBuffer {
    pub(super) fn new() -> Self {
        Self(vec![std::mem::MaybeUninit::uninit(); 64 * 1024])
    }

    /// Reads `directory` from its present position.
    pub(super) fn read<'a>(&'a mut self, directory: BorrowedFd<'a>) -> RawDir<'a, BorrowedFd<'a>> {
        RawDir::new(directory, &mut self.0)
    }
}

/// `.` and `..`, which every directory lists.
pub(super) fn is_dot(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

/// The magic link that leads to what `file` is open on, also where it is open as a mere path.
pub(super) fn magic_link(file: impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}
