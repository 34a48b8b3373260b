//! Where the files of a load come from.

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::LoadError;
use crate::image::archive::compression::{self, Unpacker};
use crate::image::archive::{ArchiveError, Content, Entry, Kind, Reader};
use crate::image::digest::Digest;
use crate::image::limits::Limits;
use crate::image::store::{ImageError, MAX_JSON_BYTES, Staging};
use crate::store::StoreError;

/// More members than this have nothing to do with images.
const MAX_MEMBERS: usize = 100_000;
/// Links that lead to links.
const MAX_LINKS: usize = 8;

/// Blobs that arrive one after the other while a load is at work.
pub trait Blobs {
    /// Waits for a blob; gives its place in the staging directory.
    fn wait(&self, digest: &Digest) -> Result<PathBuf, Box<dyn Error + Send + Sync>>;
}

/// The files of an archive or of a directory.
pub enum Source<'a> {
    /// Taken apart into the staging directory.
    Spooled(HashMap<Vec<u8>, Member>),
    /// A directory, as it is.
    Directory(OwnedFd),
    /// Blobs only, which come from elsewhere.
    Fetched(&'a dyn Blobs),
}

/// One member of an archive that was taken apart.
#[derive(Debug)]
pub enum Member {
    /// A file of the staging directory.
    File(PathBuf),
    /// Another name for a member.
    Link(Vec<u8>),
}

/// One file, ready to be read.
#[derive(Debug)]
pub struct Found {
    /// Its content.
    pub file: File,
    /// Its place in the staging directory, if it is ours to keep.
    pub staged: Option<PathBuf>,
}

/// Takes an archive apart.
pub fn spool(
    input: impl Read,
    staging: &mut Staging,
    limits: &Limits,
) -> Result<Source<'static>, LoadError> {
    let (compression, input) = compression::look(input).map_err(ArchiveError::Read)?;
    let input = compression::Counted::new(input);
    let taken = input.taken();
    let packed = BufReader::with_capacity(256 << 10, input);
    let unpacked = Unpacker::new(packed, compression, taken, limits).map_err(ArchiveError::Read)?;
    let mut archive = Reader::new(BufReader::with_capacity(256 << 10, unpacked));
    let mut members = HashMap::new();
    while let Some(entry) = archive.next_entry()? {
        let Some(path) = clean(&[], &entry.path) else {
            return Err(ArchiveError::entry(&entry.path, "its path leaves the archive").into());
        };
        if let Some(member) = member(&entry, &path, &mut archive, staging)? {
            members.insert(path, member);
        }
        if members.len() > MAX_MEMBERS {
            return Err(ArchiveError::entry(&entry.path, "too many members").into());
        }
    }
    Ok(Source::Spooled(members))
}

fn member<R: io::BufRead>(
    entry: &Entry,
    path: &[u8],
    archive: &mut Reader<R>,
    staging: &mut Staging,
) -> Result<Option<Member>, LoadError> {
    let refused = |why| Err(ArchiveError::entry(&entry.path, why).into());
    let target = match &entry.kind {
        Kind::Directory => return Ok(None),
        Kind::File(Content::Dense) => {
            let place = staging.fresh_path("member");
            let mut file = File::create_new(&place)
                .map_err(|e| ImageError::from(StoreError::io("open", &place, e)))?;
            let copied = io::copy(&mut archive.body(), &mut file)
                .map_err(|e| ImageError::from(StoreError::io("write", &place, e)))?;
            if copied != entry.size_bytes {
                let within = String::from_utf8_lossy(path).into_owned();
                return Err(ArchiveError::Truncated { within }.into());
            }
            return Ok(Some(Member::File(place)));
        }
        Kind::HardLink(target) => clean(&[], target),
        Kind::Symlink(target) => {
            let directory = path.iter().rposition(|b| *b == b'/').map_or(0, |at| at);
            clean(&path[..directory], target)
        }
        _ => return refused("no kind of file that an image archive has"),
    };
    match target {
        Some(target) => Ok(Some(Member::Link(target))),
        None => refused("it links to what is outside of the archive"),
    }
}

