//! What the upper directory of an overlay changes in the tree below it, in Docker's terms.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Stat};
use rustix::io::Errno;

use super::descent::{Descent, NameBuffer, is_dot, open_below, open_directory};
use super::{TreeError, joined};

/// What has become of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It is new.
    Added,
    /// It, or something below it, is not what it was.
    Changed,
    /// It is gone.
    Deleted,
}

impl Change {
    /// Docker's letter for it.
    pub fn letter(self) -> char {
        match self {
            Change::Added => 'A',
            Change::Changed => 'C',
            Change::Deleted => 'D',
        }
    }
}

/// All changes, with paths below the top, parents first.
///
/// Of what is new and of what is gone the reader gets to know by name: all that is in a new
/// directory, but only the top of what was removed. `passed_over` are paths of which nothing is
/// said, though of what is in them.
pub fn changes(
    upper: BorrowedFd<'_>,
    lower: BorrowedFd<'_>,
    passed_over: &[String],
) -> Result<Vec<(Vec<u8>, Change)>, TreeError> {
    let mut walk = Walk { at: Descent::new(upper)?, lower, passed_over, found: Vec::new() };
    walk.all()?;
    walk.found.sort();
    Ok(walk.found)
}

struct Walk<'a> {
    at: Descent,
    lower: BorrowedFd<'a>,
    passed_over: &'a [String],
    found: Vec<(Vec<u8>, Change)>,
}

/// A directory on the way.
struct Level {
    below: Vec<CString>,
    /// Is it in the lower tree, too?
    was_there: bool,
    /// How many changes there were when it was entered.
    before: usize,
    /// What is said of it whatever is in it.
    own: Option<Change>,
}

/// The mark of a directory that hides what was there before it.
const OPAQUE: [&CStr; 2] = [c"trusted.overlay.opaque", c"user.overlay.opaque"];

impl Walk<'_> {
    fn all(&mut self) -> Result<(), TreeError> {
        let mut names = NameBuffer::new();
        let lower = self.lower.try_clone_to_owned().map_err(|e| dup(&e))?;
        let below = self.files(Some(&lower), &mut names)?;
        let mut open = vec![Level { below, was_there: true, before: 0, own: None }];
        while let Some(level) = open.last_mut() {
            if let Some(name) = level.below.pop() {
                let was_there = level.was_there;
                if let Some(level) = self.enter(&name, was_there, &mut names)? {
                    open.push(level);
                }
                continue;
            }
            let path = self.at.path().to_vec();
            if let Some(done) = open.pop()
                && !path.is_empty()
            {
                let inside = self.found.len() > done.before;
                let changed = done.own.or_else(|| inside.then_some(Change::Changed));
                self.found.extend(changed.map(|change| (path, change)));
            }
            self.at.pop()?;
        }
        Ok(())
    }

    /// Goes into a directory of the upper tree.
    fn enter(
        &mut self,
        name: &CStr,
        in_lower: bool,
        names: &mut NameBuffer,
    ) -> Result<Option<Level>, TreeError> {
        let path = joined(self.at.path(), name.to_bytes());
        let child = match open_directory(self.at.here(), name) {
            Ok(child) => child,
            // A container that runs may remove it meanwhile.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(e) => return Err(TreeError::new("openat2", &path, e)),
        };
        let stat = rustix::fs::fstat(&child).map_err(|e| TreeError::new("fstat", &path, e))?;
        let opaque = is_opaque(child.as_fd());
        let before = self.found.len();
        let lower = self.lower_entry(in_lower, name)?;
        let lower_directory = match &lower {
            Some(seen) if kind(seen) == FileType::Directory => {
                let opened = open_below(self.lower, &path);
                Some(opened.map_err(|e| TreeError::new("openat2", &path, e))?)
            }
            _ => None,
        };
        let own = match &lower {
            _ if self.is_passed_over(&path) => None,
            None => Some(Change::Added),
            Some(seen) => differs(seen, &stat).then_some(Change::Changed),
        };
        self.at.push(child, name)?;
        let was_there = lower_directory.is_some();
        if let Some(directory) = lower_directory.as_ref().filter(|_| opaque) {
            self.hidden(directory.as_fd(), names)?;
        }
        let below = self.files(lower_directory.as_ref(), names)?;
        Ok(Some(Level { below, was_there, before, own }))
    }

    /// What a directory that hides the one below it does not have itself.
    fn hidden(&mut self, lower: BorrowedFd<'_>, names: &mut NameBuffer) -> Result<(), TreeError> {
        for name in list(lower, names, self.at.path())? {
            let here = rustix::fs::statat(self.at.here(), &name, AtFlags::SYMLINK_NOFOLLOW);
            if matches!(here, Err(Errno::NOENT)) {
                let path = joined(self.at.path(), name.as_bytes());
                self.found.push((path, Change::Deleted));
            }
        }
        Ok(())
    }

    /// Notes all that is no directory here; returns the names of the directories.
    fn files(
        &mut self,
        lower: Option<&OwnedFd>,
        names: &mut NameBuffer,
    ) -> Result<Vec<CString>, TreeError> {
        let mut below = Vec::new();
        for name in list(self.at.here(), names, self.at.path())? {
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            let Ok(stat) = rustix::fs::statat(self.at.here(), &name, flags) else { continue };
            if kind(&stat) == FileType::Directory {
                below.push(name);
                continue;
            }
            let seen = lower.and_then(|lower| look(lower.as_fd(), &name));
            let is_whiteout = kind(&stat) == FileType::CharacterDevice && stat.st_rdev == 0;
            let change = match (is_whiteout, seen) {
                (true, Some(_)) => Some(Change::Deleted),
                (true, None) => None,
                (false, None) => Some(Change::Added),
                (false, Some(seen)) => differs(&seen, &stat).then_some(Change::Changed),
            };
            let path = joined(self.at.path(), name.as_bytes());
            if !self.is_passed_over(&path) {
                self.found.extend(change.map(|change| (path, change)));
            }
        }
        Ok(below)
    }

    fn is_passed_over(&self, path: &[u8]) -> bool {
        self.passed_over.iter().any(|other| other.as_bytes() == path)
    }

    fn lower_entry(&self, in_lower: bool, name: &CStr) -> Result<Option<Stat>, TreeError> {
        if !in_lower {
            return Ok(None);
        }
        let parent = open_below(self.lower, self.at.path())
            .map_err(|e| TreeError::new("openat2", self.at.path(), e))?;
        Ok(look(parent.as_fd(), name))
    }
}

