//! Archives that are unpacked, and those that try to reach something else.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::*;
use crate::image::Limits;
use crate::image::archive::Reader;
use crate::image::archive::tests::{Blocks, header};

/// A layer's directory beside things that must never change.
struct Scratch {
    directory: tempfile::TempDir,
}

impl Scratch {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("layer")).unwrap();
        fs::create_dir(directory.path().join("outside")).unwrap();
        fs::write(directory.path().join("outside/file"), "untouched").unwrap();
        fs::set_permissions(directory.path().join("outside"), PermissionsExt::from_mode(0o700))
            .unwrap();
        Self { directory }
    }

    fn layer(&self) -> PathBuf {
        self.directory.path().join("layer")
    }

    fn outside(&self) -> PathBuf {
        self.directory.path().join("outside")
    }

    fn unpack(&self, archive: &[u8], limits: &Limits) -> Result<Unpacked, LayerError> {
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY;
        let layer = rustix::fs::open(self.layer(), flags, rustix::fs::Mode::empty()).unwrap();
        unpack(&mut Reader::new(archive), Target { layer, below: Vec::new() }, limits)
    }

    /// All that is outside of the layer, with all that a chmod, chown or write would change.
    fn others(&self) -> BTreeMap<PathBuf, (u32, u64, i64, Vec<u8>)> {
        let mut seen = BTreeMap::new();
        for path in [self.outside(), self.outside().join("file"), self.outside().join("new")] {
            if let Ok(meta) = fs::symlink_metadata(&path) {
                let content = fs::read(&path).unwrap_or_default();
                seen.insert(path, (meta.mode(), meta.nlink(), meta.ctime_nsec(), content));
            }
        }
        let names = fs::read_dir(self.directory.path()).unwrap();
        for name in names.map(|e| e.unwrap().path()) {
            seen.entry(name).or_default();
        }
        seen
    }
}

fn unpacked(archive: Blocks) -> (Scratch, Unpacked) {
    let scratch = Scratch::new();
    let before = scratch.others();
    let unpacked = scratch.unpack(&archive.end(), &Limits::default()).unwrap();
    assert_eq!(scratch.others(), before);
    (scratch, unpacked)
}

fn xattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = [0; 100];
    let length = rustix::fs::lgetxattr(path, name, &mut value[..]).ok()?;
    Some(value[..length].to_vec())
}

fn is_opaque(path: &Path) -> bool {
    let marks = ["trusted.overlay.opaque", "user.overlay.opaque"];
    marks.iter().any(|mark| xattr(path, mark).as_deref() == Some(b"y"))
}

fn is_whiteout(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_char_device() && m.rdev() == 0)
}

/// Kinds, modes, times, links, attributes: all as the archive says, directories' times too.
#[test]
fn everything_is_kept() {
    let mut directory = header(b'5', b"./d/");
    directory.set_mode(0o2751);
    let mut setuid = header(b'0', b"d/setuid");
    setuid.set_mode(0o4755);
    setuid.set_size(3);
    let (scratch, unpacked) = unpacked(
        Blocks::default()
            .raw(directory, b"")
            .pax(&[("mtime", b"981173106.25"), ("SCHILY.xattr.user.foo", b"a\nb")])
            .raw(setuid, b"abc")
            .link(b'1', "d/hard", "./d/setuid")
            .link(b'2', "d/dangling", "/nowhere/../x")
            .bare(b'6', "d/fifo")
            .file("d/deep/without/entries", b"x")
            .file("/rooted", b"x"),
    );
    let at = |name: &str| fs::symlink_metadata(scratch.layer().join(name)).unwrap();
    assert_eq!(at("d").mode(), 0o42751);
    assert_eq!((at("d").mtime(), at("d/deep").mode()), (981_173_106, 0o40755));
    assert_eq!((at("d/setuid").mode(), at("d/setuid").nlink()), (0o104_755, 2));
    assert_eq!(at("d/setuid").mtime_nsec(), 250_000_000);
    assert_eq!(at("d/hard").ino(), at("d/setuid").ino());
    assert_eq!(at("d/dangling").mtime(), 981_173_106);
    assert_eq!(
        fs::read_link(scratch.layer().join("d/dangling")).unwrap(),
        Path::new("/nowhere/../x")
    );
    assert!(at("d/fifo").file_type().is_fifo() && at("rooted").is_file());
    assert_eq!(xattr(&scratch.layer().join("d/setuid"), "user.foo"), Some(b"a\nb".to_vec()));
    assert_eq!(at("").mode(), 0o40755);
    assert_eq!(unpacked, Unpacked { entries: 7, size_bytes: 5, left_out: LeftOut::default() });
}

