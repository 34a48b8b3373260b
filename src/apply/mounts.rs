//! The operations on mount trees and what is made in them.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::outcome::{Fault, Outcome, Taken};
use super::pin::{self, Last};
use super::table::{Origin, Table};
use crate::config::mount_option::attribute;
use crate::config::path::{HostPath, RootPath};
use crate::config::propagation::Propagation;
use crate::facts::Seen;
use crate::plan::step::{Change, Missing, NodeKind, NodeSpec, Op, Parameter, Slot, Source};
use crate::sys::mount::{self as sys, AttributeChange, Recursion, UserNamespace};
use crate::sys::path::{self, Links};

/// Carries `op` out if it is one of ours.
pub fn perform(table: &mut Table, op: &Op) -> Option<Outcome> {
    Some(match op {
        Op::OpenPlace { place, path } => open_place(table, *place, path),
        Op::ExpectDevice { place, kind, device } => expect_device(table, *place, (*kind, *device)),
        Op::ExpectFilesystem { place, magic, name } => {
            expect_filesystem(table, *place, *magic, name)
        }
        Op::CloneTree { tree, source, recursion } => {
            clone_tree(table, source, *recursion).map(|file| put(table, *tree, file))
        }
        Op::OpenMounts { tree } => {
            sys::open_root_place().map_err(Fault::from).map(|file| put(table, *tree, file))
        }
        Op::NewFilesystem { context, kind } => {
            sys::fsopen(kind).map_err(Fault::from).map(|file| put(table, *context, file))
        }
        Op::Configure { context, key, value } => configure(table, *context, (key, value)),
        Op::CreateFilesystem { context } => create(table, *context),
        Op::MountDetached { context, tree, attributes } => {
            mount_detached(table, *context, *attributes).map(|file| put(table, *tree, file))
        }
        Op::SetAttributes { tree, change, recursion } => {
            set_attributes(table, *tree, change, *recursion)
        }
        Op::CopyUp { from, tree } => copy_up(table, *from, *tree),
        Op::Pin { place, root, path, links, missing } => {
            pin_place(table, *root, (path, *links), *missing)
                .map(|pinned| put_pinned(table, *place, pinned))
        }
        Op::Attach { tree, place } => attach(table, *tree, *place),
        Op::MakeNode { directory, node } => make_node(table, *directory, node),
        Op::MakeFile { directory, place, name } => {
            make_file(table, *directory, name).map(|file| put(table, *place, file))
        }
        Op::MakeLink { directory, name, target } => make_link(table, *directory, (name, target)),
        Op::Mask { root, path, null, empty } => mask(table, *root, path, (*null, *empty)),
        Op::ReadOnlyPath { root, path } => read_only_path(table, *root, path),
        _ => return None,
    })
}

fn put(table: &mut Table, slot: Slot, file: OwnedFd) -> Taken {
    table.put(slot, file);
    Taken::Done
}

fn put_pinned(table: &mut Table, slot: Slot, pinned: pin::Pinned) -> Taken {
    let origin = if pinned.made { Origin::Made } else { Origin::Found };
    table.put_from(slot, pinned.place, origin);
    if pinned.made { Taken::Made } else { Taken::Done }
}

fn open_place(table: &mut Table, place: Slot, path: &HostPath) -> Outcome {
    Ok(put(table, place, path::open_place(CWD, path.as_path())?))
}

fn file_type(kind: NodeKind) -> FileType {
    match kind {
        NodeKind::Character => FileType::CharacterDevice,
        NodeKind::Block => FileType::BlockDevice,
        NodeKind::Fifo => FileType::Fifo,
    }
}

fn expect_device(table: &Table, place: Slot, (kind, device): (NodeKind, (u32, u32))) -> Outcome {
    let seen = path::node(table.get(place)?)?;
    if seen.kind == file_type(kind) && seen.device == device {
        return Ok(Taken::Done);
    }
    let ((major, minor), found) = (seen.device, seen.kind);
    let wanted = if kind == NodeKind::Block { "block" } else { "character" };
    Err(Fault::refused(
        Errno::NODEV,
        format!(
            "it is not the {wanted} device {}:{} but a {found:?} {major}:{minor}",
            device.0, device.1
        ),
    ))
}

fn expect_filesystem(table: &Table, place: Slot, magic: u64, name: &str) -> Outcome {
    if path::filesystem_magic(table.get(place)?)? == magic {
        return Ok(Taken::Done);
    }
    Err(Fault::refused(Errno::PERM, format!("it is not on a {name} file system")))
}

