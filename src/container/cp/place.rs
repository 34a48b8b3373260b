//! What a path on the command line means: an open directory and a name in it.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::error::CopyError;
use super::side::Side;
use crate::tree::Entry;

/// A path of the command line, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// As it was typed.
    pub text: String,
    /// Absolute and clean.
    pub path: Vec<u8>,
    /// How it ends.
    pub ending: Ending,
}

/// How a path ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// In a name.
    Name,
    /// In a slash: it is meant to be a directory.
    Slash,
    /// In `/.`: what is in the directory.
    Contents,
}

/// Is a link followed that is the source itself (`-L`)?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// Yes.
    Links,
    /// No: it is copied.
    Nothing,
}

impl Named {
    /// The path `text`; a relative one counts from `base`.
    pub fn new(text: &str, base: &[u8]) -> Self {
        let ending = match text.rsplit('/').next() {
            Some("") => Ending::Slash,
            Some(".") => Ending::Contents,
            _ => Ending::Name,
        };
        let whole = match text.starts_with('/') {
            true => text.as_bytes().to_vec(),
            false => [base, b"/", text.as_bytes()].concat(),
        };
        Self { text: text.into(), path: clean(&whole), ending }
    }

    /// Its last name; empty for the root.
    pub fn name(&self) -> Vec<u8> {
        self.path.rsplit(|b| *b == b'/').next().unwrap_or_default().to_vec()
    }
}

/// One slash between names, no `.`, and `..` takes a name away, as Docker's command line does it.
fn clean(path: &[u8]) -> Vec<u8> {
    let mut names: Vec<&[u8]> = Vec::new();
    for name in path.split(|b| *b == b'/') {
        match name {
            b"" | b"." => {}
            b".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    [b"/", names.join(&b'/').as_slice()].concat()
}

/// A name in an open directory, and what was there when it was looked at.
#[derive(Debug)]
pub struct Place {
    directory: OwnedFd,
    name: CString,
    path: String,
    seen: Option<Stat>,
}

impl Place {
    /// Opens the directory of `path`.
    fn new(side: &Side<'_>, path: &[u8]) -> Result<Self, Errno> {
        let cut = path.iter().rposition(|b| *b == b'/').unwrap_or_default();
        let parent = if cut == 0 { &b"/"[..] } else { &path[..cut] };
        let name = match &path[(cut + 1).min(path.len())..] {
            b"" => b".",
            name => name,
        };
        let directory = side.directory(parent)?;
        let name = CString::new(name).map_err(|_| Errno::INVAL)?;
        let seen = match rustix::fs::statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(seen) => Some(seen),
            Err(Errno::NOENT) => None,
            Err(e) => return Err(e),
        };
        Ok(Self { directory, name, path: side.shown(path), seen })
    }

    fn kind(&self) -> Option<FileType> {
        self.seen.as_ref().map(|seen| FileType::from_raw_mode(seen.st_mode))
    }

    /// Is there anything?
    pub fn exists(&self) -> bool {
        self.seen.is_some()
    }

    /// Is it a directory?
    pub fn is_directory(&self) -> bool {
        self.kind() == Some(FileType::Directory)
    }

    /// The place for `tree`.
    pub fn entry(&self) -> Entry<'_> {
        Entry { directory: self.directory.as_fd(), name: &self.name }
    }

    /// Opens the directory that is here: this name and no other, whatever it is by now.
    pub fn open_directory(&self) -> Result<OwnedFd, CopyError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&self.directory, &self.name, flags, Mode::empty())
            .map_err(|e| self.failed("open", e))
    }

    /// A call on this place has failed.
    pub fn failed(&self, call: &'static str, errno: Errno) -> CopyError {
        CopyError::Call { call, path: self.path.clone(), cause: errno.into() }
    }
}

/// As many links one after the other as the kernel follows.
const LINKS_MAX: u32 = 40;

/// The place that `path` leads to, links followed to the last.
fn followed(side: &Side<'_>, path: &[u8]) -> Result<Place, Errno> {
    let mut path = path.to_vec();
    for _ in 0..LINKS_MAX {
        let place = Place::new(side, &path)?;
        if place.kind() != Some(FileType::Symlink) {
            return Ok(place);
        }
        let text = rustix::fs::readlinkat(&place.directory, &place.name, Vec::new())?;
        let text = text.as_bytes();
        let cut = path.iter().rposition(|b| *b == b'/').unwrap_or_default();
        path = match text.starts_with(b"/") {
            true => clean(text),
            false => clean(&[&path[..cut], b"/", text].concat()),
        };
    }
    Err(Errno::LOOP)
}

/// What is to be copied; it must be there.
pub fn source(side: &Side<'_>, named: &Named, follow: Follow) -> Result<Place, CopyError> {
    let follows = follow == Follow::Links || named.ending != Ending::Name;
    let place = match follows {
        true => followed(side, &named.path),
        false => Place::new(side, &named.path),
    };
    let place = place.map_err(|errno| match errno {
        Errno::NOENT | Errno::NOTDIR => side.missing(&named.path),
        errno => failed(side, &named.path, errno),
    })?;
    let is_wrong = named.ending != Ending::Name && !place.is_directory();
    if !place.exists() || is_wrong {
        return Err(side.missing(&named.path));
    }
    Ok(place)
}

/// Where it is to go; its directory must be there.
pub fn target(side: &Side<'_>, named: &Named) -> Result<Place, CopyError> {
    let place = followed(side, &named.path).map_err(|errno| match errno {
        Errno::NOENT | Errno::NOTDIR => {
            let cut = named.path.iter().rposition(|b| *b == b'/').unwrap_or_default();
            side.no_parent(&named.path[..cut.max(1)])
        }
        errno => failed(side, &named.path, errno),
    })?;
    match place.kind() {
        Some(FileType::CharacterDevice | FileType::BlockDevice) => {
            Err(CopyError::SpecialTarget(side.shown(&named.path)))
        }
        _ => Ok(place),
    }
}

fn failed(side: &Side<'_>, path: &[u8], errno: Errno) -> CopyError {
    CopyError::Call { call: "open", path: side.shown(path), cause: errno.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which path is meant, how it ends, and which name it has.
    #[test]
    fn paths() {
        let cases = [
            ("/a/b", "/a/b", Ending::Name, "b"),
            ("a//b/", "/base/a/b", Ending::Slash, "b"),
            ("a/.", "/base/a", Ending::Contents, "a"),
            (".", "/base", Ending::Contents, "base"),
            ("..", "/", Ending::Name, ""),
            ("../x", "/x", Ending::Name, "x"),
            ("/", "/", Ending::Slash, ""),
            ("/../../x/./y", "/x/y", Ending::Name, "y"),
            ("", "/base", Ending::Slash, "base"),
        ];
        for (text, path, ending, name) in cases {
            let named = Named::new(text, b"/base");
            assert_eq!(named.path, path.as_bytes(), "{text}");
            assert_eq!((named.ending, named.name()), (ending, name.into()), "{text}");
        }
    }
}