fn dup(error: &std::io::Error) -> TreeError {
    TreeError::new("dup", b"", Errno::from_io_error(error).unwrap_or(Errno::MFILE))
}

/// What the lower tree has under a name; a whiteout is nothing.
fn look(directory: BorrowedFd<'_>, name: &CStr) -> Option<Stat> {
    let seen = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    let is_whiteout = kind(&seen) == FileType::CharacterDevice && seen.st_rdev == 0;
    (!is_whiteout).then_some(seen)
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

fn is_opaque(directory: BorrowedFd<'_>) -> bool {
    let mut value = [0; 4];
    OPAQUE.into_iter().any(|name| {
        matches!(rustix::fs::fgetxattr(directory, name, &mut value[..]), Ok(1)) && value[0] == b'y'
    })
}

/// Of a directory its size and times say nothing: they change with what is in it.
fn differs(before: &Stat, now: &Stat) -> bool {
    let attributes = |s: &Stat| (s.st_mode, s.st_uid, s.st_gid, s.st_rdev);
    let content = |s: &Stat| (s.st_mtime, s.st_mtime_nsec, s.st_size);
    attributes(before) != attributes(now)
        || (kind(now) != FileType::Directory && content(before) != content(now))
}

/// The names in a directory.
fn list(
    directory: BorrowedFd<'_>,
    names: &mut NameBuffer,
    path: &[u8],
) -> Result<Vec<CString>, TreeError> {
    // A position of its own: the directory may have been read before.
    let opened = open_directory(directory, c".").map_err(|e| TreeError::new("openat2", path, e))?;
    let mut found = Vec::new();
    let mut entries = names.read(opened.as_fd());
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(|e| TreeError::new("getdents64", path, e))?;
        if !is_dot(entry.file_name()) {
            found.push(entry.file_name().to_owned());
        }
    }
    Ok(found)
}