fn clone_tree(table: &Table, source: &Source, recursion: Recursion) -> Result<OwnedFd, Fault> {
    Ok(match source {
        Source::Host(path) => sys::clone_tree(CWD, path.as_path(), recursion)?,
        Source::Seen { path, seen } => {
            let tree = sys::clone_tree(CWD, path.as_path(), recursion)?;
            expect_seen(&tree, *seen)?;
            tree
        }
        Source::Place(place) => sys::clone_tree_at(table.get(*place)?, recursion)?,
        Source::InRoot { root, path } => {
            let place =
                path::open_in_root(table.get(*root)?, Path::new(path.as_str()), Links::InRoot)?;
            sys::clone_tree_at(place, recursion)?
        }
        Source::Beneath { directory, path } => {
            let directory = path::open_place(CWD, directory.as_path())?;
            let place =
                path::open_beneath_exact(directory, Path::new(path.relative()), OFlags::PATH)?;
            sys::clone_tree_at(place, recursion)?
        }
    })
}

/// The plan was made for what was there then: where it goes, who opens it, what may be cleared.
fn expect_seen(tree: &OwnedFd, seen: Seen) -> Result<(), Fault> {
    if seen.alike(tree)? == seen {
        return Ok(());
    }
    Err(Fault::refused(Errno::STALE, "it was exchanged for another after it had been checked"))
}

/// An error of a file system context, with what the kernel says about it.
fn with_kernel_words(context: impl AsFd, errno: Errno) -> Fault {
    let words = String::from_utf8_lossy(&sys::kernel_words(context)).into_owned();
    // The kernel marks the kind of message: `e ` is an error.
    let words = words.strip_prefix("e ").map(str::to_owned).unwrap_or(words);
    Fault { errno, words }
}

fn configure(table: &Table, context: Slot, (key, value): (&str, &Parameter)) -> Outcome {
    let context = table.get(context)?;
    let answer = match value {
        Parameter::Flag => sys::fsconfig_flag(context, key),
        Parameter::Text(text) => sys::fsconfig_string(context, key, text),
        Parameter::ModeOf(place) => {
            // V3.09: a directory that had to be made may be used by everybody, as /tmp is.
            let mode =
                if table.was_made(*place) { 0o1777 } else { path::node(table.get(*place)?)?.mode };
            sys::fsconfig_string(context, key, &format!("{mode:o}"))
        }
        Parameter::Directory(place) => sys::fsconfig_fd(context, key, table.get(*place)?),
        Parameter::DirectoryPath(place) => {
            let text = format!("/proc/self/fd/{}", table.get(*place)?.as_raw_fd());
            sys::fsconfig_string(context, key, &text)
        }
    };
    answer.map(|()| Taken::Done).map_err(|errno| with_kernel_words(context, errno))
}

fn create(table: &Table, context: Slot) -> Outcome {
    let context = table.get(context)?;
    match sys::fsconfig_create(context) {
        Ok(()) => Ok(Taken::Done),
        Err(errno) => Err(with_kernel_words(context, errno)),
    }
}

fn mount_detached(table: &Table, context: Slot, attributes: u64) -> Result<OwnedFd, Fault> {
    let context = table.get(context)?;
    sys::fsmount(context, attributes).map_err(|errno| with_kernel_words(context, errno))
}

fn set_attributes(table: &Table, tree: Slot, change: &Change, recursion: Recursion) -> Outcome {
    let idmap = match change.idmap {
        Some(user) => Some(UserNamespace(table.get(user)?)),
        None => None,
    };
    let change = AttributeChange {
        set: change.attributes.set,
        clear: change.attributes.clear,
        propagation: change.propagation.map_or(0, |p| p.flag()),
        idmap,
    };
    sys::set_attributes(table.get(tree)?, change, recursion)?;
    Ok(Taken::Done)
}

/// What the target holds goes into the new tmpfs (`tmpcopyup`).
fn copy_up(table: &Table, from: Slot, tree: Slot) -> Outcome {
    let open = |place: Slot| -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(table.get(place)?, ".", flags, Mode::empty())
    };
    let (from, to) = (open(from)?, open(tree)?);
    crate::tree::copy(from.as_fd(), to.as_fd(), crate::tree::SourceKind::Tree).map_err(
        |error| {
            let errno = error.errno().map_or(Errno::IO, Errno::from_raw_os_error);
            Fault::refused(errno, error.to_string())
        },
    )?;
    Ok(Taken::Done)
}

fn pin_place(
    table: &Table,
    root: Slot,
    (path, links): (&RootPath, Links),
    missing: Missing,
) -> Result<pin::Pinned, Fault> {
    let last = || {
        Ok(match missing {
            Missing::Fails => None,
            Missing::MakeDirectory => Some(Last::Directory),
            Missing::MakeFile => Some(Last::File),
            Missing::MakeLike(tree) => Some(match path::node(table.get(tree)?)?.kind {
                FileType::Directory => Last::Directory,
                _ => Last::File,
            }),
        })
    };
    pin::pin(table.get(root)?, path, links, last).map_err(|errno| match (errno, links) {
        (Errno::LOOP, Links::Refused) => Fault::refused(
            errno,
            format!("{path} must be mounted on ordinary directory, and is a symbolic link"),
        ),
        _ => errno.into(),
    })
}

