//! A network, an /etc and a store of a test's own.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// The program under test.
pub const RRUN: &str = env!("CARGO_BIN_EXE_rrun");

/// What a test works with.
pub struct Sandbox {
    directory: tempfile::TempDir,
}

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Ended {
    /// The status as a shell gives it.
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let signal = output.status.signal().map(|number| 128 + number);
        let status = output.status.code().or(signal).unwrap();
        Self { status, out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ended {
    /// Standard output of a command that ended well.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert_eq!(self.status, 0, "out: {}\nerr: {}", self.out, self.err);
        &self.out
    }

    /// It failed with this status and said this.
    #[track_caller]
    pub fn failed(&self, status: i32, words: &str) {
        assert_eq!(self.status, status, "out: {}\nerr: {}", self.out, self.err);
        assert!(self.err.contains(words), "{words:?} is not in {}", self.err);
    }
}

/// Runs a test in a thread whose network and mounts are its own, as are those of its children.
#[track_caller]
pub fn sandbox(test: impl FnOnce(&Sandbox) + Send) {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).unwrap();
            rrun::sys::network::loopback_up().unwrap();
            let none = None::<&str>;
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
            let sandbox = Sandbox { directory: tempfile::tempdir().unwrap() };
            sandbox.own_etc();
            test(&sandbox);
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

impl Sandbox {
    fn own_etc(&self) {
        let tmp = self.path("etc");
        fs::create_dir(&tmp).unwrap();
        let none = None::<&str>;
        mount(Some("tmpfs"), &tmp, Some("tmpfs"), MsFlags::empty(), none).unwrap();
        for name in ["upper", "work"] {
            fs::create_dir(tmp.join(name)).unwrap();
        }
        let tmp = tmp.display();
        let options = format!("lowerdir=/etc,upperdir={tmp}/upper,workdir={tmp}/work");
        let options = Some(options.as_str());
        mount(Some("overlay"), "/etc", Some("overlay"), MsFlags::empty(), options).unwrap();
        fs::write("/etc/hosts", "127.0.0.1 localhost registry.test other.test\n").unwrap();
        // A link to where a resolver of the host writes it would be followed.
        let _ = fs::remove_file("/etc/resolv.conf");
        fs::write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
            .unwrap();
    }

    /// A path of the test's own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// `rrun` with the store `store`.
    pub fn rrun_in(&self, store: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(RRUN);
        command.arg("--root").arg(self.path(store)).args(arguments);
        command.env_remove("RRUN_ROOT").env_remove("RRUN_OFFLINE_IMAGES").stdin(Stdio::null());
        command.env("DOCKER_CONFIG", self.path("docker"));
        for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
            command.env_remove(name).env_remove(name.to_uppercase());
        }
        command
    }

    /// Runs `rrun` to its end.
    pub fn rrun(&self, arguments: &[&str]) -> Ended {
        ended(&mut self.rrun_in("store", arguments))
    }

    /// Runs another program to its end.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Ended {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.directory.path());
        ended(command.env("HOME", self.directory.path()).stdin(Stdio::null()))
    }

    /// The image `name` in the store, made of busybox.
    pub fn import(&self, name: &str) {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("rootfs-fixtures/busybox");
        let mut tar = Command::new(fixture).stdout(Stdio::piped()).spawn().unwrap();
        let mut import = self.rrun_in("store", &["import", "-c", "CMD [\"sh\"]", "-", name]);
        ended(import.stdin(tar.stdout.take().unwrap())).ok();
        assert!(tar.wait().unwrap().success());
    }

    /// What `rrun inspect` says of an image, by a template.
    pub fn inspect(&self, name: &str, template: &str) -> String {
        let ended = self.rrun(&["image", "inspect", "-f", template, name]);
        ended.ok().trim().to_owned()
    }

    /// The files and directories of a store that an image or the beginning of one would be.
    pub fn leftovers(&self, store: &str) -> Vec<String> {
        let list = |path: PathBuf| -> Vec<String> {
            let entries = fs::read_dir(path).into_iter().flatten();
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
        };
        let mut all = list(self.path(store).join("layers"));
        all.retain(|name| name != ".partial");
        all.extend(list(self.path(store).join("images/blobs/sha256")));
        all.sort();
        all
    }

    /// The blobs that came in part, with their sizes.
    pub fn partials(&self, store: &str) -> Vec<(String, u64)> {
        let entries = fs::read_dir(self.path(store).join("layers/.partial")).into_iter().flatten();
        let size = |entry: fs::DirEntry| {
            (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len())
        };
        entries.map(|entry| size(entry.unwrap())).collect()
    }
}

/// Runs a command to its end.
pub fn ended(command: &mut Command) -> Ended {
    command.output().unwrap().into()
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !so() {
        assert!(Instant::now() < end, "{what} never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}
