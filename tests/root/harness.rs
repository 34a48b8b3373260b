//! A bundle in a temporary directory, run through `rrun-oci`, and what is left when it has ended.
//!
//! The root file system is the machine's static busybox. The command runs in a mount namespace of
//! its own, so that a test may mount what it likes around the bundle. When a bundle is dropped,
//! the machine must know nothing of it any more: no mount, no process, no state.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// The program under test.
pub const RRUN_OCI: &str = env!("CARGO_BIN_EXE_rrun-oci");

/// The busybox programs that containers use.
const PROGRAMS: &str = "sh ash echo cat ls stat mount umount mkdir rmdir touch rm ln readlink \
    mknod \
    chmod chown id hostname env true false sleep kill test head tail grep wc seq find cp dd tr \
    printf stty tty sync date cut sort od mountpoint ip ulimit nproc ps setsid expr dirname \
    basename awk sed tee getopt uname df mkfifo ipcs xargs printenv whoami usleep pidof";

/// A bundle.
pub struct Bundle {
    directory: tempfile::TempDir,
    /// Its config; written when it is run.
    pub config: Value,
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
    /// Standard output of a container that ended well.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert_eq!(self.status, 0, "out: {}\nerr: {}", self.out, self.err);
        &self.out
    }

    /// rrun-oci refused, and said `words` in one line with the word `error`.
    #[track_caller]
    pub fn refused(&self, words: &str) {
        assert_eq!(self.status, 1, "out: {}\nerr: {}", self.out, self.err);
        assert!(self.err.starts_with("error: "), "{}", self.err);
        assert!(self.err.contains(words), "{words:?} is not in {}", self.err);
    }

    /// Every one of `words` was written.
    #[track_caller]
    pub fn says(&self, words: &[&str]) {
        for word in words {
            assert!(self.out.contains(word), "{word:?} is not in {}\n{}", self.out, self.err);
        }
    }
}

impl Bundle {
    /// A bundle with the config that `rrun-oci spec` writes, but for its terminal and its
    /// read-only root.
    pub fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("rrun-root.").tempdir().unwrap();
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
        make_root(&directory.path().join("rootfs"));
        let mut spec = Command::new(RRUN_OCI);
        let status = spec.arg("spec").arg("--bundle").arg(directory.path()).status().unwrap();
        assert!(status.success());
        let text = std::fs::read(directory.path().join("config.json")).unwrap();
        let mut config: Value = serde_json::from_slice(&text).unwrap();
        config["process"]["terminal"] = json!(false);
        config["root"]["readonly"] = json!(false);
        Self { directory, config }
    }

    /// The container's id: also its cgroup's name, so no other's.
    pub fn id(&self) -> &str {
        self.directory.path().file_name().unwrap().to_str().unwrap()
    }

    /// A path in the bundle.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The same as text.
    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// A path in the root.
    pub fn root(&self, name: &str) -> PathBuf {
        self.directory.path().join("rootfs").join(name.trim_start_matches('/'))
    }

    /// Makes a directory in the bundle.
    pub fn directory(&self, name: &str) -> String {
        std::fs::create_dir_all(self.path(name)).unwrap();
        self.text(name)
    }

    /// The container runs this program.
    pub fn args(&mut self, args: &[&str]) -> &mut Self {
        self.config["process"]["args"] = json!(args);
        self
    }

    /// The container runs this script; `$ALL` are all capabilities it has.
    pub fn sh(&mut self, script: &str) -> &mut Self {
        self.args(&["sh", "-c", script])
    }

    /// One more mount.
    pub fn mount(&mut self, mount: Value) -> &mut Self {
        self.config["mounts"].as_array_mut().unwrap().push(mount);
        self
    }

    /// One more bind mount.
    pub fn bind(&mut self, source: &str, destination: &str, options: &[&str]) -> &mut Self {
        self.mount(json!({
            "type": "bind", "source": source, "destination": destination, "options": options,
        }))
    }

    /// A namespace of `kind` by path.
    pub fn join(&mut self, kind: &str, path: &str) -> &mut Self {
        self.without_namespace(kind);
        self.namespaces().push(json!({"type": kind, "path": path}));
        self
    }

    /// A new namespace of `kind`.
    pub fn namespace(&mut self, kind: &str) -> &mut Self {
        self.without_namespace(kind);
        self.namespaces().push(json!({"type": kind}));
        self
    }

    /// No namespace of `kind`.
    pub fn without_namespace(&mut self, kind: &str) -> &mut Self {
        self.namespaces().retain(|entry| entry["type"] != kind);
        self
    }

    fn namespaces(&mut self) -> &mut Vec<Value> {
        self.config["linux"]["namespaces"].as_array_mut().unwrap()
    }

    /// All five sets are `names`.
    pub fn capabilities(&mut self, names: &[&str]) -> &mut Self {
        let mut sets = json!({});
        for set in ["bounding", "effective", "permitted", "inheritable", "ambient"] {
            sets[set] = json!(names);
        }
        self.config["process"]["capabilities"] = sets;
        self
    }

    /// Writes the config down.
    pub fn write(&self) {
        let text = serde_json::to_vec_pretty(&self.config).unwrap();
        std::fs::write(self.path("config.json"), text).unwrap();
    }

    /// Runs the container.
    pub fn run(&self) -> Ended {
        self.host("$RUN")
    }

    /// Runs a script on the host's side, in a mount namespace of its own, which is private.
    ///
    /// `$RUN` runs the container; `$B` is the bundle.
    pub fn host(&self, script: &str) -> Ended {
        self.host_command(script).output().unwrap().into()
    }

    /// As [`Bundle::host`], not started yet.
    pub fn host_command(&self, script: &str) -> Command {
        self.write();
        let mut command = Command::new("timeout");
        command.args(["-s", "KILL", "60", "unshare", "--mount", "--propagation", "private"]);
        command.args(["bash", "-c", script]).stdin(Stdio::null());
        self.environment(&mut command);
        command
    }

    fn environment(&self, command: &mut Command) {
        let directory = self.text("");
        let directory = directory.trim_end_matches('/');
        let id = self.id();
        let run = format!("{RRUN_OCI} --root {directory}/state run --bundle {directory} {id}");
        command.env("B", directory).env("RUN", run);
    }

    /// `rrun-oci run` itself, without a shell or a namespace around it.
    pub fn command(&self) -> Command {
        self.write();
        let mut command = Command::new(RRUN_OCI);
        command.arg("--root").arg(self.path("state")).args(["run", "--bundle"]);
        command.arg(self.path("")).arg(self.id());
        command
    }
}

