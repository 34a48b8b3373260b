//! Copying a tree into an empty directory, with everything that can be copied.
//!
//! One pass down: the names of a directory are read once, files are made as they come, the names
//! of directories are kept and gone into afterwards. What a directory itself has (owner, mode,
//! ACLs, times) is set when it is left, so its files are made under a plain 0700 directory of
//! ours and its times stay.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::attributes::{Attributes, Step};
use super::data::Ways;
use super::descent::{Descent, LOST_AND_FOUND, NameBuffer, is_dot, open_directory, open_one};
use super::link::Links;
use super::{SourceKind, TreeError, joined, shown};

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Directories, without the top.
    pub directories: u64,
    /// All else, hard links included.
    pub files: u64,
}

/// Copies what is in `source` into `target`, and owner, mode, xattrs and times of `source` itself.
///
/// Both are directories, opened in any way. A name that exists in `target` already is an error,
/// but for a directory `lost+found`.
pub fn copy(
    source: BorrowedFd<'_>,
    target: BorrowedFd<'_>,
    kind: SourceKind,
) -> Result<Copied, TreeError> {
    let mut from = Descent::new(source)?;
    let mut to = Descent::new(target)?;
    let mut copier = Copier::new(kind);
    copier.at(b"", b"", copier.attributes.prepare_top(to.top()))?;
    let mut names = NameBuffer::new();
    let mut open = vec![copier.copy_names(&from, &to, &mut names)?];
    while let Some(directory) = open.last_mut() {
        if let Some(name) = directory.below.pop() {
            copier.descend(&mut from, &mut to, &name)?;
            open.push(copier.copy_names(&from, &to, &mut names)?);
            continue;
        }
        let done = copier.attributes.finish_directory(from.here(), to.here(), &directory.stat);
        copier.at(from.path(), b"", done)?;
        open.pop();
        from.pop()?;
        to.pop()?;
    }
    Ok(copier.copied)
}

/// A directory whose files are copied and whose directories are not yet.
struct OpenDirectory {
    stat: Stat,
    below: Vec<CString>,
}

struct Copier {
    kind: SourceKind,
    attributes: Attributes,
    ways: Ways,
    links: Links,
    /// Reading should leave no trace; only an owner or root may ask for that.
    no_atime: OFlags,
    copied: Copied,
}

impl Copier {
    fn new(kind: SourceKind) -> Self {
        Self {
            kind,
            attributes: Attributes::new(kind),
            ways: Ways::new(),
            links: Links::default(),
            no_atime: OFlags::NOATIME,
            copied: Copied::default(),
        }
    }

    /// Gives a failed call its path.
    fn at<T>(&self, directory: &[u8], name: &[u8], step: Step<T>) -> Result<T, TreeError> {
        step.map_err(|(call, errno)| {
            let path = if name.is_empty() { directory.to_vec() } else { joined(directory, name) };
            match errno {
                Errno::STALE => TreeError::Changed { path: shown(&path) },
                errno => TreeError::new(call, &path, errno),
            }
        })
    }

    /// Copies all that is no directory from one directory into the other.
    fn copy_names(
        &mut self,
        from: &Descent,
        to: &Descent,
        names: &mut NameBuffer,
    ) -> Result<OpenDirectory, TreeError> {
        let stat = rustix::fs::fstat(from.here()).map_err(|e| ("fstat", e));
        let stat = self.at(from.path(), b"", stat)?;
        let mut below = Vec::new();
        let mut entries = names.read(from.here());
        while let Some(entry) = entries.next() {
            let entry = self.at(from.path(), b"", entry.map_err(|e| ("getdents64", e)))?;
            let name = entry.file_name();
            if is_dot(name) {
                continue;
            }
            let step = self.copy_name(from, to, (name, entry.file_type()));
            match self.at(from.path(), name.to_bytes(), step)? {
                Made::Directory => below.push(name.to_owned()),
                Made::File => self.copied.files += 1,
                Made::Nothing => {}
            }
        }
        Ok(OpenDirectory { stat, below })
    }

