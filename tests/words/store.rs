//! A store of the test's own, and what rrun answers with it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const RRUN: &str = env!("CARGO_BIN_EXE_rrun");

/// More than any command takes that only refuses something.
const PATIENCE: Duration = Duration::from_secs(30);

/// A store of the test's own.
pub struct Store {
    directory: tempfile::TempDir,
}

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Store {
    /// An empty store.
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// A store with the image `alpine`.
    pub fn with_image() -> Self {
        let store = Self::new();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("rootfs-fixtures/alpine");
        let mut tar = Command::new(fixture).stdout(Stdio::piped()).spawn().unwrap();
        let import = store
            .command(&["import", "-c", "CMD [\"/bin/sh\"]", "-", "alpine"])
            .stdin(tar.stdout.take().unwrap())
            .output()
            .unwrap();
        assert!(tar.wait().unwrap().success());
        assert!(import.status.success(), "{import:?}");
        store
    }

    /// A directory beside the store, for the test's own files.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The store's own directory.
    pub fn path(&self) -> PathBuf {
        self.beside("store")
    }

    /// rrun with this store.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(RRUN);
        command.arg("--root").arg(self.path()).args(arguments);
        command.env_remove("RRUN_ROOT").stdin(Stdio::null());
        command
    }

    /// Runs rrun with this store, and ends it if it hangs.
    pub fn rrun(&self, arguments: &[&str]) -> Answer {
        answer(self.command(arguments))
    }
}

/// Runs a command to its end; one that hangs is ended, and the test with it.
pub fn answer(mut command: Command) -> Answer {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    // What these commands print fits into a pipe.
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{command:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Answer { status: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
}
