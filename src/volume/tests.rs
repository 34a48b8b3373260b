//! The volume store as several commands at once use it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Barrier;

use super::VolumeError;
use super::copy_up::{Filled, ImageDirectory, fill, mend};
use super::create::{NewVolume, Novelty};
use super::lock::{StoreAlone, StoreShared};
use super::locked::LockedVolume;
use super::mounted::{self, Mounted};
use super::record::{ANONYMOUS_LABEL, CopyUpMark, CopyUpState};
use super::store::VolumeStore;
use crate::config::name::VolumeName;
use crate::store::{Durability, Store};
use crate::tree::SourceKind;
use crate::tree::testing::{in_mount_namespace, is_root, rerun};

const PASSING: Durability = Durability::Passing;

struct Bench {
    _scratch: Option<tempfile::TempDir>,
    root: PathBuf,
    store: Store,
    volumes: VolumeStore,
}

impl Bench {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().to_owned();
        Self { _scratch: Some(scratch), ..Self::at(&root) }
    }

    fn at(root: &Path) -> Self {
        let store = Store::open(&root.join("store")).unwrap();
        let volumes = VolumeStore::open(&store).unwrap();
        Self { _scratch: None, root: root.into(), store, volumes }
    }

    fn alone(&self) -> StoreAlone {
        StoreAlone::take(&self.store).unwrap()
    }

    fn make(&self, name: &str, options: &[(&str, &str)]) -> VolumeName {
        let wish = NewVolume { options: map(options), ..NewVolume::named(named(name)) };
        self.volumes.create(&self.alone(), &wish).unwrap().record.name
    }

    fn remove(&self, name: &VolumeName, exists: &dyn Fn(&str) -> bool) -> Result<(), VolumeError> {
        let removed = self.volumes.remove(&self.alone(), name, exists)?;
        removed.delete()
    }

    fn data(&self, name: &VolumeName) -> PathBuf {
        self.volumes.data_path(name)
    }

    /// A directory as an image has it: 300 files in three directories.
    fn image(&self) -> PathBuf {
        let image = self.root.join("image");
        if fs::create_dir(&image).is_ok() {
            for directory in ["a", "b", "c"] {
                fs::create_dir(image.join(directory)).unwrap();
                for number in 0..100 {
                    fs::write(image.join(format!("{directory}/{number}")), "content").unwrap();
                }
            }
            fs::set_permissions(&image, fs::Permissions::from_mode(0o1750)).unwrap();
        }
        image
    }

    fn fill(&self, name: &VolumeName, image: &Path) -> Result<Filled, VolumeError> {
        let directory = File::open(image).unwrap();
        let from = ImageDirectory {
            directory: directory.as_fd(),
            kind: SourceKind::Tree,
            image: "alpine",
            path: "/data",
        };
        fill(&self.volumes, name, from, (PASSING, &nobody))
    }

    fn count(&self, name: &VolumeName) -> usize {
        let data = self.data(name);
        ["a", "b", "c"].iter().map(|d| fs::read_dir(data.join(d)).map_or(0, Iterator::count)).sum()
    }

    /// Leaves the volume as a copy that was killed in the middle.
    fn break_off(&self, name: &VolumeName) {
        let volume = LockedVolume::take(&self.volumes, name).unwrap();
        let mut record = volume.record().unwrap();
        let state = CopyUpState::InProgress;
        record.copy_up = Some(CopyUpMark { state, image: "alpine".into(), path: "/data".into() });
        volume.write(&record, PASSING).unwrap();
        fs::create_dir(self.data(name).join("b")).unwrap();
        fs::write(self.data(name).join("b/7"), "con").unwrap();
        symlink("/etc", self.data(name).join("half")).unwrap();
    }
}