/// The machine must not know of the bundle any more.
impl Drop for Bundle {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let name = self.id();
        let left: Vec<String> = processes_that_mount(name);
        assert!(left.is_empty(), "processes that are left: {left:?}");
        let own = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!own.contains(name), "a mount is left on the host:\n{own}");
        let state = std::fs::read_dir(self.path("state")).into_iter().flatten();
        let state: Vec<_> = state.map(|entry| entry.unwrap().file_name()).collect();
        // Compiled filters are kept, and the file that claims are made under the lock of.
        let kept = |name: &&std::ffi::OsString| *name == ".seccomp" || *name == ".lock";
        let state: Vec<_> = state.iter().filter(|name| !kept(name)).collect();
        assert!(state.is_empty(), "state is left: {state:?}");
        let hierarchies = std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten();
        let cgroups: Vec<PathBuf> = hierarchies
            .map(|entry| entry.unwrap().path().join(name))
            .chain([Path::new("/sys/fs/cgroup").join(name)])
            .filter(|path| path.exists())
            .collect();
        assert!(cgroups.is_empty(), "cgroups are left: {cgroups:?}");
    }
}

/// Processes whose mount table names the bundle: its container's, and what a test started for it.
fn processes_that_mount(name: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes
        .filter(|entry| {
            let table = std::fs::read_to_string(entry.path().join("mountinfo"));
            table.is_ok_and(|table| table.contains(name))
        })
        .map(|entry| {
            let line = std::fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
            format!("{}: {}", entry.file_name().display(), line.replace('\0', " "))
        })
        .collect()
}

fn make_root(root: &Path) {
    for directory in ["bin", "etc", "dev", "proc", "sys", "tmp", "root"] {
        std::fs::create_dir_all(root.join(directory)).unwrap();
    }
    std::fs::set_permissions(root.join("tmp"), PermissionsExt::from_mode(0o1777)).unwrap();
    std::fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    for program in PROGRAMS.split_whitespace() {
        symlink("busybox", root.join("bin").join(program)).unwrap();
    }
    let passwd = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n";
    std::fs::write(root.join("etc/passwd"), passwd).unwrap();
}

/// One line of mountinfo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    pub target: String,
    /// The flags of the mount, without `rw`.
    pub flags: Vec<String>,
    /// `shared`, `master`, `unbindable`; empty for private.
    pub propagation: Vec<String>,
    pub kind: String,
    pub source: String,
    /// The options of the file system.
    pub options: Vec<String>,
}

/// The lines of a mountinfo.
pub fn mounts(text: &str) -> Vec<Mount> {
    text.lines().filter_map(mount).collect()
}

fn mount(line: &str) -> Option<Mount> {
    let (mine, other) = line.split_once(" - ")?;
    let words = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
    let fields: Vec<&str> = mine.split(' ').collect();
    let mut rest = other.split(' ');
    Some(Mount {
        target: (*fields.get(4)?).to_owned(),
        flags: words(fields.get(5)?).into_iter().filter(|flag| flag != "rw").collect(),
        propagation: fields[6..].iter().map(|p| (*p).to_owned()).collect(),
        kind: rest.next()?.to_owned(),
        source: rest.next()?.to_owned(),
        options: words(rest.next()?),
    })
}

/// The topmost mount at `target`.
#[track_caller]
pub fn at(text: &str, target: &str) -> Mount {
    let found = mounts(text).into_iter().rfind(|mount| mount.target == target);
    found.unwrap_or_else(|| panic!("no mount at {target} in\n{text}"))
}

/// The flags of the topmost mount at `target`, as mountinfo has them.
#[track_caller]
pub fn flags(text: &str, target: &str) -> String {
    at(text, target).flags.join(",")
}
