//! A bundle to run: a root file system of busybox, and a config that a test changes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;

/// What a run said.
#[derive(Debug)]
pub struct Said {
    /// Its exit status.
    pub status: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

/// A bundle, and the runtime's state beside it.
pub struct Bundle {
    scratch: TempDir,
    /// The config, as it will be written.
    pub config: Value,
}

/// Are we in `scripts/sandbox`? Cgroups may be made only there.
pub fn is_sandbox() -> bool {
    let inside = std::env::var_os("RRUN_SANDBOX").is_some();
    if !inside {
        println!("skipped: only in scripts/sandbox");
    }
    inside
}

/// The root file system, made once.
fn archive() -> &'static [u8] {
    static ARCHIVE: OnceLock<Vec<u8>> = OnceLock::new();
    ARCHIVE.get_or_init(|| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/rootfs-fixtures/alpine");
        let made = Command::new(script).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        made.stdout
    })
}

/// The id that every container here has.
pub const ID: &str = "isolation-test";

impl Bundle {
    /// A bundle whose process is `sh -c script`, with a cgroup namespace.
    pub fn new(script: &str) -> Self {
        let scratch = tempfile::tempdir_in("/run").unwrap();
        let root = scratch.path().join("root");
        fs::create_dir(&root).unwrap();
        let mut tar = Command::new("tar")
            .args(["-x", "-C"])
            .arg(&root)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        tar.stdin.take().unwrap().write_all(archive()).unwrap();
        assert!(tar.wait().unwrap().success());
        let mut config: Value = rrun::config::default_spec::json();
        config["process"]["args"] = json!(["sh", "-c", script]);
        config["process"]["terminal"] = json!(false);
        config["root"] = json!({"path": root, "readonly": false});
        let mut bundle = Self { scratch, config };
        bundle.namespaces(|kinds| {
            kinds.retain(|kind| kind["type"] != "cgroup");
            kinds.push(json!({"type": "cgroup"}));
        });
        bundle
    }

    /// Changes the list of namespaces.
    pub fn namespaces(&mut self, change: impl FnOnce(&mut Vec<Value>)) {
        change(self.config["linux"]["namespaces"].as_array_mut().unwrap());
    }

    /// Leaves a namespace to the host.
    pub fn without_namespace(&mut self, kind: &str) {
        self.namespaces(|kinds| kinds.retain(|it| it["type"] != kind));
    }

    /// Gives the process a capability.
    pub fn capability(&mut self, name: &str) {
        for set in ["bounding", "effective", "permitted"] {
            let names = self.config["process"]["capabilities"][set].as_array_mut().unwrap();
            names.push(json!(name));
        }
    }

    /// Adds a mount of cgroups that can be written.
    pub fn writable_cgroups(&mut self) {
        let mounts = self.config["mounts"].as_array_mut().unwrap();
        mounts.retain(|mount| mount["type"] != "cgroup");
        mounts.push(json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
            "options": ["nosuid", "nodev", "noexec"]}));
    }

    /// A place for files beside the bundle.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// The command that runs it.
    pub fn command(&self) -> Vec<String> {
        let config = serde_json::to_vec(&self.config).unwrap();
        fs::write(self.scratch.path().join("config.json"), config).unwrap();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let program = env!("CARGO_BIN_EXE_rrun-oci").to_owned();
        let state = text(&self.scratch.path().join("state"));
        let bundle = text(self.scratch.path());
        let options = ["--root", &state, "run", "--bundle", &bundle, ID].map(str::to_owned);
        [program].into_iter().chain(options).collect()
    }

    /// Runs it.
    pub fn run(&self) -> Said {
        run(&self.command())
    }

    /// Runs it after `preparation`, shell commands, in a mount namespace of its own.
    pub fn run_after(&self, preparation: &str) -> Said {
        let script = format!("set -e; {preparation}; exec \"$@\"");
        let mut command: Vec<String> =
            ["unshare", "--mount", "sh", "-c", &script, "sh"].map(str::to_owned).to_vec();
        command.extend(self.command());
        run(&command)
    }
}

fn run(command: &[String]) -> Said {
    let output =
        Command::new(&command[0]).args(&command[1..]).stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let status = output.status.code().unwrap_or(-1);
    Said { status, out: text(output.stdout), err: text(output.stderr) }
}

/// Every cgroup of the sandbox.
pub fn all_cgroups() -> Vec<PathBuf> {
    let mut to_visit = vec![PathBuf::from("/sys/fs/cgroup")];
    let mut all = Vec::new();
    while let Some(at) = to_visit.pop() {
        for entry in fs::read_dir(&at).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                to_visit.push(entry.path());
            }
        }
        all.push(at);
    }
    all.sort();
    all
}