/// Holes stay holes.
#[test]
fn sparse_files_have_holes() {
    let (scratch, unpacked) = unpacked(
        Blocks::default()
            .pax(&[("GNU.sparse.size", b"10000000"), ("GNU.sparse.map", b"5000000,2,10000000,0")])
            .file("sparse", b"ab"),
    );
    let path = scratch.layer().join("sparse");
    let content = fs::read(&path).unwrap();
    assert_eq!((content.len(), &content[5_000_000..5_000_002]), (10_000_000, &b"ab"[..]));
    assert!(content[..5_000_000].iter().chain(&content[5_000_002..]).all(|b| *b == 0));
    assert!(fs::metadata(&path).unwrap().blocks() < 100);
    assert_eq!(unpacked.size_bytes, 10_000_000);
}

/// Devices come with their numbers.
#[test]
fn devices() {
    let mut null = header(b'3', b"null");
    null.set_device_major(1).unwrap();
    null.set_device_minor(3).unwrap();
    let mut disk = header(b'4', b"disk");
    disk.set_device_major(259).unwrap();
    disk.set_device_minor(70_000).unwrap();
    let (scratch, unpacked) = unpacked(Blocks::default().raw(null, b"").raw(disk, b""));
    let at = |name: &str| fs::symlink_metadata(scratch.layer().join(name));
    match unpacked.left_out.devices {
        0 => {
            assert_eq!(at("null").unwrap().rdev(), rustix::fs::makedev(1, 3));
            assert_eq!(at("disk").unwrap().rdev(), rustix::fs::makedev(259, 70_000));
            assert!(at("disk").unwrap().file_type().is_block_device());
        }
        // Without the right to make them: counted, not an error.
        left_out => {
            assert_eq!((left_out, at("null").is_err(), at("disk").is_err()), (2, true, true))
        }
    }
}

/// Whiteouts hide what is below, never what the same layer has, in whatever order.
#[test]
fn whiteouts() {
    let (scratch, _) = unpacked(
        Blocks::default()
            .file("a/.wh.gone", b"")
            .file("a/.wh..hidden", b"")
            .file("o/.wh..wh..opq", b"")
            .file("o/kept", b"k")
            .file(".wh.back", b"")
            .bare(b'5', "back/")
            .file(".wh.implied", b"")
            .file("implied/file", b"f")
            .bare(b'5', "first/")
            .file(".wh.first", b"")
            .file("file", b"f")
            .file(".wh.file", b"")
            .file(".wh.then", b"")
            .file("then", b"t")
            .file(".wh..wh.plnk/12.34", b"x"),
    );
    let at = |name: &str| scratch.layer().join(name);
    assert!(is_whiteout(&at("a/gone")) && is_whiteout(&at("a/.hidden")));
    assert!(!is_opaque(&at("a")));
    for name in ["o", "back", "implied", "first"] {
        assert!(is_opaque(&at(name)), "{name}");
    }
    assert_eq!(fs::read(at("o/kept")).unwrap(), b"k");
    assert_eq!(fs::read(at("implied/file")).unwrap(), b"f");
    assert_eq!(
        (fs::read(at("file")).unwrap(), fs::read(at("then")).unwrap()),
        (b"f".into(), b"t".into())
    );
    assert!(!at(".wh..wh.plnk").exists());
}

