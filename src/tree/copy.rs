//! Copying a tree, with everything that can be copied.
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
use super::descent::{
    DIRECTORY, Descent, FileId, LOST_AND_FOUND, NameBuffer, file_id, is_dot, open_resolved,
};
use super::link::Links;
use super::manner::{Existing, Manner, Mounts, has_no_files};
use super::{SourceKind, TreeError, joined, shown};

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Directories, without the top.
    pub directories: u64,
    /// All else, hard links included.
    pub files: u64,
    /// What the files hold, each counted once.
    pub bytes: u64,
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
    let mut copier = Copier::new(Manner::whole(kind));
    let (from, to) = (Descent::new(source)?, Descent::new(target)?);
    copier.at(b"", b"", copier.attributes.prepare_top(to.top()))?;
    copier.copy_below(from, to, Top::Described)?;
    Ok(copier.copied)
}

/// Does the top of the target get what the top of the source has?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Top {
    Described,
    LeftAlone,
}

/// What an entry is called on both sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) from: &'a CStr,
    pub(super) to: &'a CStr,
}

/// A directory whose files are copied and whose directories are not yet.
struct OpenDirectory {
    stat: Stat,
    below: Vec<CString>,
}

/// A copy that is being made.
pub(super) struct Copier {
    manner: Manner,
    attributes: Attributes,
    ways: Ways,
    links: Links,
    /// Reading should leave no trace; only an owner or root may ask for that.
    no_atime: OFlags,
    /// Where the copy goes, where it could lie in its own source.
    pub(super) target: Option<FileId>,
    pub(super) copied: Copied,
}

/// The "call" of a step that would put a directory in place of a file, or a file in its.
const OVERWRITE: &str = "overwrite";
/// That of a step that would copy what it makes.
const INTO_ITSELF: &str = "copy";

impl Copier {
    pub(super) fn new(manner: Manner) -> Self {
        Self {
            manner,
            attributes: Attributes::new(manner),
            ways: Ways::new(),
            links: Links::default(),
            no_atime: OFlags::NOATIME,
            target: None,
            copied: Copied::default(),
        }
    }

    /// Gives a failed call its path.
    pub(super) fn at<T>(
        &self,
        directory: &[u8],
        name: &[u8],
        step: Step<T>,
    ) -> Result<T, TreeError> {
        step.map_err(|(call, errno)| {
            let path = if name.is_empty() { directory.to_vec() } else { joined(directory, name) };
            match (call, errno) {
                (OVERWRITE, Errno::ISDIR) => TreeError::OverDirectory { path: shown(&path) },
                (OVERWRITE, _) => TreeError::OverFile { path: shown(&path) },
                (INTO_ITSELF, _) => TreeError::IntoItself { path: shown(&path) },
                (_, Errno::STALE) => TreeError::Changed { path: shown(&path) },
                (call, errno) => TreeError::new(call, &path, errno),
            }
        })
    }

    /// Copies all that is below two open directories.
    pub(super) fn copy_below(
        &mut self,
        mut from: Descent,
        mut to: Descent,
        top: Top,
    ) -> Result<(), TreeError> {
        let mut names = NameBuffer::new();
        let mut open = vec![self.copy_names(&from, &to, &mut names)?];
        while let Some(directory) = open.last_mut() {
            if let Some(name) = directory.below.pop() {
                if self.descend(&mut from, &mut to, &name)? {
                    open.push(self.copy_names(&from, &to, &mut names)?);
                }
                continue;
            }
            if open.len() > 1 || top == Top::Described {
                let stat = &open[open.len() - 1].stat;
                let done = self.attributes.finish_directory(from.here(), to.here(), stat);
                self.at(from.path(), b"", done)?;
            }
            open.pop();
            from.pop()?;
            to.pop()?;
        }
        Ok(())
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
            let names = Names { from: name, to: name };
            let step = self.copy_name(from, to, (names, entry.file_type()));
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
        (names, listed): (Names<'_>, FileType),
    ) -> Step<Made> {
        match listed {
            FileType::Directory => Ok(Made::Directory),
            FileType::RegularFile => match self.copy_file(from, to, names) {
                // A link has taken the file's place since it was listed: it is what is copied.
                Err((_, Errno::LOOP)) => self.copy_by_stat(from, to, names),
                made => made,
            },
            _ => self.copy_by_stat(from, to, names),
        }
    }

    /// Copies what the listing does not tell all about.
    pub(super) fn copy_by_stat(
        &mut self,
        from: &Descent,
        to: &Descent,
        names: Names<'_>,
    ) -> Step<Made> {
        let stat = rustix::fs::statat(from.here(), names.from, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|e| ("fstatat", e))?;
        let whiteout = self.manner.kind == SourceKind::Layer && stat.st_rdev == 0;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Ok(Made::Directory),
            FileType::RegularFile => self.copy_file(from, to, names),
            FileType::CharacterDevice if whiteout => Ok(Made::Nothing),
            _ => self.copy_node(from, to, (names, &stat)),
        }
    }