fn named(text: &str) -> VolumeName {
    VolumeName::parse(text).unwrap()
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn nobody(host: &str) -> std::io::Result<std::net::IpAddr> {
    Err(std::io::Error::other(format!("no such host {host}")))
}

/// V4.01 to V4.05, V4.31.
#[test]
fn create_is_idempotent() {
    let bench = Bench::new();
    let alone = bench.alone();
    let wish = NewVolume { labels: map(&[("k", "v")]), ..NewVolume::named(named("data")) };
    let first = bench.volumes.create(&alone, &wish).unwrap();
    assert_eq!(first.novelty, Novelty::New);
    assert_eq!(first.record.created.len(), "2026-02-14T10:30:45Z".len());
    let mode = fs::metadata(bench.data(&named("data"))).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o755);
    fs::write(bench.data(&named("data")).join("x"), "").unwrap();
    let again = |wish: NewVolume| bench.volumes.create(&alone, &wish);
    assert_eq!(again(wish.clone()).unwrap().novelty, Novelty::Existed);
    assert_eq!(again(NewVolume::named(named("data"))).unwrap().novelty, Novelty::Existed);
    let other = NewVolume { options: map(&[("type", "tmpfs")]), ..wish.clone() };
    let other = again(other).unwrap();
    assert_eq!((other.novelty, other.record), (Novelty::ExistedOtherwise, first.record));
    let taken = again(NewVolume { driver: "nfs-plugin".into(), ..wish }).unwrap_err();
    assert_eq!(
        taken.to_string(),
        "create data: driver 'local' already has volume 'data': volume name must be unique"
    );
    let driver = "encrypted-driver".to_owned();
    let unknown = again(NewVolume { driver, ..NewVolume::named(named("new")) }).unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "create new: error looking up volume plugin encrypted-driver: plugin \
         \"encrypted-driver\" not found"
    );
    assert!(bench.data(&named("data")).join("x").exists());
    assert!(matches!(bench.volumes.get(&named("new")), Err(VolumeError::Missing(_))));
    drop(alone);
    let anonymous = NewVolume::anonymous(Durability::Passing);
    let record = bench.volumes.create(&bench.alone(), &anonymous).unwrap().record;
    assert!(record.name.as_str().len() == 64 && record.labels.contains_key(ANONYMOUS_LABEL));
    let names: Vec<_> = bench.volumes.list().unwrap().volumes.into_iter().map(|v| v.name).collect();
    assert_eq!(names.len(), 2);
}

/// V4.22, V4.23: in use is in use; a reference without its container is none.
#[test]
fn removal_and_references() {
    let bench = Bench::new();
    let data = bench.make("data", &[]);
    for container in ["c2", "c1"] {
        let held = StoreShared::take(&bench.store).unwrap();
        bench.volumes.add_ref(&held, &data, (container, Durability::Kept)).unwrap();
    }
    let used = bench.remove(&data, &|_| true).unwrap_err();
    assert_eq!(used.to_string(), "remove data: volume is in use - [c1, c2]");
    bench.volumes.drop_ref(&data, "c1").unwrap();
    bench.volumes.drop_ref(&data, "c1").unwrap();
    let used = bench.remove(&data, &|id| id == "c2").unwrap_err();
    assert_eq!(used.to_string(), "remove data: volume is in use - [c2]");
    symlink("/etc", bench.data(&data).join("link")).unwrap();
    bench.remove(&data, &|_| false).unwrap();
    assert_eq!(bench.remove(&data, &|_| true).unwrap_err().to_string(), "get data: no such volume");
    let held = StoreShared::take(&bench.store).unwrap();
    let late = bench.volumes.add_ref(&held, &data, ("c3", Durability::Kept)).unwrap_err();
    assert_eq!(late.to_string(), "get data: no such volume");
    assert_eq!(fs::read_dir(bench.store.root().join("volumes")).unwrap().count(), 0);
}

