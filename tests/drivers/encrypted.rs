//! Encrypted volumes: what is on disk, where the key is, and what is left when something dies.

use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::bench::{Bench, until};
use crate::need;
use crate::support::Need;

const KEY: &str = "correct horse battery staple 7351";
const MARKER: &str = "plaintext-marker-24601";

/// A bench with the volume `safe`, whose key is in the file `key`.
fn with_volume() -> Bench {
    let bench = Bench::new();
    let key = bench.file("key", &format!("{KEY}\n"));
    let option = format!("key-file={key}");
    bench.rrun(&["volume", "create", "-d", "encrypted", "--opt", &option, "safe"]).ok();
    bench
}

fn files_below(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        found.push(path.clone());
        if path.is_dir() && !path.is_symlink() {
            files_below(&path, found);
        }
    }
}

/// Which names and contents of files below `directory` have `text` in them?
fn with_text(directory: &Path, text: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    files_below(directory, &mut files);
    assert!(!files.is_empty());
    let has = |bytes: &[u8]| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    let in_file = |path: &PathBuf| {
        let content = if path.is_file() { std::fs::read(path).unwrap() } else { Vec::new() };
        has(path.as_os_str().as_bytes()) || has(&content)
    };
    files.into_iter().filter(in_file).collect()
}

/// Processes of the machine whose arguments or environment hold `text`.
fn processes_with(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        for file in ["cmdline", "environ"] {
            let content = std::fs::read(entry.path().join(file)).unwrap_or_default();
            if String::from_utf8_lossy(&content).contains(text) {
                found.push(format!("{}: {file}", entry.path().display()));
            }
        }
    }
    found
}

/// The processes of gocryptfs that serve this bench, which have not ended.
fn daemons(bench: &Bench) -> Vec<i32> {
    let store = bench.text("store");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments).into_owned();
        if arguments.contains("gocryptfs") && arguments.contains(&store) {
            found.extend(entry.file_name().to_str().and_then(|pid| pid.parse::<i32>().ok()));
        }
    }
    found
}

macro_rules! needs {
    () => {
        need!(
            Need::Root,
            Need::Program("gocryptfs"),
            Need::Program("fusermount3"),
            Need::Program("python3"),
            Need::Fuse
        );
    };
}

/// Neither names nor contents are in the store; the key is nowhere; all is read again.
#[test]
fn nothing_is_readable_while_nobody_uses_it() {
    needs!();
    let bench = with_volume();
    let script = format!(
        "echo {MARKER} > /x/{MARKER}; mkdir /x/dir-{MARKER}; ln -s {MARKER} /x/link; \
         chown 1000:1000 /x/{MARKER}; chmod 4750 /x/{MARKER}; mkfifo /x/fifo"
    );
    let started = bench.start(&["-v", "safe:/x"], &script);
    // While it is used, the host sees the files in one place: the mount.
    let data = bench.volume("safe").join("_data");
    assert_eq!(with_text(&data, MARKER).len(), 3, "the search finds what is there");
    assert_eq!(with_text(&bench.volume("safe").join("cipher"), MARKER), [""; 0].map(PathBuf::from));
    assert_eq!(daemons(&bench).len(), 1);
    // The test's own processes are among those that are searched: this one has the key in memory
    // alone.
    assert_eq!(processes_with(KEY), [""; 0]);
    let status = started.end();
    status.ok();
    bench.unused("safe");
    until("gocryptfs has ended", || daemons(&bench).is_empty());
    for text in [MARKER, KEY, "link", "fifo"] {
        let found = with_text(&bench.volume("safe"), text);
        assert_eq!(found, [""; 0].map(PathBuf::from), "{text}");
    }
    assert_eq!(with_text(&bench.path("store"), KEY), [""; 0].map(PathBuf::from));
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 0);
    let script = format!("cat /x/link; stat -c '%u:%g %a' /x/{MARKER}; test -p /x/fifo && echo p");
    let read = bench.run(&["-v", "safe:/x:ro"], &script);
    assert_eq!(read.ok(), format!("{MARKER}\n1000:1000 4750\np"));
    let shown = bench.rrun(&["volume", "inspect", "safe"]);
    assert!(!shown.ok().contains(KEY) && shown.out.contains("key-file"));
    // A user of the container's own works in it.
    bench.run(&["-v", "safe:/x"], "chmod 777 /x").ok();
    bench.run(&["-v", "safe:/x", "-u", "1234:1234"], "echo a > /x/own; cat /x/own").ok();
    assert_eq!(bench.run(&["-v", "safe:/x"], "stat -c %u /x/own").ok(), "1234");
    bench.rrun(&["volume", "rm", "safe"]).ok();
    assert!(!bench.volume("safe").exists());
}

