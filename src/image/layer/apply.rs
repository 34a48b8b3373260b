//! One entry of the archive becomes one thing in the layer.

use std::fs::File;
use std::io::{BufRead, Write};
use std::os::unix::fs::FileExt;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::LayerError;
use super::attributes::{self, Unopened};
use super::member::{self, Member};
use super::tree::{Found, Opened, Tree};
use crate::image::archive::{ArchiveError, Content, Device, Entry, Extent, Kind, Reader};

/// Applies `entry`, whose content is read from `archive`.
pub fn entry<R: BufRead>(
    tree: &mut Tree,
    entry: Entry,
    archive: &mut Reader<R>,
) -> Result<(), LayerError> {
    match member::parse(&entry.path)? {
        Member::Nothing => Ok(()),
        Member::Root if entry.kind == Kind::Directory => {
            tree.directories.describe(b"", entry.attributes)
        }
        Member::Root => Err(LayerError::refused(&entry.path, "the root must be a directory")),
        Member::Opaque(directory) => {
            tree.ensure_directory(&directory)?;
            tree.directories.add(&directory)?.opaque = true;
            Ok(())
        }
        Member::Whiteout(place) => {
            let place = tree.open(place)?;
            whiteout(tree, &place)
        }
        Member::At(place) => {
            let place = tree.open(place)?;
            make(tree, &place, entry, archive)
        }
    }
}

fn make<R: BufRead>(
    tree: &mut Tree,
    place: &Opened,
    entry: Entry,
    archive: &mut Reader<R>,
) -> Result<(), LayerError> {
    match &entry.kind {
        Kind::Directory => {
            tree.make_directory(place)?;
            tree.directories.describe(&place.path, entry.attributes)
        }
        Kind::File(_) => file(tree, place, &entry, archive),
        Kind::HardLink(target) => hard_link(tree, place, target),
        Kind::Symlink(target) => {
            if target.is_empty() {
                return Err(LayerError::refused(&entry.path, "a symbolic link to nothing"));
            }
            tree.make(place, "symlinkat", |p| {
                fs::symlinkat(target.as_slice(), &p.parent, &p.name)
            })?;
            finish_unopened(tree, place, Unopened::Symlink, &entry)
        }
        Kind::Fifo => node(tree, place, &entry, (FileType::Fifo, 0)),
        Kind::CharDevice(Device { major: 0, minor: 0 }) => {
            Err(LayerError::refused(&entry.path, "the character device 0:0 is overlay's own mark"))
        }
        Kind::CharDevice(d) => {
            let number = fs::makedev(d.major, d.minor);
            node(tree, place, &entry, (FileType::CharacterDevice, number))
        }
        Kind::BlockDevice(d) => {
            let number = fs::makedev(d.major, d.minor);
            node(tree, place, &entry, (FileType::BlockDevice, number))
        }
    }
}

/// A whiteout hides what the layers below have at a place, never what this layer has there.
fn whiteout(tree: &mut Tree, place: &Opened) -> Result<(), LayerError> {
    match place.look()? {
        Found::Nothing => {
            let made = fs::mknodat(
                &place.parent,
                &place.name,
                FileType::CharacterDevice,
                Mode::empty(),
                0,
            );
            made.map_err(|e| LayerError::call("mknodat", &place.path, e))
        }
        Found::Directory => {
            tree.directories.add(&place.path)?.opaque = true;
            Ok(())
        }
        Found::Whiteout | Found::Other => Ok(()),
    }
}

fn file<R: BufRead>(
    tree: &mut Tree,
    place: &Opened,
    entry: &Entry,
    archive: &mut Reader<R>,
) -> Result<(), LayerError> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = tree.make(place, "openat", |p| {
        fs::openat(&p.parent, &p.name, flags, Mode::RUSR | Mode::WUSR)
    })?;
    let file = File::from(file);
    match &entry.kind {
        Kind::File(Content::Sparse(extents)) => write_sparse(&file, entry, extents, archive)?,
        _ => write_dense(&file, entry, archive)?,
    }
    tree.done.size_bytes += entry.size_bytes;
    attributes::set(&file, &entry.attributes, &place.path, &mut tree.done.left_out)
}

