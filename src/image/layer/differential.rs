//! The same archive unpacked by GNU tar and by us: what comes out must be the same.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Target, unpack};
use crate::image::Limits;
use crate::image::archive::Reader;

/// All that can be told of a file, but for times of access.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    mode: u32,
    owner: (u32, u32),
    size: u64,
    device: u64,
    modified: (i64, i64),
    names: u64,
    content: Vec<u8>,
    holes: bool,
    xattr: Option<Vec<u8>>,
}

fn look(path: &Path) -> Seen {
    let meta = fs::symlink_metadata(path).unwrap();
    let content = match meta.file_type() {
        kind if kind.is_file() => fs::read(path).unwrap(),
        kind if kind.is_symlink() => fs::read_link(path).unwrap().as_os_str().as_bytes().into(),
        _ => Vec::new(),
    };
    let mut value = [0; 64];
    let xattr = rustix::fs::lgetxattr(path, "user.test", &mut value[..]).ok();
    Seen {
        mode: meta.mode(),
        owner: (meta.uid(), meta.gid()),
        size: if meta.is_dir() { 0 } else { meta.size() },
        device: meta.rdev(),
        modified: (meta.mtime(), meta.mtime_nsec()),
        names: meta.nlink(),
        content,
        holes: meta.is_file() && meta.blocks() * 512 + 8192 < meta.size(),
        xattr: xattr.map(|length| value[..length].to_vec()),
    }
}

fn tree(top: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut seen = BTreeMap::new();
    let mut waiting = vec![top.to_owned()];
    while let Some(path) = waiting.pop() {
        let entry = look(&path);
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
        }
        seen.insert(path.strip_prefix(top).unwrap().to_owned(), entry);
    }
    seen
}

fn run(program: &str, arguments: &[&str], directory: &Path) {
    let done = Command::new(program).args(arguments).current_dir(directory).output().unwrap();
    assert!(done.status.success(), "{program} {arguments:?}: {done:?}");
}

/// A tree with everything that the formats have a place for.
fn make(top: &Path) {
    let script = r#"
        mkdir -p d/empty "d/$(printf 'long%.0s' $(seq 40))/$(printf 'name%.0s' $(seq 50))"
        (cd d/long*/name* && echo deep > file)
        echo content > d/file; ln d/file d/hard; ln -s file d/link
        ln -s "$(printf 'x/%.0s' $(seq 90))end" d/far
        mkfifo d/fifo
        chmod 4751 d/file; chmod 2770 d; chmod 1777 d/empty
        truncate -s 3M d/sparse
        for at in 0 700000 2000000; do
            printf data | dd of=d/sparse bs=1 seek=$at conv=notrunc 2> /dev/null
        done
        printf 'new\nline' > "d/$(printf 'a\tb\nc')"
        touch -d '2001-02-03T04:05:06.123456789Z' d/file d/empty
        touch -d '1960-01-01T00:00:00Z' d/fifo
        touch -h -d '2001-02-03T04:05:06Z' d/link
        touch -d '2002-02-03T04:05:06Z' d
    "#;
    run("sh", &["-ec", script], top);
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(top.join("d/empty"), "user.test", b"a\n\0b", flags).unwrap();
}

/// Every format of GNU tar, with and without its ways to store holes.
#[test]
fn as_gnu_tar_does() {
    let scratch = tempfile::tempdir().unwrap();
    let source = scratch.path().join("source");
    fs::create_dir(&source).unwrap();
    make(&source);
    let archive = scratch.path().join("archive.tar");
    let text = archive.to_str().unwrap();
    let formats: [&[&str]; 7] = [
        &["--format=gnu"],
        &["--format=gnu", "-S"],
        &["--format=oldgnu", "-S"],
        &["--format=posix", "--xattrs"],
        &["--format=posix", "-S", "--sparse-version=0.0"],
        &["--format=posix", "-S", "--sparse-version=0.1"],
        &["--format=posix", "-S", "--sparse-version=1.0"],
    ];
    for format in formats {
        let mut arguments = vec!["-cf", text];
        arguments.extend(format);
        arguments.push(".");
        run("tar", &arguments, &source);
        let (theirs, ours) = (scratch.path().join("theirs"), scratch.path().join("ours"));
        fs::create_dir(&theirs).unwrap();
        fs::create_dir(&ours).unwrap();
        run("tar", &["--xattrs", "--same-owner", "-xpf", text], &theirs);
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY;
        let layer = rustix::fs::open(&ours, flags, rustix::fs::Mode::empty()).unwrap();
        let bytes = fs::read(&archive).unwrap();
        let target = Target { layer, below: Vec::new() };
        unpack(&mut Reader::new(&bytes[..]), target, &Limits::default()).unwrap();
        let (theirs_seen, ours_seen) = (tree(&theirs), tree(&ours));
        assert!(theirs_seen.len() > 12);
        for (path, seen) in &theirs_seen {
            assert_eq!(ours_seen.get(path), Some(seen), "{format:?} {path:?}");
        }
        assert_eq!(ours_seen.len(), theirs_seen.len(), "{format:?}");
        fs::remove_dir_all(theirs).unwrap();
        fs::remove_dir_all(ours).unwrap();
    }
}
