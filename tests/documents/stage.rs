//! A section of a document on a store of its own: its commands, one after the other.

use std::cell::Cell;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::later;

const RRUN: &str = env!("CARGO_BIN_EXE_rrun");

/// As long is waited for what must come; a database that begins takes its time on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A part of a document under one heading.
pub struct Section {
    /// The document's number, and the section's place in it.
    pub id: &'static str,
    /// The heading.
    pub title: &'static str,
    /// Every command of it, in order; what is a block of several lines there is one line here.
    pub commands: &'static [&'static str],
    /// Runs each command with [`Stage::ok`] and its like, and checks what the text says of it.
    pub play: fn(&Stage),
}

/// The images, made once for all sections.
pub struct Images {
    directory: tempfile::TempDir,
}

impl Images {
    /// Makes them, or says why that is not possible.
    pub fn make() -> Result<Self, String> {
        let directory = tempfile::Builder::new().prefix("rrun-documents.").tempdir().unwrap();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("rootfs-fixtures/documents");
        let made = Command::new(fixtures)
            .arg(RRUN)
            .arg("--root")
            .arg(directory.path().join("images"))
            .arg("import")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr);
            return Err(format!("rootfs-fixtures/documents ended with {}\n{said}", made.status));
        }
        Ok(Self { directory })
    }

    /// Another store with the same images: linked, for nobody writes into a layer.
    fn share(&self, store: &Path) {
        let from = self.directory.path().join("images");
        let linked = Command::new("cp").arg("-al").arg(&from).arg(store).status().unwrap();
        assert!(linked.success());
        // A lock is the file's, whatever its name: the stores must not wait for each other.
        for lock in ["lock", "images/lock", "layers/lock"] {
            let _ = fs::remove_file(store.join(lock));
        }
    }

    /// Below it are all stores and scratch directories.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// A store, a working directory, and `docker`, which is rrun on this store.
pub struct Stage {
    directory: tempfile::TempDir,
    commands: &'static [&'static str],
    next: Cell<usize>,
}

