//! Trees as they come: every kind of file, hostile shapes, depth.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags, mkdirat, mknodat,
};

use super::testing::{in_mount_namespace, is_root};
use super::*;

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// For tests of many files: a file system without a journal, where there is one.
fn quick_scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| scratch())
}

fn open(path: &Path) -> File {
    File::open(path).unwrap()
}

fn copied(from: &Path, to: &Path, kind: SourceKind) -> Result<Copied, TreeError> {
    copy(open(from).as_fd(), open(to).as_fd(), kind)
}

fn set_times(path: &Path, seconds: i64) {
    let time = |tv_nsec| Timespec { tv_sec: seconds, tv_nsec };
    let times = Timestamps { last_access: time(987_654_321), last_modification: time(123_456_789) };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

fn set_xattr(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::lsetxattr(path, name, value, XattrFlags::empty()).unwrap();
}

/// Everything about a file that a copy must keep, as text.
fn description(path: &Path) -> String {
    let seen = fs::symlink_metadata(path).unwrap();
    let mut names = vec![0; 4096];
    let length = rustix::fs::llistxattr(path, &mut names[..]).unwrap();
    let mut xattrs = BTreeMap::new();
    for name in names[..length].split(|b| *b == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 4096];
        let length = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
        xattrs.insert(String::from_utf8_lossy(name).into_owned(), value[..length].to_vec());
    }
    let content = match FileType::from_raw_mode(seen.mode()) {
        FileType::RegularFile => format!("{:?}", fs::read(path).unwrap().iter().max()),
        FileType::Symlink => format!("{:?}", fs::read_link(path).unwrap()),
        _ => String::new(),
    };
    let length = if seen.is_dir() { 0 } else { seen.size() };
    let links = if seen.is_dir() { 0 } else { seen.nlink() };
    format!(
        "{:o} {}:{} {:?} {length} {links} {}.{} {}.{} {content} {xattrs:?}",
        seen.mode(),
        seen.uid(),
        seen.gid(),
        (rustix::fs::major(seen.rdev()), rustix::fs::minor(seen.rdev())),
        seen.mtime(),
        seen.mtime_nsec(),
        seen.atime(),
        seen.atime_nsec(),
    )
}

fn paths(top: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    let mut at = 0;
    while at < found.len() {
        let here = top.join(&found[at]);
        if fs::symlink_metadata(&here).unwrap().is_dir() {
            for entry in fs::read_dir(&here).unwrap() {
                found.push(found[at].join(entry.unwrap().file_name()));
            }
        }
        at += 1;
    }
    found.sort();
    found
}