/// CVE-2021-32760, RUSTSEC-2026-0067 and their kin: a later entry replaces an earlier one, and
/// never acts on what that led to.
#[test]
fn later_entries_replace() {
    let scratch = Scratch::new();
    let outside = scratch.outside();
    let file = outside.join("file");
    let (to_directory, to_file) = (outside.to_str().unwrap(), file.to_str().unwrap());
    let mut open_to_all = header(b'5', b"link");
    open_to_all.set_mode(0o777);
    let archive = Blocks::default()
        .link(b'2', "link", to_directory)
        .raw(open_to_all, b"")
        .file("link/new", b"inside")
        .link(b'2', "over", to_file)
        .file("over", b"inside")
        .link(b'2', "hard", to_file)
        .link(b'1', "alias", "hard")
        .file("alias", b"inside")
        .file("one", b"1")
        .link(b'1', "two", "one")
        .link(b'1', "two", "two")
        .file("two", b"2")
        .file("tree/a/b", b"x")
        .file("tree/c", b"x")
        .file("tree", b"now a file")
        .file("was/../x".trim_end_matches("/../x"), b"x")
        .bare(b'5', "was/")
        .file("was/in", b"x")
        .end();
    let before = scratch.others();
    scratch.unpack(&archive, &Limits::default()).unwrap();
    assert_eq!(scratch.others(), before);
    let read = |name: &str| fs::read_to_string(scratch.layer().join(name)).unwrap();
    assert_eq!(
        (read("link/new"), read("over"), read("alias")),
        ("inside".into(), "inside".into(), "inside".into())
    );
    assert_eq!(
        (read("one"), read("two"), read("tree"), read("was/in")),
        ("1".into(), "2".into(), "now a file".into(), "x".into())
    );
    assert_eq!(fs::read_link(scratch.layer().join("hard")).unwrap(), file);
}

/// CVE-2020-10696, CVE-2025-47290, RUSTSEC-2018-0002, RUSTSEC-2021-0080: nothing leaves the layer.
#[test]
fn escapes_are_refused() {
    let new = Blocks::default;
    let escape = |scratch: &Scratch| scratch.outside().to_str().unwrap().to_string();
    let scratch = Scratch::new();
    let target = escape(&scratch);
    let file = target.clone() + "/file";
    let up = "../outside/file";
    let through_link = "its path goes through a symbolic link";
    let mut whiteout_device = header(b'3', b"w");
    whiteout_device.set_device_major(0).unwrap();
    whiteout_device.set_device_minor(0).unwrap();
    let cases: [(&str, Blocks); 27] = [
        ("\"..\" in it", new().file("../outside/new", b"x")),
        ("\"..\" in it", new().bare(b'5', "d").file("d/../../outside/new", b"x")),
        ("\"..\" in it", new().file("/../outside/new", b"x")),
        ("\"..\" in it", new().bare(b'5', "..")),
        (through_link, new().link(b'2', "l", &target).file("l/new", b"x")),
        (through_link, new().link(b'2', "l", "../outside").bare(b'5', "l/new")),
        (through_link, new().link(b'2', "l", &target).link(b'2', "l/new", "x")),
        (through_link, new().link(b'2', "l", &target).bare(b'6', "l/new")),
        (through_link, new().link(b'2', "l", &target).file("l/.wh.file", b"")),
        (through_link, new().link(b'2', "l", &target).file("l/.wh..wh..opq", b"")),
        (through_link, new().link(b'2', "l", "/proc/self/root").file("l/tmp/new", b"x")),
        (through_link, new().link(b'2', "l", &target).link(b'1', "mine", "l/file")),
        (through_link, new().bare(b'5', "d").link(b'2', "d/l", "../d").file("d/l/x", b"")),
        ("\"..\" in it", new().link(b'1', "mine", up)),
        ("target is not there", new().link(b'1', "mine", &file)),
        ("hard link to what can have none", new().bare(b'5', "d").link(b'1', "mine", "d")),
        ("hard link to what can have none", new().link(b'1', "mine", ".")),
        ("hard link to what can have none", new().file(".wh.w", b"").link(b'1', "m", "w")),
        ("a whiteout of nothing", new().file(".wh...", b"")),
        ("a whiteout of nothing", new().bare(b'5', "d").file("d/.wh..", b"")),
        ("a whiteout cannot be a directory", new().file(".wh.d/x", b"")),
        ("through what is no directory", new().file("f", b"").file("f/x", b"")),
        ("overlay's own mark", new().raw(whiteout_device, b"")),
        (
            "overlay's own extended attributes",
            new().pax(&[("SCHILY.xattr.trusted.overlay.redirect", b"/")]).bare(b'5', "d"),
        ),
        (
            "overlay's own extended attributes",
            new().pax(&[("SCHILY.xattr.user.overlay.metacopy", b"")]).file("f", b""),
        ),
        ("the root must be a directory", new().link(b'2', "./", &target)),
        ("a symbolic link to nothing", new().link(b'2', "l", "")),
    ];
    let before = scratch.others();
    for (words, archive) in cases {
        let error = scratch.unpack(&archive.end(), &Limits::default()).expect_err(words);
        assert!(error.to_string().contains(words), "{error} does not say {words:?}");
        assert_eq!(scratch.others(), before, "{words}");
        fs::remove_dir_all(scratch.layer()).unwrap();
        fs::create_dir(scratch.layer()).unwrap();
    }
}