/// moby 2021-41091: nobody else reaches a file below the store, set-user-id or not.
#[test]
fn a_store_is_closed_to_others() {
    use std::os::unix::process::CommandExt;
    if !is_root("volume::tests::a_store_is_closed_to_others") {
        return;
    }
    let bench = Bench::new();
    fs::set_permissions(&bench.root, fs::Permissions::from_mode(0o755)).unwrap();
    let file = bench.data(&bench.make("data", &[])).join("suid");
    fs::copy("/bin/true", &file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o4755)).unwrap();
    let ran = std::process::Command::new(&file).uid(65534).gid(65534).status();
    assert_eq!(ran.unwrap_err().raw_os_error(), Some(libc::EACCES));
    assert!(std::process::Command::new(&file).status().unwrap().success());
}

/// What commands that died have left is found, deleted, and never listed.
#[test]
fn leftovers_are_swept() {
    let bench = Bench::new();
    let kept = bench.make("kept", &[]);
    let volumes = bench.store.root().join("volumes");
    fs::create_dir_all(volumes.join(".new-0011/_data/x")).unwrap();
    fs::create_dir_all(volumes.join(".removing-0011/_data/y")).unwrap();
    assert_eq!(bench.volumes.list().unwrap().volumes.len(), 1);
    let alone = bench.alone();
    let leftovers = bench.volumes.leftovers(&alone).unwrap();
    assert_eq!(leftovers.len(), 2);
    for leftover in leftovers {
        leftover.delete().unwrap();
    }
    assert_eq!(fs::read_dir(volumes).unwrap().count(), 1);
    assert!(bench.volumes.get(&kept).is_ok());
}

/// Whoever comes first wins: a volume is either removed and the reference refused, or referred
/// to and kept. Never a reference to what is gone.
#[test]
fn removal_races_with_a_reference() {
    let bench = Bench::new();
    let (mut removed_first, mut referred_first) = (0, 0);
    for round in 0..200 {
        let name = bench.make("data", &[]);
        let start = Barrier::new(2);
        let (referred, removed) = std::thread::scope(|scope| {
            let refer = scope.spawn(|| {
                start.wait();
                let held = StoreShared::take(&bench.store).unwrap();
                bench.volumes.add_ref(&held, &name, ("c1", PASSING))
            });
            let remove = scope.spawn(|| {
                start.wait();
                bench.remove(&name, &|id| id == "c1")
            });
            (refer.join().unwrap(), remove.join().unwrap())
        });
        match (referred, removed) {
            (Ok(()), Err(VolumeError::InUse { .. })) => {
                referred_first += 1;
                assert_eq!(bench.volumes.references(&name).unwrap(), ["c1"]);
                bench.remove(&name, &|_| false).unwrap();
            }
            (Err(VolumeError::Missing(_)), Ok(())) => removed_first += 1,
            other => panic!("round {round}: {other:?}"),
        }
    }
    assert_eq!(removed_first + referred_first, 200);
}

/// V5.02, V5.07, V5.09, V5.12, podman 2020-1726.
#[test]
fn copy_up_fills_what_is_empty() {
    let bench = Bench::new();
    let (data, image) = (bench.make("data", &[]), bench.image());
    fs::set_permissions(bench.data(&data), fs::Permissions::from_mode(0o711)).unwrap();
    let Filled::Copied(copied) = bench.fill(&data, &image).unwrap() else { panic!() };
    assert_eq!((copied.directories, copied.files), (3, 300));
    let (top, of) = (fs::metadata(bench.data(&data)).unwrap(), fs::metadata(&image).unwrap());
    assert_eq!(
        (top.mode(), top.mtime(), top.mtime_nsec()),
        (of.mode(), of.mtime(), of.mtime_nsec())
    );
    let mark = bench.volumes.get(&data).unwrap().copy_up.unwrap();
    assert_eq!((mark.state, mark.path.as_str()), (CopyUpState::Done, "/data"));
    // By hand filled or emptied.
    fs::remove_dir_all(bench.data(&data).join("a")).unwrap();
    assert_eq!(bench.fill(&data, &image).unwrap(), Filled::HadContent);
    for directory in ["b", "c"] {
        fs::remove_dir_all(bench.data(&data).join(directory)).unwrap();
    }
    fs::create_dir(bench.data(&data).join("lost+found")).unwrap();
    bench.fill(&data, &image).unwrap();
    assert_eq!(bench.count(&data), 300);
}

