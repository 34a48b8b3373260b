//! The files of a log, found while their writer may be putting them aside.
//!
//! Names change; but a file only ever moves to a higher number, so a look at the names in rising
//! order misses none, and sees one twice at worst. Which file is which its inode says, and no
//! other file has that as long as it is open. A compressed file names in its header the inode and
//! the last change of the one that it was made of.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use flate2::read::GzDecoder;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir, openat, statat};
use rustix::io::Errno;

use super::compress::Mark;
use super::entries::Entries;
use super::form::Form;

/// The log of one container, by the descriptor of its directory: `rm` renames that.
#[derive(Debug)]
pub(super) struct Chain {
    directory: OwnedFd,
    pub(super) form: Form,
}

/// One file of a log.
#[derive(Debug)]
pub(super) struct LogFile {
    file: File,
    inode: u64,
    kind: FileKind,
}

/// Is a file as it was written?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileKind {
    Plain,
    /// Compressed, of a file that had this mark; none if it was not us.
    Compressed(Option<Mark>),
}

impl Chain {
    pub(super) fn open(directory: &Path, form: Form) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(CWD, directory, flags, Mode::empty())?;
        Ok(Self { directory, form })
    }

    /// The files that there are, the oldest first.
    pub(super) fn files(&self) -> io::Result<Vec<LogFile>> {
        let last = self.last_number()?;
        let mut files: Vec<LogFile> = Vec::new();
        files.extend(self.file(self.form.file_name())?);
        // One more than was there: the last one may have moved since.
        for number in 1..=last + 1 {
            let name = format!("{}.{number}", self.form.file_name());
            let found = match self.file(&name)? {
                Some(file) => Some(file),
                None => self.file(&(name + ".gz"))?,
            };
            files.extend(found.filter(|file| files.iter().all(|known| !known.is(file))));
        }
        files.reverse();
        Ok(files)
    }

    /// The files that are newer than `read`, the oldest first. All, if that one is gone: then it
    /// was older than any.
    pub(super) fn files_after(&self, read: &LogFile) -> io::Result<Vec<LogFile>> {
        let mut files = self.files()?;
        if let Some(at) = files.iter().position(|file| file.is(read)) {
            files.drain(..=at);
        }
        Ok(files)
    }

    /// Is this the file that is written to? So it is, too, where there is no such file any more.
    pub(super) fn is_newest(&self, file: &LogFile) -> io::Result<bool> {
        match statat(&self.directory, self.form.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(found.st_ino == file.inode),
            Err(Errno::NOENT) => Ok(true),
            Err(e) => Err(e.into()),
        }
    }

    fn file(&self, name: &str) -> io::Result<Option<LogFile>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match openat(&self.directory, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let inode = file.metadata()?.ino();
        let kind = match name.ends_with(".gz") {
            false => FileKind::Plain,
            true => {
                let mut decoder = GzDecoder::new(&file);
                // The header is read with the first byte of the content.
                let _ = decoder.read(&mut [0])?;
                let extra = decoder.header().and_then(|header| header.extra());
                FileKind::Compressed(extra.and_then(Mark::parse))
            }
        };
        Ok(Some(LogFile { file, inode, kind }))
    }

    /// The highest number of a file that was put aside.
    fn last_number(&self) -> io::Result<u32> {
        let entries =
            openat(&self.directory, ".", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut buffer = Vec::with_capacity(8 << 10);
        let mut entries = RawDir::new(entries, buffer.spare_capacity_mut());
        let mut last = 0;
        while let Some(entry) = entries.next() {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let rest = name.strip_prefix(self.form.file_name()).and_then(|n| n.strip_prefix('.'));
            let number = rest.map(|rest| rest.strip_suffix(".gz").unwrap_or(rest));
            if let Some(number) = number.and_then(|number| number.parse().ok()) {
                last = last.max(number);
            }
        }
        Ok(last)
    }
}

impl LogFile {
    /// Are both the same, or one what became of the other?
    fn is(&self, other: &LogFile) -> bool {
        match (self.kind, other.kind) {
            (FileKind::Plain, FileKind::Compressed(Some(mark))) => self.has(mark),
            (FileKind::Compressed(Some(mark)), FileKind::Plain) => other.has(mark),
            _ => self.inode == other.inode,
        }
    }

    fn has(&self, mark: Mark) -> bool {
        Mark::of(&self.file).is_ok_and(|own| own == mark)
    }

    pub(super) fn is_compressed(&self) -> bool {
        self.kind != FileKind::Plain
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Its entries from a byte on; a compressed file is read from its beginning.
    pub(super) fn entries(&self, form: Form, offset: u64) -> io::Result<Entries> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(match self.is_compressed() {
            true => Entries::new(Box::new(GzDecoder::new(file)), form),
            false => Entries::new(Box::new(file), form),
        })
    }
}
