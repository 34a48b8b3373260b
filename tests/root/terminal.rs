//! A terminal of the container's own, connected to the caller's.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::harness::{Bundle, Ended};
use crate::need;
use crate::support::Need;

/// Drives the container on a pty of its own: the script has `run(size)`, `read(until)`, `write`,
/// `resize`, `modes` and `end`.
const DRIVER: &str = r#"
import fcntl, os, pty, select, signal, struct, sys, termios, time
def size_of(fd): return struct.unpack('HHHH', fcntl.ioctl(fd, termios.TIOCGWINSZ, b'\0' * 8))[:2]
def resize(rows, columns):
    fcntl.ioctl(outer, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
def modes(): return termios.tcgetattr(inner)[:4]
outer, inner = pty.openpty()
resize(24, 80)
before = modes()
seen = b''
def run():
    global child
    child = os.fork()
    if child == 0:
        os.setsid()
        fcntl.ioctl(inner, termios.TIOCSCTTY, 0)
        for number in range(3): os.dup2(inner, number)
        os.closerange(3, 64)
        os.execv(sys.argv[1], sys.argv[1:])
def read(until, seconds=10):
    global seen
    end = time.time() + seconds
    while until not in seen:
        if not select.select([outer], [], [], max(0, end - time.time()))[0]:
            print('timeout waiting for', until, 'after', seen); os.kill(child, 9); sys.exit(1)
        seen += os.read(outer, 4096)
    before, _, seen = seen.partition(until)
    return before.decode()
def write(text): os.write(outer, text)
def end():
    status = os.waitpid(child, 0)[1]
    return os.waitstatus_to_exitcode(status)
"#;

fn drive(bundle: &Bundle, script: &str) -> Ended {
    drive_command(&bundle.command(), script)
}

/// Runs `command` on a pty of a script's.
pub fn drive_command(command: &Command, script: &str) -> Ended {
    let mut python = Command::new("python3");
    python.arg("-").arg(command.get_program()).args(command.get_args());
    python.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = python.spawn().unwrap();
    let text = format!("{DRIVER}\n{script}");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

fn bundle(script: &str) -> Bundle {
    let mut bundle = Bundle::new();
    bundle.config["process"]["terminal"] = json!(true);
    bundle.sh(script);
    bundle
}

/// The process has a terminal of the container's devpts, of the caller's size; it is the
/// console, and the session's own.
#[test]
fn what_it_is() {
    need!(Need::Root, Need::Program("python3"));
    let bundle = bundle(
        "tty; stty size; stat -c '%t:%T' /dev/console $(tty); echo x > /dev/tty && echo own; \
         stty -a | grep -o -- '-\\?onlcr'; stat -c '%a %u' $(tty); \
         test -t 0 && test -t 1 && test -t 2 && echo all",
    );
    let ended = drive(&bundle, "run()\nprint(read(b'all'))\nprint(end())");
    let out = ended.ok().replace('\r', "");
    assert_eq!(out, "/dev/pts/0\n24 80\n88:0\n88:0\nx\nown\n-onlcr\n620 0\n\n0\n", "{}", ended.err);
}

/// A change of the window's size goes in; modes are raw meanwhile and as before afterwards.
#[test]
fn resize_and_modes() {
    need!(Need::Root, Need::Program("python3"));
    let bundle = bundle(
        "trap 'stty size' WINCH; echo ready; until read line; do :; done; echo got $line; exit 9",
    );
    let ended = drive(
        &bundle,
        "run(); read(b'ready\\r\\n'); print(modes() != before)\n\
         resize(50, 132); read(b'50 132\\r\\n')\n\
         write(b'typed\\r'); read(b'got typed\\r\\n')\n\
         print(end()); print(modes() == before)",
    );
    assert_eq!(ended.ok(), "True\n9\nTrue\n", "{}", ended.err);
}

/// ^C goes to the container's processes, not to rrun; a container that is killed leaves the
/// caller's modes as they were.
#[test]
fn keys_and_a_violent_end() {
    need!(Need::Root, Need::Program("python3"));
    let bundle = bundle(
        "trap 'echo caught' INT; echo ready; read a; read b; kill -9 -1; kill -9 $$; \
        exit 4",
    );
    let ended = drive(
        &bundle,
        "run(); read(b'ready\\r\\n'); write(b'\\x03'); read(b'caught\\r\\n')\n\
         write(b'\\r\\r'); print(end()); print(modes() == before)",
    );
    assert_eq!(ended.ok(), "4\nTrue\n", "{}", ended.err);
}

/// A signal that ends rrun by way of the container restores the modes too; so does a failure in
/// set-up.
#[test]
fn modes_after_signals_and_failures() {
    need!(Need::Root, Need::Program("python3"));
    let one = bundle("trap 'exit 5' TERM; echo ready; while :; do sleep 1 & wait; done");
    let ended = drive(
        &one,
        "run(); read(b'ready\\r\\n'); os.kill(child, signal.SIGTERM)\n\
         print(end()); print(modes() == before)",
    );
    assert_eq!(ended.ok(), "5\nTrue\n", "{}", ended.err);
    let mut two = bundle("true");
    two.args(&["/nowhere"]);
    let ended = drive(&two, "run(); read(b'no such file'); print(end()); print(modes() == before)");
    assert_eq!(ended.ok(), "1\nTrue\n", "{}", ended.err);
}

/// The size that the config gives, where the caller has no terminal; what is typed comes from a
/// pipe, and its end is the end of what is typed.
#[test]
fn without_a_terminal_of_the_caller_s() {
    need!(Need::Root);
    let mut bundle = bundle("stty size; cat; echo end");
    bundle.config["process"]["consoleSize"] = json!({"height": 11, "width": 22});
    let ended = bundle.host("echo typed | $RUN");
    let out = ended.ok().replace('\r', "");
    // When the echo of what is typed comes is the terminal's business.
    assert_eq!(out.matches("typed\n").count(), 2, "{out}");
    assert_eq!(out.replace("typed\n", ""), "11 22\nend\n");
}

/// The terminal belongs to the container's user.
#[test]
fn owner() {
    need!(Need::Root);
    for user_namespace in [false, true] {
        let mut bundle = bundle("stat -c %u $(tty); echo x > $(tty)");
        bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        if user_namespace {
            bundle.namespace("user");
        }
        assert_eq!(bundle.run().ok().replace('\r', ""), "1000\nx\n");
    }
}

/// Without a mount namespace the terminal is one of the host's.
#[test]
fn without_a_mount_namespace() {
    need!(Need::Root);
    let mut bundle = bundle("stty size; test -t 0 && echo terminal");
    bundle.without_namespace("mount").without_namespace("cgroup");
    bundle.config["mounts"] = json!([]);
    bundle.config["linux"]["maskedPaths"] = json!([]);
    bundle.config["linux"]["readonlyPaths"] = json!([]);
    bundle.config["process"]["consoleSize"] = json!({"height": 11, "width": 22});
    assert_eq!(bundle.run().ok().replace('\r', ""), "11 22\nterminal\n");
}

/// A lot of output arrives whole, also what was written right before the end.
#[test]
fn all_of_the_output() {
    need!(Need::Root);
    let bundle = bundle("seq 100000");
    let ended = bundle.run();
    let lines: Vec<&str> = ended.ok().lines().collect();
    assert_eq!((lines.len(), lines[99_999].trim()), (100_000, "100000"));
}