/// V5.05: an empty directory gives its owner and mode, and no mark.
#[test]
fn an_empty_directory_gives_owner_and_mode() {
    let bench = Bench::new();
    let data = bench.make("data", &[]);
    let image = bench.root.join("empty");
    fs::create_dir(&image).unwrap();
    fs::set_permissions(&image, fs::Permissions::from_mode(0o2775)).unwrap();
    bench.fill(&data, &image).unwrap();
    assert_eq!(fs::metadata(bench.data(&data)).unwrap().mode() & 0o7777, 0o2775);
    assert_eq!(bench.volumes.get(&data).unwrap().copy_up, None);
}

/// V5.22: half a copy is found by its mark, cleared and done again, or only cleared by who
/// wants no copy.
#[test]
fn a_copy_that_broke_off() {
    let bench = Bench::new();
    let (again, cleared, image) =
        (bench.make("again", &[]), bench.make("cleared", &[]), bench.image());
    bench.break_off(&again);
    assert!(matches!(bench.fill(&again, &image).unwrap(), Filled::Copied(_)));
    assert_eq!(bench.count(&again), 300);
    assert_eq!(fs::read(bench.data(&again).join("b/7")).unwrap(), b"content");
    assert!(!bench.data(&again).join("half").exists());
    assert_eq!(bench.volumes.get(&again).unwrap().copy_up.unwrap().state, CopyUpState::Done);
    bench.break_off(&cleared);
    mend(&bench.volumes, &cleared, &nobody).unwrap();
    assert_eq!(fs::read_dir(bench.data(&cleared)).unwrap().count(), 0);
    assert_eq!(bench.volumes.get(&cleared).unwrap().copy_up, None);
    assert!(Path::new("/etc/passwd").exists());
}

/// A copy that fails leaves an empty volume without a mark.
#[test]
fn a_copy_that_fails() {
    let test = "volume::tests::a_copy_that_fails";
    if !is_root(test) || !in_mount_namespace(test) {
        return;
    }
    let bench = Bench::new();
    let (data, image) = (bench.make("data", &[]), bench.image());
    // Its last directory holds another file system, which is not copied.
    fs::create_dir(image.join("a/mounted")).unwrap();
    let flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("none", image.join("a/mounted"), "tmpfs", flags, None).unwrap();
    let failed = bench.fill(&data, &image).unwrap_err().to_string();
    assert!(failed.ends_with("/_data\": \"a/mounted\" is a mount point"), "{failed}");
    assert_eq!(fs::read_dir(bench.data(&data)).unwrap().count(), 0);
    assert_eq!(bench.volumes.get(&data).unwrap().copy_up, None);
}

/// V5.19: of several processes one copies, the others wait and see full content.
#[test]
fn several_processes_fill_one_volume() {
    const AT: &str = "RRUN_TEST_FILLS_AT";
    let test = "volume::tests::several_processes_fill_one_volume";
    if let Some(root) = std::env::var_os(AT) {
        let bench = Bench::at(Path::new(&root));
        let filled = bench.fill(&named("data"), &bench.root.join("image")).unwrap();
        assert_eq!(bench.count(&named("data")), 300, "after {filled:?}");
        println!("was {filled:?}");
        return;
    }
    let bench = Bench::new();
    let data = bench.make("data", &[]);
    bench.image();
    // Also the one that was killed before them.
    bench.break_off(&data);
    let run = |_| {
        let mut command = rerun(test);
        command.env(AT, &bench.root).stdout(std::process::Stdio::piped()).spawn().unwrap()
    };
    let running: Vec<_> = (0..6).map(run).collect();
    let mut copied = 0;
    for process in running {
        let ended = process.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert!(ended.status.success() && said.contains("1 passed"), "{said}");
        copied += usize::from(said.contains("was Copied"));
    }
    assert_eq!(copied, 1);
    assert_eq!(bench.count(&data), 300);
}