/// Copy-up goes through the encryption, too.
#[test]
fn copy_up() {
    needs!();
    let bench = with_volume();
    assert!(bench.run(&["-v", "safe:/etc"], "cat /etc/passwd").ok().contains("root:x:0:0"));
    assert_eq!(with_text(&bench.volume("safe"), "root:x:0:0"), [""; 0].map(PathBuf::from));
    assert_eq!(with_text(&bench.volume("safe"), "passwd"), [""; 0].map(PathBuf::from));
}

/// A wrong key is refused before anything is mounted or made.
#[test]
fn wrong_keys() {
    needs!();
    let bench = with_volume();
    let data = bench.volume("safe").join("_data");
    let refuse = |words: &str| {
        let refused = bench.run(&["-v", "safe:/x"], "echo ran");
        let words = format!("error while mounting volume '{}': {words}", data.display());
        refused.failed(125, &words);
        assert_eq!((refused.out.as_str(), bench.mounts().len()), ("", 0));
        bench.unused("safe");
        assert_eq!(daemons(&bench).len(), 0);
    };
    bench.file("key", "wrong\n");
    refuse("the key is wrong");
    bench.file("key", "");
    refuse(&format!("no key from key-file {}: the key is empty", bench.text("key")));
    std::fs::remove_file(bench.path("key")).unwrap();
    refuse(&format!("no key from key-file {}: No such file or directory", bench.text("key")));
    bench.file("key", KEY);
    bench.run(&["-v", "safe:/x"], "true").ok();

    let create = |options: &[&str], words: &str| {
        let line = [&["volume", "create", "-d", "encrypted"], options, &["other"]].concat();
        bench.rrun(&line).failed(1, words);
        bench.rrun(&["volume", "inspect", "other"]).failed(1, "no such volume");
    };
    create(&["--opt", "key-file=/nope"], "no key from key-file /nope: No such file");
    create(&["--opt", "key-file=key"], "invalid key-file: 'key' path must be absolute");
    create(&["--opt", "password=x"], "invalid option: \"password\"");
    create(&["--opt", "key-command=exit 4"], "no key from key-command: the command failed");
    create(&[], "there is no terminal to ask for the passphrase at");
}

/// One mount for two containers, begun at once and ended at once; gone with the last.
#[test]
fn two_containers() {
    needs!();
    let bench = with_volume();
    let pair = || {
        let words = ["run", "--rm", "-v", "safe:/x", "alpine", "sh", "-c", "date > /x/$HOSTNAME"];
        let spawn = || bench.command(&words).spawn().unwrap();
        let mut both = [spawn(), spawn()];
        assert!(both.iter_mut().all(|child| child.wait().unwrap().success()));
        bench.unused("safe");
    };
    pair();
    pair();
    assert_eq!(bench.run(&["-v", "safe:/x"], "ls /x | wc -l").ok(), "4");
    let first = bench.start(&["-v", "safe:/x"], "echo 1 > /x/shared");
    let second = bench.start(&["-v", "safe:/x"], "cat /x/shared >&2");
    assert_eq!(daemons(&bench).len(), 1);
    first.end().ok();
    assert_eq!(daemons(&bench).len(), 1);
    assert_eq!(bench.run(&["-v", "safe:/x"], "cat /x/shared").ok(), "1");
    assert_eq!(second.end().err, "1\n");
    until("gocryptfs has ended", || daemons(&bench).is_empty());
    bench.unused("safe");
}

/// rrun killed, gocryptfs killed: the next command mends.
#[test]
fn killed() {
    needs!();
    let bench = with_volume();
    bench.start(&["-v", "safe:/x"], "echo kept > /x/f").kill();
    assert_eq!(bench.mounts().len(), 1, "nobody was there to undo it");
    assert_eq!(bench.run(&["-v", "safe:/x"], "cat /x/f").ok(), "kept");
    bench.unused("safe");
    until("gocryptfs has ended", || daemons(&bench).is_empty());

    let started = bench.start(&["-v", "safe:/x"], "true");
    let kill = nix::sys::signal::Signal::SIGKILL;
    for pid in daemons(&bench) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), kill).unwrap();
    }
    started.end().ok();
    bench.unused("safe");
    assert_eq!(bench.run(&["-v", "safe:/x"], "cat /x/f").ok(), "kept");

    bench.start(&["-v", "safe:/x"], "true").kill();
    for id in bench.rrun(&["ps", "-aq"]).ok().lines() {
        bench.rrun(&["rm", "-f", id]).ok();
    }
    bench.rrun(&["volume", "rm", "safe"]).ok();
    assert_eq!(bench.mounts().len(), 0);
    until("gocryptfs has ended", || daemons(&bench).is_empty());
}

