//! A tree as a tar stream: one form only, ustar headers with PAX records where a field is too
//! small for what it says.
//!
//! Names come sorted, a directory before what is in it. Files with holes are written with their
//! data only, in the form that GNU tar calls 1.0. Sockets are left out, tar has no word for them.

mod header;

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, OFlags, SeekFrom, Stat};
use rustix::io::Errno;

use super::descent::{DIRECTORY, Descent, NameBuffer, is_dot, open_resolved};
use super::manner::{Manner, Mounts, has_no_files};
use super::{Entry, SourceKind, TreeError, joined};
use header::Member;

/// Why a tree could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The tree could not be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The stream could not be written.
    #[error("write: {0}")]
    Write(io::Error),
}

type Written<T> = Result<T, ArchiveError>;

/// Overlay's mark of a directory that hides what the layers below have.
const OPAQUE: &CStr = c"trusted.overlay.opaque";
/// What stands for it in an archive, and before the name of what is gone.
const OPAQUE_NAME: &[u8] = b".wh..wh..opq";
const WHITEOUT: &[u8] = b".wh.";

/// A tar stream in the making.
pub struct Archive<W: Write> {
    out: W,
    manner: Manner,
    /// The first name of each file with several.
    links: HashMap<(u64, u64), Vec<u8>>,
    left_out: Vec<String>,
    buffer: Vec<u8>,
}

impl<W: Write> Archive<W> {
    /// An empty archive. Of `manner` it matters what the source is and what is done with mounts.
    pub fn new(out: W, manner: Manner) -> Self {
        Self { out, manner, links: HashMap::new(), left_out: Vec::new(), buffer: vec![0; 64 << 10] }
    }

    /// Adds a file, or a directory with all that is in it, under the path `name`.
    pub fn add(&mut self, entry: Entry<'_>, name: &[u8]) -> Written<()> {
        let parent = Descent::new(entry.directory)?;
        if self.add_one(&parent, entry.name, name)? == Added::Directory {
            let flags = (DIRECTORY, self.manner.resolve());
            let opened = open_resolved(entry.directory, entry.name, flags)
                .map_err(|e| TreeError::new("openat2", name, e))?;
            self.add_below(Descent::new(opened.as_fd())?, name)?;
        }
        Ok(())
    }

    /// Adds all that is in a directory, but not the directory.
    pub fn add_contents(&mut self, directory: BorrowedFd<'_>) -> Written<()> {
        self.add_below(Descent::new(directory)?, b"")
    }

    /// Paths that are not written. What is in a directory that is left out is written all the same.
    pub fn leave_out(&mut self, paths: Vec<String>) {
        self.left_out = paths;
    }

    /// Ends the archive.
    pub fn finish(mut self) -> Written<W> {
        self.out.write_all(&[0; 1024]).map_err(ArchiveError::Write)?;
        self.out.flush().map_err(ArchiveError::Write)?;
        Ok(self.out)
    }

    /// Adds all that is below the directory called `top` in the archive.
    fn add_below(&mut self, mut at: Descent, top: &[u8]) -> Written<()> {
        let mut room = NameBuffer::new();
        let mut open = vec![(sorted_names(&at, &mut room)?, top.to_vec())];
        while let Some((names, path)) = open.last_mut() {
            let Some(name) = names.pop() else {
                open.pop();
                at.pop()?;
                continue;
            };
            let path = joined(path, name.as_bytes());
            if self.add_one(&at, &name, &path)? != Added::Directory {
                continue;
            }
            let child = open_resolved(at.here(), &name, (DIRECTORY, self.manner.resolve()))
                .map_err(|e| TreeError::new("openat2", &path, e))?;
            if self.has_no_files(at.here(), child.as_fd())? {
                continue;
            }
            at.push(child, &name)?;
            open.push((sorted_names(&at, &mut room)?, path));
        }
        Ok(())
    }

    fn has_no_files(&self, above: BorrowedFd<'_>, here: BorrowedFd<'_>) -> Written<bool> {
        let magic = |directory| {
            let seen = rustix::fs::fstatfs(directory);
            seen.map(|it| it.f_type.cast_unsigned()).map_err(|e| TreeError::new("fstatfs", b"", e))
        };
        Ok(self.manner.mounts == Mounts::Crossed
            && has_no_files(magic(here)?)
            && magic(above)? != magic(here)?)
    }

    /// Adds one entry without what is below it.
    fn add_one(&mut self, at: &Descent, name: &CStr, path: &[u8]) -> Written<Added> {
        let failed = |call, errno| TreeError::new(call, path, errno);
        let stat = rustix::fs::statat(at.here(), name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|e| failed("fstatat", e))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if self.left_out.iter().any(|left_out| left_out.as_bytes() == path) {
            let is_directory = kind == FileType::Directory;
            return Ok(if is_directory { Added::Directory } else { Added::Nothing });
        }
        if kind == FileType::CharacterDevice
            && stat.st_rdev == 0
            && self.manner.kind == SourceKind::Layer
        {
            self.mark(&stat, &hidden(path))?;
            return Ok(Added::File);
        }
        let mut member = Member::new(path, &stat);
        match kind {
            FileType::RegularFile => return self.add_file(at, name, path),
            FileType::Socket => return Ok(Added::Nothing),
            FileType::Symlink => {
                let text = rustix::fs::readlinkat(at.here(), name, Vec::new())
                    .map_err(|e| failed("readlinkat", e))?;
                member.symlink(text.as_bytes());
            }
            FileType::Directory => return self.add_directory(at, name, (path, member)),
            _ => {}
        }
        if !self.link(&mut member, &stat, path) {
            member.xattrs_of_node((at.here(), name), self.manner);
        }
        self.head(&member)?;
        Ok(Added::File)
    }

