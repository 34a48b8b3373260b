//! Containers of `rrun`, in a store of a test's own whose only image is the busybox root of a
//! bundle, `box`.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Bundle, Ended};

/// The program under test.
pub const RRUN: &str = env!("CARGO_BIN_EXE_rrun");

/// A store. When it is dropped, the containers that run are ended.
pub struct Store {
    bundle: Bundle,
    running: Vec<Child>,
}

impl Store {
    /// A store with the image `box`; `script` changes its root (`$R`) before.
    pub fn with_root(script: &str) -> Self {
        let bundle = Bundle::new();
        let script = format!(
            "set -e; R=$B/rootfs; {script}\ntar -C $R --xattrs --xattrs-include='*' -c . | \
             $RRUN --root $B/store import -c 'CMD [\"/bin/sh\"]' - box"
        );
        let mut command = Command::new("bash");
        command.args(["-c", &script]).env("B", bundle.path("")).env("RRUN", RRUN);
        let ended: Ended = command.output().unwrap().into();
        ended.ok();
        Self { bundle, running: Vec::new() }
    }

    /// A store with the image `box`.
    pub fn new() -> Self {
        Self::with_root(":")
    }

    /// A path beside the store.
    pub fn path(&self, name: &str) -> PathBuf {
        self.bundle.path(name)
    }

    /// A command of `rrun`.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("timeout");
        command.args(["-s", "KILL", "60", RRUN, "--root"]).arg(self.bundle.path("store"));
        command.args(arguments).env("NO_COLOR", "1").stdin(Stdio::null());
        command.current_dir(self.bundle.path(""));
        command
    }

    /// As [`Store::command`], the program itself.
    pub fn plain(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(RRUN);
        command.arg("--root").arg(self.bundle.path("store")).args(arguments);
        command
    }

    /// Runs `rrun` to its end.
    pub fn rrun(&self, arguments: &[&str]) -> Ended {
        self.command(arguments).output().unwrap().into()
    }

    /// As [`Store::rrun`], with standard input.
    pub fn rrun_with(&self, arguments: &[&str], input: &[u8]) -> Ended {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        output.into()
    }

    /// A script beside the store; `$RRUN` is the program with the store, `$B` the directory.
    pub fn sh(&self, script: &str) -> Ended {
        let mut command = Command::new("timeout");
        command.args(["-s", "KILL", "100", "bash", "-c", script]).stdin(Stdio::null());
        let store = self.bundle.text("store");
        command.env("B", self.bundle.path("")).env("RRUN", format!("{RRUN} --root {store}"));
        command.current_dir(self.bundle.path("")).output().unwrap().into()
    }

    /// Starts a container called `name` with these further arguments of `run`, and waits until it
    /// runs. It sleeps.
    #[track_caller]
    pub fn start(&mut self, name: &str, arguments: &[&str]) {
        self.start_command(name, arguments, &["sleep", "1000"]);
    }

    /// As [`Store::start`] with another command than sleep.
    #[track_caller]
    pub fn start_command(&mut self, name: &str, arguments: &[&str], words: &[&str]) {
        let all = [&["run", "--name", name], arguments, &["box"], words].concat();
        // Without the limit of a minute around it: it is ended with the store.
        let mut long = self.plain(&all);
        long.stdin(Stdio::null()).stdout(Stdio::null()).current_dir(self.bundle.path(""));
        self.running.push(long.spawn().unwrap());
        let end = Instant::now() + Duration::from_secs(20);
        while self.rrun(&["exec", name, "true"]).status != 0 {
            assert!(Instant::now() < end, "{name} does not run");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The process id of a container's first process, on the host.
    pub fn pid(&self, name: &str) -> u32 {
        let state = self.rrun(&["inspect", "-f", "{{.State.Pid}}", name]);
        state.ok().trim().parse().unwrap()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let names = self.rrun(&["ps", "-aq"]);
        let names: Vec<&str> = names.out.split_whitespace().collect();
        if !names.is_empty() {
            self.rrun(&[&["rm", "-f", "-v"], &names[..]].concat());
        }
        for child in &mut self.running {
            let _ = child.wait();
        }
    }
}