fn write_dense<R: BufRead>(
    mut file: &File,
    entry: &Entry,
    archive: &mut Reader<R>,
) -> Result<(), LayerError> {
    let mut left = entry.size_bytes;
    let mut body = archive.body();
    while left > 0 {
        let data = next(&mut body, entry)?;
        let length = data.len();
        file.write_all(data).map_err(|e| LayerError::call("write", &entry.path, e))?;
        body.consume(length);
        left -= length as u64;
    }
    Ok(())
}

fn write_sparse<R: BufRead>(
    file: &File,
    entry: &Entry,
    extents: &[Extent],
    archive: &mut Reader<R>,
) -> Result<(), LayerError> {
    let mut body = archive.body();
    for extent in extents {
        let (mut at, mut left) = (extent.offset, extent.length);
        while left > 0 {
            let data = next(&mut body, entry)?;
            let length = data.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            file.write_all_at(&data[..length], at)
                .map_err(|e| LayerError::call("pwrite", &entry.path, e))?;
            body.consume(length);
            at += length as u64;
            left -= length as u64;
        }
    }
    file.set_len(entry.size_bytes).map_err(|e| LayerError::call("ftruncate", &entry.path, e))
}

fn next<'a>(body: &'a mut impl BufRead, entry: &Entry) -> Result<&'a [u8], LayerError> {
    let data = body.fill_buf().map_err(ArchiveError::Read)?;
    if data.is_empty() {
        let within = String::from_utf8_lossy(&entry.path).into_owned();
        return Err(ArchiveError::Truncated { within }.into());
    }
    Ok(data)
}

/// The target is a path of the archive like any other: resolved below the layer, no links.
fn hard_link(tree: &mut Tree, place: &Opened, target: &[u8]) -> Result<(), LayerError> {
    let Member::At(target) = member::parse(target)? else {
        return Err(LayerError::refused(&place.path, "a hard link to what can have none"));
    };
    let target = tree.open_existing(target)?;
    match target.look()? {
        Found::Other => {}
        Found::Nothing => {
            return Err(LayerError::refused(&place.path, "its hard link's target is not there"));
        }
        Found::Directory | Found::Whiteout => {
            return Err(LayerError::refused(&place.path, "a hard link to what can have none"));
        }
    }
    if target.path == place.path {
        return Ok(());
    }
    tree.make(place, "linkat", |p| {
        fs::linkat(&target.parent, &target.name, &p.parent, &p.name, AtFlags::empty())
    })
}

fn node(
    tree: &mut Tree,
    place: &Opened,
    entry: &Entry,
    (kind, device): (FileType, u64),
) -> Result<(), LayerError> {
    let mut refused = false;
    tree.make(place, "mknodat", |p| {
        let mode = Mode::RUSR | Mode::WUSR;
        fs::mknodat(&p.parent, &p.name, kind, mode, device)
    })
    .or_else(|e| match &e {
        LayerError::Call { source, .. }
            if kind != FileType::Fifo && Errno::from_io_error(source) == Some(Errno::PERM) =>
        {
            refused = true;
            Ok(())
        }
        _ => Err(e),
    })?;
    if refused {
        tree.done.left_out.devices += 1;
        return Ok(());
    }
    finish_unopened(tree, place, Unopened::Node, entry)
}

fn finish_unopened(
    tree: &mut Tree,
    place: &Opened,
    what: Unopened,
    entry: &Entry,
) -> Result<(), LayerError> {
    let at = (place.parent.as_ref(), place.name.as_slice());
    attributes::set_at(at, what, &entry.attributes, &mut tree.done.left_out)
}