    fn copy_name(
        &mut self,
        from: &Descent,
        to: &Descent,
        (name, listed): (&CStr, FileType),
    ) -> Step<Made> {
        match listed {
            FileType::Directory => Ok(Made::Directory),
            FileType::RegularFile => match self.copy_file(from, to, name) {
                // A link has taken the file's place since it was listed: it is what is copied.
                Err((_, Errno::LOOP)) => self.copy_by_stat(from, to, name),
                made => made,
            },
            _ => self.copy_by_stat(from, to, name),
        }
    }

    /// Copies what the listing does not tell all about.
    fn copy_by_stat(&mut self, from: &Descent, to: &Descent, name: &CStr) -> Step<Made> {
        let stat = rustix::fs::statat(from.here(), name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|e| ("fstatat", e))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Ok(Made::Directory),
            FileType::RegularFile => self.copy_file(from, to, name),
            FileType::CharacterDevice if self.kind == SourceKind::Layer && stat.st_rdev == 0 => {
                Ok(Made::Nothing)
            }
            _ => self.copy_node(from, to, (name, &stat)),
        }
    }

    fn copy_file(&mut self, from: &Descent, to: &Descent, name: &CStr) -> Step<Made> {
        let source = self.open_source(from.here(), name)?;
        let stat = rustix::fs::fstat(&source).map_err(|e| ("fstat", e))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(("fstat", Errno::STALE));
        }
        if self.links.link(to, name, &stat)? {
            return Ok(Made::File);
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let target = rustix::fs::openat(to.here(), name, flags, Attributes::create_mode(&stat))
            .map_err(|e| ("openat", e))?;
        self.ways.copy(source.as_fd(), target.as_fd(), &stat)?;
        self.attributes.finish_file(source.as_fd(), target.as_fd(), &stat)?;
        Ok(Made::File)
    }

    /// Non-blocking, because a fifo may have taken the place of the file that was listed.
    fn open_source(&mut self, directory: BorrowedFd<'_>, name: &CStr) -> Step<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match open_one(directory, name, flags | self.no_atime) {
            Err(Errno::PERM) if !self.no_atime.is_empty() => {
                self.no_atime = OFlags::empty();
                open_one(directory, name, flags)
            }
            answer => answer,
        }
        .map_err(|e| ("openat2", e))
    }

    /// A symbolic link, fifo, socket or device.
    fn copy_node(
        &mut self,
        from: &Descent,
        to: &Descent,
        (name, stat): (&CStr, &Stat),
    ) -> Step<Made> {
        if self.links.link(to, name, stat)? {
            return Ok(Made::File);
        }
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => {
                let leads_to = rustix::fs::readlinkat(from.here(), name, Vec::new())
                    .map_err(|e| ("readlinkat", e))?;
                rustix::fs::symlinkat(&*leads_to, to.here(), name).map_err(|e| ("symlinkat", e))?;
            }
            kind => {
                let mode = Attributes::create_mode(stat);
                rustix::fs::mknodat(to.here(), name, kind, mode, stat.st_rdev)
                    .map_err(|e| ("mknodat", e))?;
            }
        }
        self.attributes.finish_node(from.here(), (to.here(), name), stat)?;
        Ok(Made::File)
    }

    /// Goes down on both sides; the target's directory is made.
    fn descend(
        &mut self,
        from: &mut Descent,
        to: &mut Descent,
        name: &CStr,
    ) -> Result<(), TreeError> {
        let opened = self.open_both(from.here(), to.here(), name);
        let (source, target) = self.at(from.path(), name.to_bytes(), opened)?;
        self.copied.directories += 1;
        from.push(source, name)?;
        to.push(target, name)
    }

    fn open_both(
        &self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        name: &CStr,
    ) -> Step<(OwnedFd, OwnedFd)> {
        let source = open_directory(from, name).map_err(|e| ("openat2", e))?;
        match rustix::fs::mkdirat(to, name, Mode::RWXU) {
            // The target is the top of a file system that has its own.
            Err(Errno::EXIST) if name == LOST_AND_FOUND => {}
            made => made.map_err(|e| ("mkdirat", e))?,
        }
        let target = open_directory(to, name).map_err(|e| ("openat2", e))?;
        Ok((source, target))
    }
}

enum Made {
    File,
    Directory,
    Nothing,
}
