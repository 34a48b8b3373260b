//! A store in a mount namespace of its own, and what is left of it when a test has ended.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sched::CloneFlags;
use rustix::mount::MountPropagationFlags;

const RRUN: &str = env!("CARGO_BIN_EXE_rrun");

/// A store with an image called `alpine`. The thread of the test, and so each of its children, is
/// in a mount namespace that nobody else sees.
pub struct Bench {
    directory: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
}

/// How a command ended, what it said and how long it took.
#[derive(Debug)]
pub struct Ended {
    pub status: i32,
    pub out: String,
    pub err: String,
    pub took: Duration,
}

impl Ended {
    /// Standard output of a command that ended well, without blanks around it.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert_eq!(self.status, 0, "out: {}\nerr: {}", self.out, self.err);
        self.out.trim()
    }

    /// The command failed with this status and these words on standard error.
    #[track_caller]
    pub fn failed(&self, status: i32, words: &str) -> &Self {
        assert_eq!(self.status, status, "out: {}\nerr: {}", self.out, self.err);
        assert!(self.err.contains(words), "{words:?} is not in: {}", self.err);
        self
    }

    /// It did not take longer than this.
    #[track_caller]
    pub fn within(&self, seconds: u64) -> &Self {
        assert!(self.took < Duration::from_secs(seconds), "{:?}: {}", self.took, self.err);
        self
    }
}

impl Bench {
    /// A new one.
    pub fn new() -> Self {
        nix::sched::unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        rustix::mount::mount_change("/", private).unwrap();
        let directory = tempfile::Builder::new().prefix("rrun-drivers.").tempdir().unwrap();
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let bench = Self { directory, variables: Vec::new() };
        bench.directory("plugins");
        let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("rootfs-fixtures/alpine");
        let mut archive = Command::new(image).stdout(Stdio::piped()).spawn().unwrap();
        let mut import = bench.command(&["import", "-c", "CMD [\"/bin/sh\"]", "-", "alpine"]);
        import.stdin(archive.stdout.take().unwrap());
        assert!(import.stdout(Stdio::null()).status().unwrap().success());
        assert!(archive.wait().unwrap().success());
        bench
    }

    /// A path in the test's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The same as text.
    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Makes a directory there.
    pub fn directory(&self, name: &str) -> PathBuf {
        std::fs::create_dir_all(self.path(name)).unwrap();
        self.path(name)
    }

    /// Writes a file there; its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.text(name)
    }

    /// A volume's directory in the store.
    pub fn volume(&self, name: &str) -> PathBuf {
        self.path("store/volumes").join(name)
    }

    /// All commands get this variable from now on.
    pub fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.variables.retain(|(other, _)| *other != name);
        self.variables.push((name, value.into()));
    }

    /// A command of rrun that is not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(RRUN);
        command
            .args(arguments)
            .env("RRUN_ROOT", self.path("store"))
            .env("RRUN_PLUGIN_DIRS", self.path("plugins"))
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn rrun(&self, arguments: &[&str]) -> Ended {
        let begun = Instant::now();
        let output = self.command(arguments).output().unwrap();
        ended(output, begun)
    }

    /// Runs `script` in a container of `alpine` with these options.
    pub fn run(&self, options: &[&str], script: &str) -> Ended {
        self.rrun(&[&["run", "--rm"], options, &["alpine", "sh", "-c", script]].concat())
    }

    /// Starts a container and waits until its script has written a line; it ends when its input
    /// does.
    pub fn start(&self, options: &[&str], script: &str) -> Started {
        let script = format!("{script}; echo up; read x; true");
        let words = [&["run", "--rm", "-i"], options, &["alpine", "sh", "-c", &script]].concat();
        let mut command = self.command(&words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let begun = Instant::now();
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        if line != "up\n" {
            let output = child.wait_with_output().unwrap();
            panic!("{line}{}", String::from_utf8_lossy(&output.stderr));
        }
        Started { child, _out: out, begun }
    }

    /// The lines of the mount table that speak of the test's directory.
    pub fn mounts(&self) -> Vec<String> {
        let table = std::fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        let ours = self.directory.path().to_str().unwrap();
        table.lines().filter(|line| line.contains(ours)).map(str::to_owned).collect()
    }

    /// Nobody uses the volume, and nothing of a use is left.
    #[track_caller]
    pub fn unused(&self, name: &str) {
        let volume = self.volume(name);
        let data = volume.join("_data");
        assert!(!self.mounts().iter().any(|line| line.contains(data.to_str().unwrap())));
        let users = std::fs::read_dir(volume.join("mounts"));
        assert_eq!(users.map_or(0, Iterator::count), 0, "users are left");
    }
}

impl Drop for Bench {
    /// Undoes what a killed rrun or a failed test has left mounted, so that the directory can go.
    fn drop(&mut self) {
        for line in self.mounts().iter().rev() {
            let Some(place) = line.split(' ').nth(4) else { continue };
            let _ = rustix::mount::unmount(place, rustix::mount::UnmountFlags::DETACH);
        }
        // The containers of a killed rrun may still be ending.
        for _ in 0..50 {
            match std::fs::remove_dir_all(self.directory.path()) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                _ => return,
            }
        }
    }
}

fn ended(output: Output, begun: Instant) -> Ended {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended {
        status: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
        took: begun.elapsed(),
    }
}

/// A container that runs.
pub struct Started {
    child: Child,
    _out: std::io::BufReader<std::process::ChildStdout>,
    begun: Instant,
}

impl Started {
    /// Lets it end.
    pub fn end(mut self) -> Ended {
        drop(self.child.stdin.take());
        ended(self.child.wait_with_output().unwrap(), self.begun)
    }

    /// Kills rrun itself, with nothing cleared up.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !so() {
        assert!(Instant::now() < end, "{what}: not within 10 s");
        std::thread::sleep(Duration::from_millis(20));
    }
}
