//! The directory being filled: finding places in it by descriptor, and clearing them.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::directories::Directories;
use super::member::{Place, join};
use super::{LayerError, Unpacked, attributes, inherit};
use crate::image::archive::Attributes;
use crate::tree;

/// A layer in the making.
pub struct Tree {
    layer: Rc<OwnedFd>,
    /// The directory used last: entries come in the order of a walk.
    last: Option<(Vec<u8>, Rc<OwnedFd>)>,
    /// All directories made so far.
    pub directories: Directories,
    /// What was done so far.
    pub done: Unpacked,
}

/// A place whose directory is open.
pub struct Opened {
    /// The directory.
    pub parent: Rc<OwnedFd>,
    /// The name in it.
    pub name: Vec<u8>,
    /// Both as a path, for errors and for what is known of directories.
    pub path: Vec<u8>,
}

/// What is at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A directory.
    Directory,
    /// Overlay's mark: this name is hidden.
    Whiteout,
    /// Anything else.
    Other,
}

/// The mode of a directory that no layer says anything about.
const DEFAULT_MODE: u32 = 0o755;

/// BENEATH and NO_SYMLINKS are the whole defence: whatever entries came before, a path of the
/// archive cannot name anything outside the layer, nor anything inside by way of a link.
const RESOLVE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

impl Tree {
    /// Starts with an empty directory.
    pub fn new(layer: OwnedFd) -> Self {
        Self {
            layer: Rc::new(layer),
            last: None,
            directories: Directories::default(),
            done: Unpacked::default(),
        }
    }

    /// Opens a place; directories that are missing on the way are made.
    pub fn open(&mut self, place: Place) -> Result<Opened, LayerError> {
        let parent = self.directory(&place.directory, &place)?;
        let path = place.path();
        Ok(Opened { parent, name: place.name, path })
    }

    /// Opens a place that must exist already, as the target of a hard link.
    pub fn open_existing(&self, place: Place) -> Result<Opened, LayerError> {
        let path = place.path();
        let parent = match place.directory.as_slice() {
            b"" => self.layer.clone(),
            directory => {
                resolve(&self.layer, directory).map(Rc::new).map_err(|e| unresolved(e, &path))?
            }
        };
        Ok(Opened { parent, name: place.name, path })
    }

    /// Makes sure that a directory exists.
    pub fn ensure_directory(&mut self, path: &[u8]) -> Result<(), LayerError> {
        let place = Place { directory: path.to_vec(), name: b".wh..wh..opq".to_vec() };
        self.directory(path, &place).map(drop)
    }

    fn directory(&mut self, path: &[u8], wanted: &Place) -> Result<Rc<OwnedFd>, LayerError> {
        if path.is_empty() {
            return Ok(self.layer.clone());
        }
        if let Some((last, directory)) = &self.last
            && last == path
        {
            return Ok(directory.clone());
        }
        let directory = match resolve(&self.layer, path) {
            Ok(directory) => Rc::new(directory),
            Err(Errno::NOENT | Errno::NOTDIR) => self.make_directories(path, wanted)?,
            Err(e) => return Err(unresolved(e, &wanted.path())),
        };
        self.last = Some((path.to_vec(), directory.clone()));
        Ok(directory)
    }

    fn make_directories(&mut self, path: &[u8], wanted: &Place) -> Result<Rc<OwnedFd>, LayerError> {
        let mut parent = self.layer.clone();
        let mut so_far = Vec::new();
        for name in path.split(|b| *b == b'/') {
            so_far = join(&so_far, name);
            let here = Opened { parent: parent.clone(), name: name.to_vec(), path: so_far.clone() };
            if matches!(here.look()?, Found::Nothing | Found::Whiteout) {
                self.make_directory(&here)?;
            }
            parent =
                resolve(&parent, name).map(Rc::new).map_err(|e| unresolved(e, &wanted.path()))?;
        }
        Ok(parent)
    }