impl Stage {
    /// An empty one with the images.
    pub fn new(images: &Images, commands: &'static [&'static str]) -> Self {
        let directory = tempfile::Builder::new().prefix("s.").tempdir_in(images.path()).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(images.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let stage = Self { directory, commands, next: Cell::new(0) };
        images.share(&stage.store());
        fs::create_dir_all(stage.work()).unwrap();
        fs::create_dir_all(stage.path("bin")).unwrap();
        let docker = stage.path("bin/docker");
        let store = stage.store();
        fs::write(&docker, format!("#!/bin/sh\nexec {RRUN} --root {} \"$@\"\n", store.display()))
            .unwrap();
        fs::set_permissions(&docker, fs::Permissions::from_mode(0o755)).unwrap();
        stage
    }

    /// Every command of the section must have been run.
    pub fn end(self) {
        assert_eq!(self.next.get(), self.commands.len(), "some commands were not run");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The store's directory.
    pub fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// What `$(pwd)` is.
    pub fn work(&self) -> PathBuf {
        self.path("work")
    }

    /// Where a directory of the documents' host is here: `/home/user/data`.
    pub fn host(&self, path: &str) -> PathBuf {
        self.path("machine").join(path.trim_start_matches('/'))
    }

    /// The data of a volume.
    pub fn data(&self, volume: &str) -> PathBuf {
        self.store().join("volumes").join(volume).join("_data")
    }

    /// The section's next command as the shell gets it.
    fn next(&self) -> String {
        let command = self.commands[self.next.get()];
        self.next.set(self.next.get() + 1);
        let host = self.path("machine").display().to_string();
        later::without_options(command)
            .replace("/home/user/", &format!("{host}/home/user/"))
            .replace("/host/", &format!("{host}/host/"))
            .replace("sleep 5;", "sleep 0.1;")
    }

    fn shell(&self, line: &str) -> Command {
        let mut shell = Command::new("sh");
        let path = std::env::var("PATH").unwrap();
        shell.arg("-c").arg(line).current_dir(self.work()).env_remove("RRUN_ROOT");
        shell.env("PATH", format!("{}:{path}", self.path("bin").display()));
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        shell
    }

    /// Runs the next command; it must succeed. Returns what it prints.
    pub fn ok(&self) -> String {
        let line = self.next();
        let output = self.shell(&line).output().unwrap();
        assert!(output.status.success(), "{line}: {}", shown(&output));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Runs the next command; it must be refused with this status. Returns the words.
    pub fn refused(&self, status: i32) -> String {
        let line = self.next();
        let output = self.shell(&line).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{line}: {}", shown(&output));
        String::from_utf8(output.stderr).unwrap()
    }

    /// Runs the next command, which would go on for ever, until `enough` of what it has printed;
    /// then it gets SIGTERM. Returns what it has printed.
    pub fn ended_when(&self, enough: impl Fn(&str) -> bool) -> String {
        let line = self.next();
        // The shell is the command's own process then, which gets the signal.
        let mut child = self.shell(&format!("exec {line}")).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut seen = Vec::new();
        let mut buffer = [0; 4096];
        while !enough(&String::from_utf8_lossy(&seen)) {
            let length = stdout.read(&mut buffer).unwrap();
            assert!(length > 0, "{line} has ended: {}", shown(&child.wait_with_output().unwrap()));
            seen.extend(&buffer[..length]);
        }
        signal(&child, rustix::process::Signal::TERM);
        let rest = child.wait_with_output().unwrap();
        seen.extend(rest.stdout);
        String::from_utf8(seen).unwrap()
    }

    /// Runs the next command, which would go on for ever, until `check` of its container is done;
    /// then it gets SIGTERM.
    pub fn ended_after(&self, check: impl Fn(&str)) {
        let line = self.next();
        let child = self.shell(&format!("exec {line}")).spawn().unwrap();
        let mut id = String::new();
        until("its container runs", || {
            id = self.also(&["ps", "-q"]);
            !id.is_empty()
        });
        check(&id);
        signal(&child, rustix::process::Signal::TERM);
        child.wait_with_output().unwrap();
    }

    /// Runs the next command on a terminal and types `input` there. Returns what is seen.
    pub fn on_terminal(&self, input: &str) -> String {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        use rustix::termios::{Winsize, tcsetwinsize};
        let line = self.next();
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        // Without a size psql takes its output for longer than the screen, and asks for a key.
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&ours, size).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let theirs = || fs::File::options().read(true).write(true).open(&name).unwrap();
        let mut shell = self.shell(&format!("exec {line}"));
        shell.stdin(theirs()).stdout(theirs()).stderr(theirs());
        // It must not be the caller's, whose signals it would get.
        shell.process_group(0);
        let mut child = shell.spawn().unwrap();
        drop(shell);
        rustix::io::write(&ours, input.as_bytes()).unwrap();
        let mut seen = Vec::new();
        let mut buffer = [0; 4096];
        // The last one to close the other side makes this an error.
        while let Ok(length @ 1..) = rustix::io::read(&ours, &mut buffer) {
            seen.extend(&buffer[..length]);
        }
        let seen = String::from_utf8_lossy(&seen).into_owned();
        assert!(child.wait().unwrap().success(), "{line}: {seen}");
        seen
    }

    /// A command of the test's own.
    pub fn try_also(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(RRUN);
        command.arg("--root").arg(self.store()).args(arguments);
        command.current_dir(self.work()).env_remove("RRUN_ROOT").stdin(Stdio::null());
        command.output().unwrap()
    }

    /// A command of the test's own, which must succeed.
    pub fn also(&self, arguments: &[&str]) -> String {
        let output = self.try_also(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", shown(&output));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// `docker inspect`, of anything.
    pub fn inspect(&self, name: &str) -> Value {
        let all: Value = serde_json::from_str(&self.also(&["inspect", name])).unwrap();
        all[0].clone()
    }

    /// `running`, `exited`.
    pub fn state(&self, container: &str) -> String {
        self.inspect(container)["State"]["Status"].as_str().unwrap().to_owned()
    }

    /// The first process of a container that runs.
    pub fn pid(&self, container: &str) -> i32 {
        i32::try_from(self.inspect(container)["State"]["Pid"].as_i64().unwrap()).unwrap()
    }

    /// A program in a container that runs.
    pub fn inside(&self, container: &str, arguments: &[&str]) -> Output {
        self.try_also(&[&["exec", container], arguments].concat())
    }

    /// What it prints, if it succeeds.
    pub fn tell(&self, container: &str, arguments: &[&str]) -> String {
        let output = self.inside(container, arguments);
        assert!(output.status.success(), "{container}: {arguments:?}: {}", shown(&output));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // No panic here: it may be one that brought us here.
        let docker = self.path("bin/docker");
        let Ok(listed) = Command::new(&docker).args(["ps", "-aq"]).output() else { return };
        for id in String::from_utf8_lossy(&listed.stdout).lines() {
            let _ = Command::new(&docker).args(["rm", "-f", id]).output();
        }
    }
}

/// An answer, for a message.
pub fn shown(output: &Output) -> String {
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{}\n{out}{err}", output.status)
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    kill(i32::try_from(child.id()).unwrap(), signal);
}

/// Sends a signal.
pub fn kill(pid: i32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Waits until something is true.
pub fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a file has; nothing where there is none yet.
pub fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