/// What is mounted at a volume's data, as the kernel shows it: type, source, read-only.
fn mounted(path: &Path) -> Vec<String> {
    let table = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    let path = path.to_str().unwrap();
    let at = |line: &&str| line.split(' ').nth(4) == Some(path);
    table.lines().filter(at).map(str::to_owned).collect()
}

fn acquire(bench: &Bench, name: &VolumeName, user: &str) -> Result<Mounted, VolumeError> {
    mounted::acquire(&bench.volumes, name, (user, &nobody)).map(Option::unwrap)
}

/// V8.01, V8.02: one mount for all users, made by the first, undone by the last.
#[test]
fn the_mount_goes_with_its_last_user() {
    let test = "volume::tests::the_mount_goes_with_its_last_user";
    if !is_root(test) || !in_mount_namespace(test) {
        return;
    }
    let bench = Bench::new();
    let plain = bench.make("plain", &[]);
    assert!(mounted::acquire(&bench.volumes, &plain, ("c1", &nobody)).unwrap().is_none());
    let tmpfs = [("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=1m,nosuid,mode=700")];
    let name = bench.make("memory", &tmpfs);
    let data = bench.data(&name);
    let first = acquire(&bench, &name, "c1").unwrap();
    assert!(first.is_passing());
    fs::write(data.join("x"), "x").unwrap();
    let second = acquire(&bench, &name, "c2").unwrap();
    assert!(!second.is_passing() && data.join("x").exists());
    let table = mounted(&data);
    assert!(table.len() == 1 && table[0].contains("nosuid") && table[0].contains("size=1024k"));
    let twice = acquire(&bench, &name, "c2").unwrap_err().to_string();
    assert!(twice.ends_with("/mounts/c2\" already"), "{twice}");
    first.release(&bench.volumes).unwrap();
    assert!(data.join("x").exists());
    second.release(&bench.volumes).unwrap();
    assert_eq!((mounted(&data).len(), data.join("x").exists()), (0, false));
    // A user that died without a word: dropping is all that a killed process does.
    drop(acquire(&bench, &name, "c3").unwrap());
    fs::write(data.join("stale"), "").unwrap();
    let next = acquire(&bench, &name, "c4").unwrap();
    assert_eq!((mounted(&data).len(), data.join("stale").exists()), (1, false));
    drop(next);
    bench.remove(&name, &|_| false).unwrap();
    assert_eq!(mounted(&data).len(), 0);
}

/// V8.02, V8.04: a directory of the host; removal of the volume never touches it.
#[test]
fn bind_volumes() {
    let test = "volume::tests::bind_volumes";
    if !is_root(test) || !in_mount_namespace(test) {
        return;
    }
    let bench = Bench::new();
    let host = bench.root.join("host");
    fs::create_dir(&host).unwrap();
    let device = host.to_str().unwrap();
    let writable = bench.make("rw", &[("type", "none"), ("o", "bind"), ("device", device)]);
    let read_only = bench.make("ro", &[("type", "none"), ("o", "bind,ro"), ("device", device)]);
    // V5.18: copy-up reaches the host's directory.
    bench.fill(&writable, &bench.image()).unwrap();
    assert!(host.join("c/99").exists());
    assert_eq!(mounted(&bench.data(&writable)).len(), 0);
    let used = acquire(&bench, &read_only, "c1").unwrap();
    let refused = fs::write(bench.data(&read_only).join("y"), "").unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::EROFS));
    fs::write(host.join("z"), "").unwrap();
    assert!(bench.data(&read_only).join("z").exists());
    drop(used);
    for name in [writable, read_only] {
        bench.remove(&name, &|_| false).unwrap();
    }
    assert!(host.join("c/99").exists() && host.join("z").exists());
}