    /// Makes a directory where none is; what else is there goes.
    ///
    /// Over a whiteout it becomes opaque: the whiteout hid the lower directory, and so must this.
    pub fn make_directory(&mut self, place: &Opened) -> Result<(), LayerError> {
        let found = place.look()?;
        if found == Found::Directory {
            return Ok(());
        }
        if found != Found::Nothing {
            self.clear(place)?;
        }
        fs::mkdirat(&place.parent, &place.name, Mode::RWXU)
            .map_err(|e| LayerError::call("mkdirat", &place.path, e))?;
        let pending = self.directories.add(&place.path)?;
        if found == Found::Whiteout {
            pending.opaque = true;
            pending.attributes = Some(Attributes { mode: DEFAULT_MODE, ..Attributes::default() });
        }
        Ok(())
    }

    /// Makes something at a place with `make`; what was there before goes.
    pub fn make<T>(
        &mut self,
        place: &Opened,
        call: &'static str,
        make: impl Fn(&Opened) -> rustix::io::Result<T>,
    ) -> Result<T, LayerError> {
        let mut made = make(place);
        if made.as_ref().err() == Some(&Errno::EXIST) {
            self.clear(place)?;
            made = make(place);
        }
        made.map_err(|e| LayerError::call(call, &place.path, e))
    }

    /// Removes whatever is at a place.
    pub fn clear(&mut self, place: &Opened) -> Result<(), LayerError> {
        if place.look()? == Found::Directory {
            let name = CString::new(place.name.as_slice())
                .map_err(|_| LayerError::refused(&place.path, "a NUL in its name"))?;
            tree::remove(place.parent.as_fd(), &name)
                .map_err(|e| LayerError::call("remove", &place.path, io::Error::other(e)))?;
            self.directories.forget(&place.path);
            self.last = None;
            return Ok(());
        }
        fs::unlinkat(&place.parent, &place.name, AtFlags::empty())
            .map_err(|e| LayerError::call("unlinkat", &place.path, e))
    }

    /// Gives all directories their attributes: their own, or those of the layers `below`.
    pub fn finish(mut self, below: &[OwnedFd]) -> Result<Unpacked, LayerError> {
        self.directories.add(b"")?;
        for (path, pending) in self.directories.into_leaves_first() {
            let name: &[u8] = if path.is_empty() { b"." } else { &path };
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let directory = fs::openat2(&self.layer, name, flags, Mode::empty(), RESOLVE)
                .map_err(|e| LayerError::call("openat2", &path, e))?;
            if pending.opaque {
                attributes::set_opaque(&directory, &path)?;
            }
            let known = match pending.attributes {
                Some(own) => Some(own),
                None => inherit::inherited(below, &path)?,
            };
            match known {
                Some(known) => {
                    attributes::set(&directory, &known, &path, &mut self.done.left_out)?;
                }
                None => fs::fchmod(&directory, Mode::from_raw_mode(DEFAULT_MODE))
                    .map_err(|e| LayerError::call("fchmod", &path, e))?,
            }
        }
        Ok(self.done)
    }
}

impl Opened {
    /// What is here now?
    pub fn look(&self) -> Result<Found, LayerError> {
        let seen = match fs::statat(&self.parent, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(seen) => seen,
            Err(Errno::NOENT) => return Ok(Found::Nothing),
            Err(e) => return Err(LayerError::call("fstatat", &self.path, e)),
        };
        Ok(match FileType::from_raw_mode(seen.st_mode) {
            FileType::Directory => Found::Directory,
            FileType::CharacterDevice if seen.st_rdev == 0 => Found::Whiteout,
            _ => Found::Other,
        })
    }
}

fn resolve(from: impl AsFd, path: &[u8]) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    fs::openat2(from, path, flags, Mode::empty(), RESOLVE)
}

fn unresolved(error: Errno, path: &[u8]) -> LayerError {
    match error {
        Errno::NOENT => LayerError::refused(path, "its hard link's target is not there"),
        Errno::LOOP => LayerError::refused(path, "its path goes through a symbolic link"),
        Errno::NOTDIR => LayerError::refused(path, "its path goes through what is no directory"),
        Errno::XDEV => LayerError::refused(path, "its path leaves the layer"),
        error => LayerError::call("openat2", path, error),
    }
}
