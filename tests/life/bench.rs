//! A store of a test's own with the image `alpine`, and commands on it.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const RRUN: &str = env!("CARGO_BIN_EXE_rrun");

/// As long is waited for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// The store; what still runs in it ends with it.
pub struct Bench {
    directory: tempfile::TempDir,
}

impl Bench {
    /// A store with the image, or `None` where the test cannot run.
    pub fn new(test: &str) -> Option<Self> {
        if !crate::support::can_run(test, &[crate::support::Need::Root]) {
            return None;
        }
        let bench = Self { directory: tempfile::tempdir().unwrap() };
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("rootfs-fixtures/alpine");
        let mut tar = Command::new(fixture).stdout(Stdio::piped()).spawn().unwrap();
        let import = bench
            .command(&["import", "-c", "CMD [\"/bin/sh\"]", "-", "alpine"])
            .stdin(tar.stdout.take().unwrap())
            .output()
            .unwrap();
        assert!(tar.wait().unwrap().success() && import.status.success(), "{import:?}");
        Some(bench)
    }

    pub fn store(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    /// A command line on this store.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(RRUN);
        command.arg("--root").arg(self.store()).args(arguments);
        command.env_remove("RRUN_ROOT").stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs it; it must succeed. Returns what it prints, without the end of the line.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Runs it; it must fail with this status. Returns its words.
    pub fn fails(&self, status: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Starts it and lets it run.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Starts it on a terminal of the test's own; returns the other side of that.
    pub fn on_terminal(&self, arguments: &[&str]) -> (Child, OwnedFd) {
        let flags = rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY;
        let ours = rustix::pty::openpt(flags).unwrap();
        rustix::pty::grantpt(&ours).unwrap();
        rustix::pty::unlockpt(&ours).unwrap();
        let name = rustix::pty::ptsname(&ours, Vec::new()).unwrap();
        let path = PathBuf::from(name.into_string().unwrap());
        let theirs = || fs::File::options().read(true).write(true).open(&path).unwrap();
        let mut command = self.command(arguments);
        command.stdin(theirs()).stdout(theirs()).stderr(theirs());
        (command.spawn().unwrap(), ours)
    }

    /// What `inspect` says of a container.
    pub fn inspect(&self, container: &str) -> Value {
        let all: Value = serde_json::from_str(&self.ok(&["inspect", container])).unwrap();
        all[0].clone()
    }

    pub fn state(&self, container: &str) -> String {
        self.inspect(container)["State"]["Status"].as_str().unwrap().to_owned()
    }

    /// The first process of a container that runs.
    pub fn pid(&self, container: &str) -> i32 {
        i32::try_from(self.inspect(container)["State"]["Pid"].as_i64().unwrap()).unwrap()
    }

    /// The process that watches over it: the parent of its first one.
    pub fn supervisor(&self, container: &str) -> i32 {
        parent(self.pid(container))
    }

    /// The directories below `containers`, also those that are being made or removed.
    pub fn containers(&self) -> Vec<String> {
        let entries = fs::read_dir(self.store().join("containers")).unwrap();
        let mut names: Vec<_> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let Ok(listed) = self.command(&["ps", "-aq"]).output() else { return };
        for id in String::from_utf8_lossy(&listed.stdout).lines() {
            let _ = self.command(&["rm", "-f", id]).output();
        }
    }
}

/// The parent of a process.
pub fn parent(pid: i32) -> i32 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap();
    line.trim().parse().unwrap()
}

/// Is there a process with this number that has not ended?
pub fn lives(pid: i32) -> bool {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    text.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Sends SIGKILL.
pub fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// Waits until something is true.
pub fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The cgroups of a container that are left anywhere.
pub fn cgroups(id: &str) -> Vec<PathBuf> {
    let hierarchies = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten();
    hierarchies
        .map(|hierarchy| hierarchy.path())
        .chain([PathBuf::from("/sys/fs/cgroup")])
        .map(|hierarchy| hierarchy.join("rrun").join(id))
        .filter(|path| path.exists())
        .collect()
}