fn attach(table: &Table, tree: Slot, place: Slot) -> Outcome {
    let (tree, place) = (table.get(tree)?, table.get(place)?);
    sys::attach(tree, place).map_err(|errno| match errno {
        // do_move_mount: a directory goes onto a directory, all else onto all else.
        Errno::NOTDIR | Errno::INVAL if is_directory(tree) != is_directory(place) => {
            Fault::refused(
                Errno::NOTDIR,
                "not a directory: Are you trying to mount a directory onto a file (or vice-versa)? \
             Check if the specified host path exists and is the expected type",
            )
        }
        // ENOSPC here is the namespace's mount limit, not disk space (Linux 4.9).
        Errno::NOSPC => Fault::refused(
            errno,
            "the namespace has as many mounts as /proc/sys/fs/mount-max allows",
        ),
        _ => errno.into(),
    })?;
    Ok(Taken::Done)
}

fn is_directory(file: impl AsFd) -> bool {
    path::node(file).is_ok_and(|node| node.kind == FileType::Directory)
}

fn make_node(table: &Table, directory: Slot, node: &NodeSpec) -> Outcome {
    let directory = table.get(directory)?;
    let kind = file_type(node.kind);
    let device = rustix::fs::makedev(node.device.0, node.device.1);
    let mode = Mode::from_raw_mode(node.mode);
    let name = OsStr::new(&node.name);
    match rustix::fs::mknodat(directory, name, kind, mode, device) {
        Ok(()) => {}
        Err(Errno::EXIST) => {
            let found = path::node(path::open_entry(directory, name)?)?;
            let same =
                found.kind == kind && (kind == FileType::Fifo || found.device == node.device);
            return if same { Ok(Taken::WasThere) } else { Err(Errno::EXIST.into()) };
        }
        Err(errno) => return Err(errno.into()),
    }
    if node.owner != (0, 0) || node.mode & 0o7000 != 0 {
        path::set_owner_and_mode(directory, name, node.owner, node.mode)?;
    }
    Ok(Taken::Done)
}

fn make_file(table: &Table, directory: Slot, name: &str) -> Result<OwnedFd, Fault> {
    let directory = table.get(directory)?;
    match path::make_file(directory, OsStr::new(name), 0o644) {
        Err(Errno::EXIST) | Ok(()) => {}
        Err(errno) => return Err(errno.into()),
    }
    let place = path::open_entry(directory, OsStr::new(name))?;
    match path::node(&place)?.kind {
        FileType::Symlink => Err(Errno::LOOP.into()),
        _ => Ok(place),
    }
}

fn make_link(table: &Table, directory: Slot, (name, target): (&str, &str)) -> Outcome {
    match rustix::fs::symlinkat(target, table.get(directory)?, name) {
        Ok(()) => Ok(Taken::Done),
        Err(Errno::EXIST) => Ok(Taken::WasThere),
        Err(errno) => Err(errno.into()),
    }
}

/// The place to protect; `None` where there is nothing.
fn protected(table: &Table, root: Slot, path: &RootPath) -> Result<Option<OwnedFd>, Fault> {
    match path::open_in_root(table.get(root)?, Path::new(path.as_str()), Links::Refused) {
        Ok(place) => Ok(Some(place)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(Errno::LOOP) => Err(Fault::refused(Errno::LOOP, format!("{path} is a symbolic link"))),
        Err(errno) => Err(errno.into()),
    }
}

fn mask(table: &Table, root: Slot, path: &RootPath, (null, empty): (Slot, Slot)) -> Outcome {
    let Some(place) = protected(table, root, path)? else { return Ok(Taken::SkippedAbsent) };
    if is_directory(&place) {
        let tree = sys::clone_tree_at(table.get(empty)?, Recursion::TopOnly)?;
        sys::attach(tree, place)?;
        return Ok(Taken::HidDirectory);
    }
    let tree = sys::clone_tree_at(table.get(null)?, Recursion::TopOnly)?;
    // The node is the host's own: a chmod in the container would reach the whole machine. And the
    // clone is a slave of the host's mount until it is told otherwise.
    let propagation = Propagation::Private.flag();
    let change =
        AttributeChange { set: attribute::RDONLY, propagation, ..AttributeChange::default() };
    sys::set_attributes(&tree, change, Recursion::TopOnly)?;
    sys::attach(tree, place)?;
    Ok(Taken::HidFile)
}

fn read_only_path(table: &Table, root: Slot, path: &RootPath) -> Outcome {
    let Some(place) = protected(table, root, path)? else { return Ok(Taken::SkippedAbsent) };
    let tree = sys::clone_tree_at(&place, Recursion::Recursive)?;
    let change = AttributeChange { set: attribute::RDONLY, ..AttributeChange::default() };
    sys::set_attributes(&tree, change, Recursion::Recursive)?;
    sys::attach(tree, place)?;
    Ok(Taken::Done)
}