    fn add_directory(
        &mut self,
        at: &Descent,
        name: &CStr,
        (path, mut member): (&[u8], Member),
    ) -> Written<Added> {
        let failed = |call, errno| TreeError::new(call, path, errno);
        let opened = open_resolved(at.here(), name, (DIRECTORY, self.manner.resolve()))
            .map_err(|e| failed("openat2", e))?;
        member.xattrs_of(opened.as_fd(), self.manner);
        self.head(&member)?;
        let mut value = [0; 4];
        let marked = rustix::fs::fgetxattr(&opened, OPAQUE, &mut value[..]) == Ok(1);
        if self.manner.kind == SourceKind::Layer && marked && value[0] == b'y' {
            let stat = rustix::fs::fstat(&opened).map_err(|e| failed("fstat", e))?;
            self.mark(&stat, &joined(path, OPAQUE_NAME))?;
        }
        Ok(Added::Directory)
    }

    /// An empty file whose name says all.
    fn mark(&mut self, like: &Stat, path: &[u8]) -> Written<()> {
        let mut member = Member::new(path, like);
        member.empty_file();
        self.head(&member)
    }

    /// Is it a further name of a file that is in the archive?
    fn link(&mut self, member: &mut Member, stat: &Stat, path: &[u8]) -> bool {
        if stat.st_nlink < 2 {
            return false;
        }
        let first = self.links.entry((stat.st_dev, stat.st_ino)).or_insert_with(|| path.to_vec());
        if first == path {
            return false;
        }
        member.hard_link(first);
        true
    }

    fn add_file(&mut self, at: &Descent, name: &CStr, path: &[u8]) -> Written<Added> {
        let failed = |call, errno| TreeError::new(call, path, errno);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = open_resolved(at.here(), name, (flags, self.manner.resolve()))
            .map_err(|e| failed("openat2", e))?;
        let stat = rustix::fs::fstat(&file).map_err(|e| failed("fstat", e))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(TreeError::Changed { path: super::shown(path) }.into());
        }
        let mut member = Member::new(path, &stat);
        if self.link(&mut member, &stat, path) {
            self.head(&member)?;
            return Ok(Added::File);
        }
        member.xattrs_of(file.as_fd(), self.manner);
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        let on_disk = u64::try_from(stat.st_blocks).unwrap_or_default() * 512;
        let extents = if on_disk < size { extents(&file, size) } else { None };
        match extents {
            Some(extents) => {
                let map = member.sparse(&extents, size);
                self.head(&member)?;
                self.out.write_all(&map).map_err(ArchiveError::Write)?;
                for (start, length) in &extents {
                    self.data(&file, (*start, *length), path)?;
                }
                self.pad(extents.iter().map(|(_, length)| length).sum())?;
            }
            None => {
                self.head(&member)?;
                self.data(&file, (0, size), path)?;
                self.pad(size)?;
            }
        }
        Ok(Added::File)
    }

    fn head(&mut self, member: &Member) -> Written<()> {
        self.out.write_all(&member.blocks()).map_err(ArchiveError::Write)
    }

    /// As many bytes as the header has promised: a file that has become shorter ends in zeros.
    fn data(&mut self, file: &OwnedFd, (start, length): (u64, u64), path: &[u8]) -> Written<()> {
        let mut done = 0;
        while done < length {
            let room = usize::try_from(length - done).unwrap_or(usize::MAX).min(self.buffer.len());
            let read = rustix::io::retry_on_intr(|| {
                rustix::io::pread(file, &mut self.buffer[..room], start + done)
            });
            let read = read.map_err(|e| TreeError::new("read", path, e))?;
            let filled = if read == 0 {
                self.buffer[..room].fill(0);
                room
            } else {
                read
            };
            self.out.write_all(&self.buffer[..filled]).map_err(ArchiveError::Write)?;
            done += filled as u64;
        }
        Ok(())
    }

    fn pad(&mut self, written: u64) -> Written<()> {
        let rest = usize::try_from(written.next_multiple_of(512) - written).unwrap_or_default();
        self.out.write_all(&[0; 512][..rest]).map_err(ArchiveError::Write)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Added {
    File,
    Directory,
    Nothing,
}

/// The path of a whiteout: `.wh.` before the last name.
fn hidden(path: &[u8]) -> Vec<u8> {
    let cut = path.iter().rposition(|b| *b == b'/').map_or(0, |at| at + 1);
    [&path[..cut], WHITEOUT, &path[cut..]].concat()
}

/// The names in a directory, the first one last.
fn sorted_names(at: &Descent, room: &mut NameBuffer) -> Result<Vec<CString>, TreeError> {
    let mut names = Vec::new();
    let mut entries = room.read(at.here());
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(|e| TreeError::new("getdents64", at.path(), e))?;
        if !is_dot(entry.file_name()) {
            names.push(entry.file_name().to_owned());
        }
    }
    names.sort_unstable_by(|a, b| b.cmp(a));
    Ok(names)
}

/// Where a file has data; `None` if its file system knows no holes.
fn extents(file: &OwnedFd, size: u64) -> Option<Vec<(u64, u64)>> {
    let mut extents = Vec::new();
    let mut at = 0;
    while at < size {
        let data = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(data) if data < size => data,
            Ok(_) | Err(Errno::NXIO) => break,
            Err(_) => return None,
        };
        let hole = rustix::fs::seek(file, SeekFrom::Hole(data)).ok()?.min(size);
        extents.push((data, hole - data));
        at = hole;
    }
    // GNU tar reads the end of a file from its last entry.
    if extents.last().is_none_or(|(start, length)| start + length < size) {
        extents.push((size, 0));
    }
    Some(extents)
}