/// V8.03 to V8.05: the kernel's refusals in Docker's words, with the file system's own.
#[test]
fn mounts_that_fail() {
    let test = "volume::tests::mounts_that_fail";
    if !is_root(test) || !in_mount_namespace(test) {
        return;
    }
    let bench = Bench::new();
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, Option<&'a str>);
    let cases: [Case<'_>; 5] = [
        (
            &[("type", "none"), ("o", "bind"), ("device", "/nope/x")],
            "failed to mount local volume: mount /nope/x:{}, flags: 0x1000: no such file or \
             directory",
            None,
        ),
        (
            &[("type", "nosuchfs"), ("device", "/dev/zero")],
            "failed to mount local volume: mount /dev/zero:{}: no such device",
            None,
        ),
        (
            &[("type", "tmpfs"), ("device", "tmpfs"), ("o", "sise=1m")],
            "failed to mount local volume: mount tmpfs:{}, data: sise=1m: invalid argument",
            Some("tmpfs: Unknown parameter 'sise'"),
        ),
        (
            &[("type", "ext4"), ("device", "/dev/null"), ("o", "noatime,password=x")],
            "failed to mount local volume: mount /dev/null:{}, flags: 0x400, data: \
             password=********: invalid argument",
            Some("ext4: Unknown parameter 'password'"),
        ),
        (
            &[("type", "nfs"), ("device", ":/x"), ("o", "addr=store.example,rw")],
            "error resolving passed in network volume address: lookup store.example: no such host \
             store.example",
            None,
        ),
    ];
    for (number, (options, words, kernel)) in cases.iter().enumerate() {
        let name = bench.make(&format!("v{number}"), options);
        let refused = acquire(&bench, &name, "c1").unwrap_err();
        let data = bench.data(&name).display().to_string();
        let words = words.replace("{}", &data);
        assert_eq!(refused.to_string(), format!("error while mounting volume '{data}': {words}"),);
        assert_eq!(refused.kernel_words(), *kernel);
        assert_eq!(fs::read_dir(bench.volumes.path(&name).join("mounts")).unwrap().count(), 0);
        assert_eq!(mounted(Path::new(&data)).len(), 0);
        bench.remove(&name, &|_| false).unwrap();
    }
}

/// V8.10, V5.08: an image file through a loop device; two volumes on it share one device.
#[test]
fn an_ext4_image() {
    let test = "volume::tests::an_ext4_image";
    if !is_root(test) || !in_mount_namespace(test) {
        return;
    }
    let bench = Bench::new();
    let image = bench.root.join("disk.img");
    File::create(&image).unwrap().set_len(8 << 20).unwrap();
    let made = std::process::Command::new("mkfs.ext4").arg("-q").arg(&image).status().unwrap();
    assert!(made.success());
    let options = [("type", "ext4"), ("device", image.to_str().unwrap()), ("o", "loop")];
    let (one, two) = (bench.make("one", &options), bench.make("two", &options));
    bench.fill(&one, &bench.image()).unwrap();
    let first = acquire(&bench, &one, "c1").unwrap();
    let second = acquire(&bench, &two, "c1").unwrap();
    let device = |name| mounted(&bench.data(name))[0].rsplit(' ').nth(1).unwrap().to_owned();
    assert!(device(&one).starts_with("/dev/loop"), "{}", device(&one));
    assert_eq!(device(&one), device(&two));
    assert_eq!(bench.count(&two), 300);
    let backing = || {
        let number = device(&one).replace("/dev/", "");
        Path::new("/sys/block").join(number).join("loop/backing_file")
    };
    let attached = backing();
    assert!(attached.exists());
    first.release(&bench.volumes).unwrap();
    second.release(&bench.volumes).unwrap();
    // Cleared with the last use, a moment later: the kernel does it from a work queue.
    for _ in 0..200 {
        if !attached.exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("{attached:?} is still attached");
}