/// The other ways to a key: a command of the user's, in the user's surroundings; the terminal.
#[test]
fn commands_and_terminals() {
    needs!();
    let mut bench = Bench::new();
    bench.set("KEY_IS_AT", bench.file("kept", KEY));
    let option = ["--opt", "key-command=cat \"$KEY_IS_AT\""];
    let create = [&["volume", "create", "-d", "encrypted"], option.as_slice(), &["cmd"]].concat();
    bench.rrun(&create).ok();
    bench.run(&["-v", "cmd:/x"], "echo yes > /x/f").ok();
    assert_eq!(bench.run(&["-v", "cmd:/x"], "cat /x/f").ok(), "yes");
    assert_eq!(with_text(&bench.path("store"), KEY), [""; 0].map(PathBuf::from));

    let (status, screen) = at_terminal(&bench, &[KEY, KEY], "volume create -d encrypted asked");
    assert_eq!(status, 0, "{screen}");
    assert!(screen.contains("Passphrase of volume asked: ") && screen.contains("The same again: "));
    assert!(!screen.contains(KEY), "{screen}");
    // One question for copy-up and start together.
    let line = "run --rm -v asked:/etc alpine grep -c root: /etc/passwd";
    let (status, screen) = at_terminal(&bench, &[KEY], line);
    assert_eq!((status, screen.matches("Passphrase").count()), (0, 1), "{screen}");
    let (status, screen) = at_terminal(&bench, &["wrong"], line);
    assert!(status == 125 && screen.contains("the key is wrong"), "{status} {screen}");
    let (status, screen) = at_terminal(&bench, &["a", "b"], "volume create -d encrypted other");
    assert!(status == 1 && screen.contains("the two are not the same"), "{status} {screen}");
    let (status, screen) = at_terminal(&bench, &["abc\u{3}"], line);
    assert!(status == 125 && screen.contains("interrupted"), "{status} {screen}");
    assert!(screen.ends_with("echo is on\r\n"), "{screen}");
}

/// Runs rrun at a terminal of its own, with an answer to each question; its status and the screen.
fn at_terminal(bench: &Bench, answers: &[&str], line: &str) -> (i32, String) {
    const ASK: &str = r#"
import os, pty, re, sys
line, *answers = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    line += "; s=$?; stty -a | grep -q -- ' echo ' && echo echo is on; exit $s"
    os.execvp("sh", ["sh", "-c", line])
screen = b""
while True:
    try:
        part = os.read(terminal, 4096)
    except OSError:
        break
    if not part:
        break
    screen += part
    if answers and re.search(rb"(Passphrase[^:]*|again): $", screen):
        os.write(terminal, answers.pop(0).encode() + b"\n")
sys.stdout.buffer.write(screen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;
    let rrun = bench.command(&[]);
    let words = format!("{} {line}", rrun.get_program().to_str().unwrap());
    let mut python = Command::new("python3");
    python.args(["-c", ASK, &words]).args(answers);
    python.envs(rrun.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = python
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut screen = String::new();
    child.stdout.take().unwrap().read_to_string(&mut screen).unwrap();
    (child.wait().unwrap().code().unwrap(), screen)
}

/// Without gocryptfs the error names what to install; a plain gocryptfs reads the volume.
#[test]
fn the_program() {
    needs!();
    let mut bench = with_volume();
    bench.run(&["-v", "safe:/x"], "echo kept > /x/f").ok();
    // The user's own way to the data, without rrun.
    let place = bench.directory("place");
    let mut gocryptfs = Command::new("gocryptfs");
    gocryptfs.args(["-q", "-ro", "-nosyslog"]).arg(bench.volume("safe").join("cipher")).arg(&place);
    let mut gocryptfs = gocryptfs.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    gocryptfs.stdin.take().unwrap().write_all(KEY.as_bytes()).unwrap();
    assert!(gocryptfs.wait().unwrap().success());
    assert_eq!(std::fs::read_to_string(place.join("f")).unwrap(), "kept\n");
    rustix::mount::unmount(&place, rustix::mount::UnmountFlags::empty()).unwrap();

    bench.set("PATH", bench.directory("empty").to_str().unwrap());
    let refused = bench.run(&["-v", "safe:/x"], "true");
    refused.failed(125, "': gocryptfs is not installed\n  hint: ");
    refused.failed(125, "needs the program gocryptfs, of the package gocryptfs");
    let option = format!("key-file={}", bench.text("key"));
    let create = ["volume", "create", "-d", "encrypted", "--opt", &option, "other"];
    bench.rrun(&create).failed(1, "create other: gocryptfs is not installed");
}