/// Resolves a path by its text, from a directory of the archive; `None` if it climbs out.
fn clean(from: &[u8], path: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in from.split(|b| *b == b'/').chain(path.split(|b| *b == b'/')) {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join(&b'/'))
}

/// Reads a directory as it is.
pub fn directory(path: &Path) -> Result<Source<'static>, LoadError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(path, flags, Mode::empty())
        .map_err(|e| ImageError::from(StoreError::io("open", path, e)))?;
    Ok(Source::Directory(directory))
}

impl Source<'_> {
    /// Is there a file of this name?
    pub fn has(&self, path: &str) -> bool {
        self.open(path).is_ok()
    }

    /// Where a file lies in the staging directory, if it was spooled.
    pub fn staged(&self, path: &str) -> Result<Option<PathBuf>, LoadError> {
        match self {
            Self::Spooled(members) => lookup(members, path).map(|place| Some(place.into())),
            Self::Directory(_) | Self::Fetched(_) => Ok(None),
        }
    }

    /// Opens a file. Links are followed as long as they stay inside.
    pub fn open(&self, path: &str) -> Result<Found, LoadError> {
        match self {
            Self::Spooled(members) => {
                let place = lookup(members, path)?;
                let file = File::open(place)
                    .map_err(|source| LoadError::Read { path: path.into(), source })?;
                Ok(Found { file, staged: Some(place.into()) })
            }
            Self::Directory(directory) => {
                let file = open_inside(directory, path)?;
                Ok(Found { file, staged: None })
            }
            Self::Fetched(blobs) => {
                let missing = || LoadError::Missing(path.into());
                let hex = path.strip_prefix("blobs/sha256/").ok_or_else(missing)?;
                let digest = Digest::from_hex(hex).ok_or_else(missing)?;
                let place = blobs.wait(&digest).map_err(LoadError::Fetch)?;
                let file = File::open(&place)
                    .map_err(|source| LoadError::Read { path: path.into(), source })?;
                Ok(Found { file, staged: Some(place) })
            }
        }
    }

    /// Reads a file that must be small.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        let mut bytes = Vec::new();
        let file = self.open(path)?.file;
        file.take(MAX_JSON_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| LoadError::Read { path: path.into(), source })?;
        if bytes.len() as u64 > MAX_JSON_BYTES {
            return Err(LoadError::invalid(path, "it is too large"));
        }
        Ok(bytes)
    }

    /// Reads a small JSON file.
    pub fn read_json<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, LoadError> {
        serde_json::from_slice(&self.read(path)?).map_err(|e| LoadError::invalid(path, &e))
    }
}

fn lookup<'a>(members: &'a HashMap<Vec<u8>, Member>, path: &str) -> Result<&'a Path, LoadError> {
    let missing = || LoadError::Missing(path.into());
    let mut wanted = clean(&[], path.as_bytes()).ok_or_else(missing)?;
    for _ in 0..MAX_LINKS {
        match members.get(&wanted) {
            Some(Member::File(place)) => return Ok(place),
            Some(Member::Link(target)) => wanted.clone_from(target),
            None => return Err(missing()),
        }
    }
    Err(missing())
}

fn open_inside(directory: &OwnedFd, path: &str) -> Result<File, LoadError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let read = |source: io::Error| LoadError::Read { path: path.into(), source };
    let file = match rustix::fs::openat2(directory, path, flags, Mode::empty(), resolve) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT) => return Err(LoadError::Missing(path.into())),
        Err(e) => return Err(read(e.into())),
    };
    match file.metadata().map_err(read)?.is_file() {
        true => Ok(file),
        false => Err(LoadError::invalid(path, "it is not a regular file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Links are resolved by their text and never climb out.
    #[test]
    fn cleaning() {
        let cases: [(&str, &str, Option<&str>); 6] = [
            ("", "./a/b", Some("a/b")),
            ("x/y", "../z/layer.tar", Some("x/z/layer.tar")),
            ("x", "/abs", Some("x/abs")),
            ("", "..", None),
            ("x", "../../etc", None),
            ("", "/etc/../x", Some("x")),
        ];
        for (from, path, wanted) in cases {
            let found = clean(from.as_bytes(), path.as_bytes());
            assert_eq!(found.as_deref(), wanted.map(str::as_bytes), "{from} {path}");
        }
    }
}