/// A layer with more entries than anybody needs is refused before it fills the disk.
#[test]
fn too_many_entries() {
    let limits = Limits { entries: 3, ..Limits::default() };
    let three = Blocks::default().file("a", b"").file("b", b"").file("c", b"");
    assert!(Scratch::new().unpack(&three.clone().end(), &limits).is_ok());
    let error = Scratch::new().unpack(&three.file("d", b"").end(), &limits).unwrap_err();
    assert_eq!(error.to_string(), "the archive has more than 3 entries");
}

/// An archive that ends within a file leaves no file that looks whole.
#[test]
fn cut_off() {
    let archive = Blocks::default().file("f", &[1; 2000]).0;
    let error = Scratch::new().unpack(&archive[..1500], &Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), "the archive is cut off in the middle of f");
}

/// Archives with bytes changed at random, checksums made right again: refused or unpacked, but
/// no panic, and nothing outside changes.
#[test]
fn mutations_stay_inside() {
    let scratch = Scratch::new();
    let outside = scratch.outside();
    let archive = Blocks::default()
        .bare(b'5', "./d/")
        .pax(&[("path", b"d/file"), ("SCHILY.xattr.user.x", b"y"), ("mtime", b"1.5")])
        .file("x", b"content")
        .link(b'1', "d/hard", "d/file")
        .link(b'2', "d/out", outside.to_str().unwrap())
        .meta(b'L', "long", b"d/a/long/name\0")
        .file("y", b"more")
        .file("d/.wh.gone", b"")
        .pax(&[("GNU.sparse.size", b"100"), ("GNU.sparse.map", b"1,2")])
        .file("s", b"ab")
        .end();
    let before = scratch.others();
    // A linear congruential generator: the same archives every time.
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        usize::try_from(state >> 33).unwrap() % below
    };
    let (mut refused, mut accepted) = (0, 0);
    for _ in 0..600 {
        let mut changed = archive.clone();
        for _ in 0..=random(3) {
            let at = random(changed.len() - 1024);
            let known = [b'/', b'.', 0, b'0', b'5', b'7', b'=', b' ', 0xff, b'2'];
            changed[at] = known[random(known.len())];
        }
        for block in changed.chunks_exact_mut(512).filter(|b| b[257..262] == *b"ustar") {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        let limits = Limits { bytes: 1 << 20, ..Limits::default() };
        match scratch.unpack(&changed, &limits) {
            Ok(_) => accepted += 1,
            Err(_) => refused += 1,
        }
        assert_eq!(scratch.others(), before);
        fs::remove_dir_all(scratch.layer()).unwrap();
        fs::create_dir(scratch.layer()).unwrap();
    }
    assert!(refused > 20 && accepted > 20, "{refused} {accepted}");
}