/// One of each: V5.02, V5.03.
fn one_of_each(top: &Path) {
    let at = |name: &str| top.join(name);
    fs::create_dir_all(at("dir/sub")).unwrap();
    fs::create_dir(at("empty")).unwrap();
    fs::write(at("a"), "text").unwrap();
    fs::write(at("suid"), "#!").unwrap();
    fs::write(at("dir/sub/deep"), vec![7; 300_000]).unwrap();
    fs::write(at(".hidden"), "").unwrap();
    fs::hard_link(at("a"), at("dir/hard")).unwrap();
    fs::hard_link(at("dir/sub/deep"), at("dir/sub/deep2")).unwrap();
    symlink("a", at("sym")).unwrap();
    symlink("/etc", at("dir/outside")).unwrap();
    fs::hard_link(at("sym"), at("sym2")).unwrap();
    let made = [
        ("fifo", FileType::Fifo, 0),
        ("socket", FileType::Socket, 0),
        ("chr", FileType::CharacterDevice, rustix::fs::makedev(1, 3)),
        ("blk", FileType::BlockDevice, rustix::fs::makedev(7, 200)),
    ];
    for (name, kind, device) in made {
        mknodat(CWD, at(name), kind, Mode::from_raw_mode(0o644), device).unwrap();
    }
    let odd = top.join(std::ffi::OsStr::from_bytes(b"not \xff utf8\n"));
    fs::write(&odd, "x").unwrap();
    let owners = [("a", 1000), ("dir", 1001), ("sym", 5), ("fifo", 6), ("suid", 0), ("chr", 8)];
    for (name, id) in owners {
        let (uid, gid) = (Some(Uid::from_raw(id)), Some(Gid::from_raw(id + 1)));
        rustix::fs::chownat(CWD, at(name), uid, gid, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }
    let modes = [("suid", 0o6755), ("a", 0o640), ("dir", 0o3751), ("fifo", 0o666), ("chr", 0o2602)];
    for (name, mode) in modes {
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    set_xattr(&at("a"), "user.foo", b"bar");
    set_xattr(&at("dir"), "user.dir", b"\0\xff");
    set_xattr(&at("sym"), "trusted.on_link", b"1");
    set_xattr(&at("fifo"), "trusted.on_fifo", b"2");
    // cap_net_bind_service+ep, as setcap(8) writes it.
    let capability = b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    set_xattr(&at("suid"), "security.capability", capability);
    // user::rw- user:1:r-- group::r-- mask::r-- other::---, and a default for what comes in.
    let acl = [
        &b"\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff"[..],
        b"\x02\0\x04\0\x01\0\0\0\x04\0\x04\0\xff\xff\xff\xff",
        b"\x10\0\x04\0\xff\xff\xff\xff\x20\0\0\0\xff\xff\xff\xff",
    ]
    .concat();
    set_xattr(&at("dir/sub/deep"), "system.posix_acl_access", &acl);
    set_xattr(&at("dir/sub"), "system.posix_acl_default", &acl);
    let mut all = paths(top);
    all.reverse();
    for (number, path) in all.iter().enumerate() {
        set_times(&top.join(path), 981_173_106 + i64::try_from(number).unwrap());
    }
}

/// V5.02, V5.03: owner, mode with its high bits, times to the nanosecond, xattrs, ACLs, file
/// capabilities, links, devices, names that are no text; also those of the top.
#[test]
fn a_copy_keeps_everything() {
    if !is_root("tree::tests::a_copy_keeps_everything") {
        return;
    }
    let (from, to) = (scratch(), scratch());
    one_of_each(from.path());
    set_xattr(from.path(), "user.top", b"t");
    fs::set_permissions(from.path(), fs::Permissions::from_mode(0o2770)).unwrap();
    set_times(from.path(), 999_999_999);
    // What the target has must not reach the copies.
    fs::set_permissions(to.path(), fs::Permissions::from_mode(0o2777)).unwrap();
    let before: Vec<String> =
        paths(from.path()).iter().map(|p| description(&from.path().join(p))).collect();
    let names = paths(from.path());
    for (path, number) in names.iter().rev().zip(0..) {
        set_times(&from.path().join(path), 981_173_106 + number);
    }
    let expected: Vec<String> = names
        .iter()
        .map(|path| fs::symlink_metadata(from.path().join(path)).unwrap())
        .map(|seen| format!("{}.{}", seen.atime(), seen.atime_nsec()))
        .collect();
    let done = copied(from.path(), to.path(), SourceKind::Tree).unwrap();
    assert_eq!(done, Copied { directories: 3, files: 14, ..done });
    // Times of access first: describing a file reads it.
    for (path, expected) in names.iter().zip(&expected) {
        let seen = fs::symlink_metadata(to.path().join(path)).unwrap();
        assert_eq!(&format!("{}.{}", seen.atime(), seen.atime_nsec()), expected, "{path:?}");
        assert_eq!(seen.mtime_nsec(), 123_456_789, "{path:?}");
    }
    assert_eq!(paths(to.path()), names);
    let without_times = |text: &str| {
        let words: Vec<&str> = text.split(' ').collect();
        [&words[..6], &words[8..]].concat().join(" ")
    };
    for (path, before) in names.iter().zip(&before) {
        let after = description(&to.path().join(path));
        assert_eq!(without_times(&after), without_times(before), "{path:?}");
    }
    let inode = |name: &str| fs::symlink_metadata(to.path().join(name)).unwrap().ino();
    assert_eq!(inode("a"), inode("dir/hard"));
    assert_eq!(inode("sym"), inode("sym2"));
    assert_eq!(inode("dir/sub/deep"), inode("dir/sub/deep2"));
}

/// V5.03: holes stay holes, wherever they are.
#[test]
fn holes_stay_holes() {
    let (from, to) = (scratch(), scratch());
    let sparse = File::create(from.path().join("sparse")).unwrap();
    sparse.write_all_at(b"begin", 0).unwrap();
    sparse.write_all_at(b"middle", 5 << 20).unwrap();
    sparse.set_len(20 << 20).unwrap();
    File::create(from.path().join("hole")).unwrap().set_len(1 << 30).unwrap();
    sparse.sync_all().unwrap();
    copied(from.path(), to.path(), SourceKind::Tree).unwrap();
    for name in ["sparse", "hole"] {
        let (was, is) = (from.path().join(name), to.path().join(name));
        let (was_seen, is_seen) = (fs::metadata(&was).unwrap(), fs::metadata(&is).unwrap());
        assert_eq!(is_seen.len(), was_seen.len());
        assert!(is_seen.blocks() * 512 < 1 << 20, "{name}: {} blocks", is_seen.blocks());
    }
    assert!(
        fs::read(from.path().join("sparse")).unwrap()
            == fs::read(to.path().join("sparse")).unwrap()
    );
}

/// A layer opened directly: what belongs to the overlay is no content.
#[test]
fn a_layer_without_its_whiteouts() {
    if !is_root("tree::tests::a_layer_without_its_whiteouts") {
        return;
    }
    let (from, to) = (scratch(), scratch());
    fs::create_dir(from.path().join("opaque")).unwrap();
    set_xattr(&from.path().join("opaque"), "trusted.overlay.opaque", b"y");
    set_xattr(&from.path().join("opaque"), "user.mine", b"y");
    mknodat(CWD, from.path().join("gone"), FileType::CharacterDevice, Mode::empty(), 0).unwrap();
    copied(from.path(), to.path(), SourceKind::Layer).unwrap();
    assert_eq!(paths(to.path()), ["", "opaque"].map(PathBuf::from));
    let described = description(&to.path().join("opaque"));
    assert!(described.contains("user.mine") && !described.contains("overlay"), "{described}");
    let whole = scratch();
    copied(from.path(), whole.path(), SourceKind::Tree).unwrap();
    assert!(whole.path().join("gone").symlink_metadata().is_ok());
}

/// A name that is there is an error, and the path is in it.
#[test]
fn nothing_is_overwritten() {
    let (from, to) = (scratch(), scratch());
    fs::create_dir_all(from.path().join("d")).unwrap();
    fs::write(from.path().join("d/file"), "new").unwrap();
    symlink("/etc", to.path().join("d")).unwrap();
    let refused = copied(from.path(), to.path(), SourceKind::Tree).unwrap_err();
    assert_eq!(refused.to_string(), "mkdirat(\"d\"): File exists");
    assert_eq!(refused.errno(), Some(libc::EEXIST));
}

/// V5.07: a file system's own lost+found is no obstacle, even if the source has one.
#[test]
fn lost_and_found_is_spared() {
    let (from, to) = (scratch(), scratch());
    for top in [from.path(), to.path()] {
        fs::create_dir(top.join("lost+found")).unwrap();
    }
    assert!(is_empty(open(to.path()).as_fd(), Spare::LostAndFound).unwrap());
    assert!(!is_empty(open(to.path()).as_fd(), Spare::Nothing).unwrap());
    fs::write(from.path().join("lost+found/x"), "x").unwrap();
    copied(from.path(), to.path(), SourceKind::Tree).unwrap();
    assert!(to.path().join("lost+found/x").exists());
    fs::write(to.path().join("y"), "").unwrap();
    clear(open(to.path()).as_fd(), Spare::LostAndFound).unwrap();
    assert_eq!(paths(to.path()), ["", "lost+found", "lost+found/x"].map(PathBuf::from));
    clear(open(to.path()).as_fd(), Spare::Nothing).unwrap();
    assert_eq!(paths(to.path()), [PathBuf::new()]);
}

/// Makes `depth` directories one in the other, with a file in the lowest; gives the lowest.
fn well(top: &Path, depth: usize) -> OwnedFd {
    let mut at: OwnedFd = open(top).into();
    for _ in 0..depth {
        mkdirat(&at, c"d", Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, c"d", rustix::fs::OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    at
}

/// Deeper than the stack, the descriptors (two at each level) and PATH_MAX would allow.
#[test]
fn ten_thousand_levels() {
    let (from, to) = (quick_scratch(), quick_scratch());
    fs::write(from.path().join("first"), "12345").unwrap();
    let lowest = well(from.path(), 10_000);
    rustix::fs::linkat(open(from.path()), c"first", &lowest, c"last", AtFlags::empty()).unwrap();
    fs::create_dir(from.path().join("d/e")).unwrap();
    // Held open it would keep the whole chain in memory, and each rmdir would walk it.
    drop(lowest);
    let done = copied(from.path(), to.path(), SourceKind::Tree).unwrap();
    assert_eq!(done, Copied { directories: 10_001, files: 2, bytes: 5 });
    assert_eq!(fs::metadata(to.path().join("first")).unwrap().nlink(), 2);
    assert_eq!(size(open(to.path()).as_fd()).unwrap(), Size { bytes: 5, files: 1 });
    for top in [from.path(), to.path()] {
        clear(open(top).as_fd(), Spare::Nothing).unwrap();
        assert_eq!(paths(top), [PathBuf::new()]);
    }
}

/// moby 2021-41091 and buildkit 2024-23652: removal stops at links.
#[test]
fn removal_does_not_follow_links() {
    let (top, outside) = (scratch(), scratch());
    fs::write(outside.path().join("kept"), "").unwrap();
    fs::create_dir(top.path().join("tree")).unwrap();
    symlink(outside.path(), top.path().join("tree/link")).unwrap();
    symlink(outside.path(), top.path().join("top-link")).unwrap();
    let names = [c"tree", c"top-link", c"missing"];
    for name in names {
        remove(open(top.path()).as_fd(), name).unwrap();
    }
    assert_eq!(paths(top.path()), [PathBuf::new()]);
    assert!(outside.path().join("kept").exists());
}

/// A directory with more names than one read gives, removed while it is read.
#[test]
fn many_names() {
    let (from, to) = (quick_scratch(), quick_scratch());
    for number in 0..5000 {
        fs::write(from.path().join(format!("a-rather-long-name-{number}")), "1").unwrap();
    }
    let done = copied(from.path(), to.path(), SourceKind::Tree).unwrap();
    assert_eq!(done.files, 5000);
    assert_eq!(size(open(to.path()).as_fd()).unwrap(), Size { bytes: 5000, files: 5000 });
    clear(open(to.path()).as_fd(), Spare::Nothing).unwrap();
    assert_eq!(paths(to.path()), [PathBuf::new()]);
}

/// V4.30: holes and second names do not count, directories neither.
#[test]
fn size_counts_data_once() {
    let top = scratch();
    fs::create_dir(top.path().join("d")).unwrap();
    fs::write(top.path().join("d/a"), vec![1; 1500]).unwrap();
    fs::hard_link(top.path().join("d/a"), top.path().join("b")).unwrap();
    File::create(top.path().join("hole")).unwrap().set_len(1 << 30).unwrap();
    assert_eq!(size(open(top.path()).as_fd()).unwrap(), Size { bytes: 1500, files: 2 });
}

/// Another file system mounted below is neither copied nor emptied.
#[test]
fn mount_points_are_not_crossed() {
    let test = "tree::tests::mount_points_are_not_crossed";
    if !is_root(test) || !in_mount_namespace(test) {
        return;
    }
    let (from, to) = (scratch(), scratch());
    let place = from.path().join("d/mounted");
    fs::create_dir_all(&place).unwrap();
    let none = CString::new("").unwrap();
    rustix::mount::mount("none", &place, "tmpfs", rustix::mount::MountFlags::empty(), &*none)
        .unwrap();
    fs::write(place.join("kept"), "x").unwrap();
    let refused = copied(from.path(), to.path(), SourceKind::Tree).unwrap_err();
    assert_eq!(refused.to_string(), "\"d/mounted\" is a mount point");
    let refused = clear(open(from.path()).as_fd(), Spare::Nothing).unwrap_err();
    assert_eq!(refused.to_string(), "\"d/mounted\" is a mount point");
    assert!(place.join("kept").exists());
    assert_eq!(size(open(from.path()).as_fd()).unwrap(), Size::default());
    rustix::mount::unmount(&place, rustix::mount::UnmountFlags::empty()).unwrap();
}

/// podman 2023-0778: a file that becomes a link while it is copied gives the link or the file,
/// never what the link leads to.
#[test]
fn a_file_swapped_for_a_link() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let (from, outside) = (quick_scratch(), quick_scratch());
    let (file, other) = (from.path().join("f"), from.path().join("other"));
    fs::write(&file, "inside").unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    symlink(outside.path().join("secret"), &other).unwrap();
    let stop = AtomicBool::new(false);
    let (mut links, mut files) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let flags = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(CWD, &file, CWD, &other, flags).unwrap();
            }
        });
        for _ in 0..500 {
            let to = quick_scratch();
            match copied(from.path(), to.path(), SourceKind::Tree) {
                Ok(_) => {}
                Err(e) => assert!(matches!(e.errno(), Some(libc::EINVAL | libc::ELOOP)), "{e}"),
            }
            for path in paths(to.path()).into_iter().skip(1) {
                let path = to.path().join(path);
                if fs::symlink_metadata(&path).unwrap().is_symlink() {
                    links += 1;
                } else {
                    files += 1;
                    assert_eq!(fs::read(&path).unwrap(), b"inside");
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(links > 0 && files > 0, "{links} links, {files} files");
}
