//! Reading /etc/passwd and /etc/group of a container: bounded, and never by a library of its.
//!
//! The files belong to the image, so they may be anything: a fifo, a device, ten gigabytes of
//! nothing (CVE-2024-9676). They are opened without blocking, must be regular, and are read up to
//! a limit. glibc's getpwnam would load modules that the container names (CVE-2019-14271).

use std::io::Read;
use std::path::Path;

use rustix::fs::{CWD, FileType, OFlags};

/// More than any real passwd has; the rest is not looked at.
const LIMIT_BYTES: u64 = 1 << 20;

/// One line of passwd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The user id.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// The home directory.
    pub home: String,
}

/// One line of group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The name.
    pub name: String,
    /// The group id.
    pub gid: u32,
    /// Who is in it beside those whose primary group it is.
    pub members: Vec<String>,
}

/// The lines of passwd that are well-formed.
pub fn users(text: &str) -> impl Iterator<Item = User> + '_ {
    text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let home = fields.nth(1)?;
        let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
        Some(User { name: name.into(), uid, gid, home: home.into() })
    })
}

/// The lines of group that are well-formed.
pub fn groups(text: &str) -> impl Iterator<Item = Group> + '_ {
    text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _, gid) = (fields.next()?, fields.next()?, fields.next()?);
        let members = fields.next().unwrap_or_default().split(',').filter(|m| !m.is_empty());
        let gid = gid.parse().ok()?;
        Some(Group { name: name.into(), gid, members: members.map(Into::into).collect() })
    })
}

/// Reads a small file below `root`; links stay inside. `None` if it is missing or no file.
pub fn read_in_root(root: impl std::os::fd::AsFd, path: &str) -> Option<String> {
    let file = crate::sys::path::open_file_in_root(root, Path::new(path), OFlags::RDONLY).ok()?;
    let seen = crate::sys::path::node(&file).ok()?;
    if seen.kind != FileType::RegularFile {
        return None;
    }
    // Most are shorter, and one read(2) takes them.
    let mut bytes = Vec::with_capacity(4096);
    std::fs::File::from(file).take(LIMIT_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The home directory of `uid` in the passwd below `/`; `/` for one that it does not know.
pub fn home_of(uid: u32) -> String {
    let known = crate::sys::path::open_place(CWD, Path::new("/"))
        .ok()
        .and_then(|root| read_in_root(root, "/etc/passwd"))
        .and_then(|text| users(&text).find(|user| user.uid == uid).map(|user| user.home));
    known.filter(|home| !home.is_empty() && !home.contains('\n')).unwrap_or_else(|| "/".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines that are no entries are passed over, also ones that a bad id would make.
    #[test]
    fn only_well_formed_lines_count() {
        let text =
            "root:x:0:0:root:/root:/bin/sh\n# no\nbad:x:-1:0::/:\n1000:x:0:0::/:\napp:x:7:8:A::\n";
        let names: Vec<_> = users(text).map(|user| (user.name, user.uid)).collect();
        assert_eq!(names, [("root".into(), 0), ("1000".into(), 0), ("app".into(), 7)]);
        let groups: Vec<_> = groups("extra:x:2000:app,root\nbin:x:1\n").collect();
        assert_eq!(groups[0].members, ["app", "root"]);
        assert_eq!(groups[1].gid, 1);
    }

    /// A passwd that is a fifo, a device or missing is as if it were not there, and nobody waits.
    #[test]
    fn what_is_no_file_is_not_read() -> std::io::Result<()> {
        let root = tempfile::tempdir()?;
        let place = crate::sys::path::open_place(CWD, root.path())?;
        assert_eq!(read_in_root(&place, "/etc/passwd"), None);
        rustix::fs::mknodat(&place, "fifo", FileType::Fifo, 0o644.into(), 0)?;
        assert_eq!(read_in_root(&place, "/fifo"), None);
        std::fs::write(root.path().join("link-target"), "x:x:1:1::/h:")?;
        std::os::unix::fs::symlink("/link-target", root.path().join("link"))?;
        assert!(read_in_root(&place, "/link").is_some());
        Ok(())
    }
}