    fn copy_file(&mut self, from: &Descent, to: &Descent, names: Names<'_>) -> Step<Made> {
        let source = self.open_source(from.here(), names.from)?;
        let stat = rustix::fs::fstat(&source).map_err(|e| ("fstat", e))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(("fstat", Errno::STALE));
        }
        if self.link(to, names.to, &stat)? {
            return Ok(Made::File);
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Attributes::create_mode(&stat);
        let target = self.make("openat", (to, names.to), || {
            rustix::fs::openat(to.here(), names.to, flags, mode)
        })?;
        self.ways.copy(source.as_fd(), target.as_fd(), &stat)?;
        if stat.st_size == 0 && self.manner.mounts == Mounts::Crossed {
            // A file of the kernel's (procfs) says that it is empty, and is not.
            self.copied.bytes += self.ways.copy_to_end(source.as_fd(), target.as_fd())?;
        }
        self.copied.bytes += u64::try_from(stat.st_size).unwrap_or_default();
        self.attributes.finish_file(source.as_fd(), target.as_fd(), &stat)?;
        Ok(Made::File)
    }

    /// Makes something; what is there already has to go first, where that is wanted.
    fn make<T>(
        &self,
        call: &'static str,
        (to, name): (&Descent, &CStr),
        mut make: impl FnMut() -> Result<T, Errno>,
    ) -> Step<T> {
        match make() {
            Err(Errno::EXIST) if self.manner.existing == Existing::Merged => {
                match rustix::fs::unlinkat(to.here(), name, AtFlags::empty()) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(Errno::ISDIR) => return Err((OVERWRITE, Errno::ISDIR)),
                    Err(e) => return Err(("unlinkat", e)),
                }
                make()
            }
            made => made,
        }
        .map_err(|e| (call, e))
    }

    /// One more name for a file that was copied already. `false`: it was not.
    fn link(&mut self, to: &Descent, name: &CStr, stat: &Stat) -> Step<bool> {
        match self.links.link(to, name, stat) {
            Err(("linkat", Errno::EXIST)) => {
                // By way of `make`, which says whether what is there may be removed.
                let mut tries = 0;
                self.make("linkat", (to, name), || {
                    tries += 1;
                    if tries == 1 { Err(Errno::EXIST) } else { Ok(()) }
                })?;
                self.links.link(to, name, stat)
            }
            linked => linked,
        }
    }

    /// Non-blocking, because a fifo may have taken the place of the file that was listed.
    fn open_source(&mut self, directory: BorrowedFd<'_>, name: &CStr) -> Step<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let resolve = self.manner.resolve();
        match open_resolved(directory, name, (flags | self.no_atime, resolve)) {
            Err(Errno::PERM) if !self.no_atime.is_empty() => {
                self.no_atime = OFlags::empty();
                open_resolved(directory, name, (flags, resolve))
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
        (names, stat): (Names<'_>, &Stat),
    ) -> Step<Made> {
        if self.link(to, names.to, stat)? {
            return Ok(Made::File);
        }
        let place = (to, names.to);
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => {
                let leads_to = rustix::fs::readlinkat(from.here(), names.from, Vec::new())
                    .map_err(|e| ("readlinkat", e))?;
                self.make("symlinkat", place, || {
                    rustix::fs::symlinkat(&*leads_to, to.here(), names.to)
                })?;
            }
            kind => {
                let mode = Attributes::create_mode(stat);
                self.make("mknodat", place, || {
                    rustix::fs::mknodat(to.here(), names.to, kind, mode, stat.st_rdev)
                })?;
            }
        }
        let source = (from.here(), names.from);
        self.attributes.finish_node(source, (to.here(), names.to), stat)?;
        Ok(Made::File)
    }

    /// Goes down on both sides; the target's directory is made. `false`: there is nothing below
    /// that could be copied.
    fn descend(
        &mut self,
        from: &mut Descent,
        to: &mut Descent,
        name: &CStr,
    ) -> Result<bool, TreeError> {
        let opened = self.open_both(from.here(), to.here(), Names { from: name, to: name });
        let (source, target) = self.at(from.path(), name.to_bytes(), opened)?;
        self.copied.directories += 1;
        let empty = self.is_of_the_kernel_s(from.here(), source.as_fd());
        if self.at(from.path(), name.to_bytes(), empty)? {
            return Ok(false);
        }
        from.push(source, name)?;
        to.push(target, name)?;
        Ok(true)
    }

    /// Does a file system without files of its own begin here?
    fn is_of_the_kernel_s(&self, above: BorrowedFd<'_>, here: BorrowedFd<'_>) -> Step<bool> {
        let magic = |directory| {
            let seen = rustix::fs::fstatfs(directory).map_err(|e| ("fstatfs", e))?;
            Ok(seen.f_type.cast_unsigned())
        };
        Ok(self.manner.mounts == Mounts::Crossed
            && has_no_files(magic(here)?)
            && magic(above)? != magic(here)?)
    }

    pub(super) fn open_both(
        &self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        names: Names<'_>,
    ) -> Step<(OwnedFd, OwnedFd)> {
        let open =
            |directory, name| open_resolved(directory, name, (DIRECTORY, self.manner.resolve()));
        let source = open(from, names.from).map_err(|e| ("openat2", e))?;
        if self.target.is_some() && self.target == file_id(&source).ok() {
            return Err((INTO_ITSELF, Errno::INVAL));
        }
        let merged = self.manner.existing == Existing::Merged;
        match rustix::fs::mkdirat(to, names.to, Mode::RWXU) {
            // The target is the top of a file system that has its own.
            Err(Errno::EXIST) if merged || names.to == LOST_AND_FOUND => {}
            made => made.map_err(|e| ("mkdirat", e))?,
        }
        match open(to, names.to) {
            Err(Errno::NOTDIR | Errno::LOOP) if merged => Err((OVERWRITE, Errno::NOTDIR)),
            target => Ok((source, target.map_err(|e| ("openat2", e))?)),
        }
    }
}

/// What was made of an entry.
pub(super) enum Made {
    File,
    Directory,
    Nothing,
}
