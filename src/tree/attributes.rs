//! Owner, mode, extended attributes and times of what was copied, with as few calls as are right.
//!
//! The order matters: a change of owner clears setuid bits and file capabilities, a change of
//! mode touches ACLs, and everything touches ctime, so it is owner, mode, xattrs, times. Data was
//! written before all of them, because writing clears file capabilities too.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;

use super::SourceKind;
use super::descent::{magic_link, open_one};
use super::manner::{Existing, Manner, Owners};

/// A call that failed; the caller knows the path.
pub(super) type Step<T> = Result<T, (&'static str, Errno)>;

/// The most bytes that a list of names or a value can have (XATTR_LIST_MAX, XATTR_SIZE_MAX).
const XATTR_MAX: usize = 64 * 1024;

/// What new files look like before anything is set, and room for extended attributes.
pub(super) struct Attributes {
    manner: Manner,
    umask: u32,
    /// Owner and group that a new file has by itself; `None` until the first was seen.
    new_owner: Option<(u32, u32)>,
    source_has_xattrs: bool,
    names: Vec<u8>,
    value: Vec<u8>,
}

impl Attributes {
    pub(super) fn new(manner: Manner) -> Self {
        Self {
            manner,
            umask: umask(),
            new_owner: None,
            source_has_xattrs: true,
            names: vec![0; XATTR_MAX],
            value: vec![0; XATTR_MAX],
        }
    }

    /// The mode to create a file with: never with set-id bits, its owner is not right yet.
    pub(super) fn create_mode(stat: &Stat) -> Mode {
        Mode::from_raw_mode(stat.st_mode & 0o777)
    }

    /// The mode in the end.
    fn mode(&self, stat: &Stat) -> Mode {
        let kind = FileType::from_raw_mode(stat.st_mode);
        Mode::from_raw_mode(match (self.manner.owners, kind) {
            (Owners::Kept, _) => stat.st_mode & 0o7777,
            (Owners::Ours, FileType::CharacterDevice | FileType::BlockDevice) => {
                stat.st_mode & 0o600
            }
            (Owners::Ours, _) => stat.st_mode & 0o1777,
        })
    }

    /// Gives the new regular file `to` all that `from` has.
    pub(super) fn finish_file(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        stat: &Stat,
    ) -> Step<()> {
        if self.manner.owners == Owners::Kept && !self.is_owned_as_new(to, stat)? {
            chown(to, stat)?;
        }
        if stat.st_mode & (0o7000 | self.umask) != 0 {
            chmod(to, self.mode(stat))?;
        }
        self.copy_xattrs(from, to)?;
        rustix::fs::futimens(to, &times(stat)).map_err(|e| ("utimensat", e))
    }

    /// Gives the directory `to` all that `from` has, once its content is there.
    pub(super) fn finish_directory(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        stat: &Stat,
    ) -> Step<()> {
        if self.manner.owners == Owners::Kept {
            chown(to, stat)?;
        }
        chmod(to, self.mode(stat))?;
        self.copy_xattrs(from, to)?;
        rustix::fs::futimens(to, &times(stat)).map_err(|e| ("utimensat", e))
    }

    /// Gives the new symbolic link or special file `name` all that its source has.
    pub(super) fn finish_node(
        &mut self,
        from: (BorrowedFd<'_>, &CStr),
        (directory, name): (BorrowedFd<'_>, &CStr),
        stat: &Stat,
    ) -> Step<()> {
        let (uid, gid) = owner(stat);
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        if self.manner.owners == Owners::Kept {
            rustix::fs::chownat(directory, name, Some(uid), Some(gid), nofollow)
                .map_err(|e| ("fchownat", e))?;
        }
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            // chmod without following links came in 6.6; a path descriptor does it on any.
            let node = open_one(directory, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC)
                .map_err(|e| ("openat2", e))?;
            let seen = rustix::fs::fstat(&node).map_err(|e| ("fstat", e))?;
            if FileType::from_raw_mode(seen.st_mode) != FileType::from_raw_mode(stat.st_mode) {
                return Err(("fstat", Errno::STALE));
            }
            rustix::fs::chmod(magic_link(&node), self.mode(stat)).map_err(|e| ("chmod", e))?;
        }
        self.copy_node_xattrs(from, (directory, name))?;
        rustix::fs::utimensat(directory, name, &times(stat), nofollow).map_err(|e| ("utimensat", e))
    }

    /// Nothing that the target directory had before may reach the files made in it: a default
    /// ACL and the set-group-id bit would.
    pub(super) fn prepare_top(&self, top: BorrowedFd<'_>) -> Step<()> {
        match rustix::fs::fremovexattr(top, c"system.posix_acl_default") {
            Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
            Err(e) => return Err(("fremovexattr", e)),
        }
        let mode = rustix::fs::fstat(top).map_err(|e| ("fstat", e))?.st_mode;
        if mode & 0o2000 != 0 {
            rustix::fs::fchmod(top, Mode::from_raw_mode(mode & 0o5777))
                .map_err(|e| ("fchmod", e))?;
        }
        Ok(())
    }

    /// The first new file shows what owner a new file gets here: not always the effective one
    /// (mount options, idmapped mounts).
    fn is_owned_as_new(&mut self, to: BorrowedFd<'_>, stat: &Stat) -> Step<bool> {
        if self.manner.existing == Existing::Merged {
            // Directories that were there may have the set-group-id bit, each another group's.
            return Ok(false);
        }
        let new = match self.new_owner {
            Some(new) => new,
            None => {
                let seen = rustix::fs::fstat(to).map_err(|e| ("fstat", e))?;
                *self.new_owner.insert((seen.st_uid, seen.st_gid))
            }
        };
        Ok(new == (stat.st_uid, stat.st_gid))
    }

    fn copy_xattrs(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Step<()> {
        if !self.source_has_xattrs {
            return Ok(());
        }
        let len = match rustix::fs::flistxattr(from, &mut self.names[..]) {
            Ok(len) => len,
            Err(Errno::OPNOTSUPP) => {
                self.source_has_xattrs = false;
                return Ok(());
            }
            Err(e) => return Err(("flistxattr", e)),
        };
        for name in wanted(&self.names[..len], self.manner) {
            let value_len = match rustix::fs::fgetxattr(from, name, &mut self.value[..]) {
                Ok(len) => len,
                Err(Errno::NODATA) => continue,
                Err(e) => return Err(("fgetxattr", e)),
            };
            let value = &self.value[..value_len];
            match rustix::fs::fsetxattr(to, name, value, XattrFlags::empty()) {
                Ok(()) | Err(Errno::OPNOTSUPP) => {}
                Err(e) => return Err(("fsetxattr", e)),
            }
        }
        Ok(())
    }

    /// The same where a file cannot be opened: by the magic links of its directories.
    fn copy_node_xattrs(
        &mut self,
        from: (BorrowedFd<'_>, &CStr),
        to: (BorrowedFd<'_>, &CStr),
    ) -> Step<()> {
        if !self.source_has_xattrs {
            return Ok(());
        }
        let path = |(directory, name): (BorrowedFd<'_>, &CStr)| {
            super::joined(magic_link(directory).as_bytes(), name.to_bytes())
        };
        let source = path(from);
        let len = match rustix::fs::llistxattr(&source[..], &mut self.names[..]) {
            Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(()),
            Ok(len) => len,
            Err(e) => return Err(("llistxattr", e)),
        };
        for name in wanted(&self.names[..len], self.manner) {
            let value_len = rustix::fs::lgetxattr(&source[..], name, &mut self.value[..])
                .map_err(|e| ("lgetxattr", e))?;
            let value = &self.value[..value_len];
            match rustix::fs::lsetxattr(&path(to)[..], name, value, XattrFlags::empty()) {
                Ok(()) | Err(Errno::OPNOTSUPP) => {}
                Err(e) => return Err(("lsetxattr", e)),
            }
        }
        Ok(())
    }
}

/// The names in a list of extended attributes that belong to the file, not to the overlay
/// that a layer was written through.
fn wanted(list: &[u8], manner: Manner) -> impl Iterator<Item = &[u8]> {
    list.split(|b| *b == 0).filter(move |name| {
        let of_overlay =
            name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.");
        let fits = manner.owners == Owners::Kept || name.starts_with(b"user.");
        !name.is_empty() && fits && !(manner.kind == SourceKind::Layer && of_overlay)
    })
}

fn owner(stat: &Stat) -> (Uid, Gid) {
    (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid))
}

fn chown(to: BorrowedFd<'_>, stat: &Stat) -> Step<()> {
    let (uid, gid) = owner(stat);
    rustix::fs::fchown(to, Some(uid), Some(gid)).map_err(|e| ("fchown", e))
}

fn chmod(to: BorrowedFd<'_>, mode: Mode) -> Step<()> {
    rustix::fs::fchmod(to, mode).map_err(|e| ("fchmod", e))
}

fn times(stat: &Stat) -> Timestamps {
    let nsec = |n| i64::try_from(n).unwrap_or_default();
    Timestamps {
        last_access: Timespec { tv_sec: stat.st_atime, tv_nsec: nsec(stat.st_atime_nsec) },
        last_modification: Timespec { tv_sec: stat.st_mtime, tv_nsec: nsec(stat.st_mtime_nsec) },
    }
}

/// The process's umask, read without changing it (umask(2) cannot); where it cannot be read,
/// every mode is set explicitly.
fn umask() -> u32 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
            u32::from_str_radix(line.trim(), 8).ok()
        })
        .unwrap_or(0o777)
}
