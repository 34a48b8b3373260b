//! Attaching: output, input, status, the keys that let go.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::Stdio;

use crate::bench::{Bench, kill, until};

/// What is read until `text` has come.
fn read_until(terminal: &OwnedFd, text: &str) -> String {
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    while !seen.contains(text) {
        match rustix::io::read(terminal, &mut buffer) {
            Ok(length) if length > 0 => seen += &String::from_utf8_lossy(&buffer[..length]),
            _ => panic!("{text:?} does not come: {seen:?}"),
        }
    }
    seen
}

/// Output from now on, input, and the container's status at the end.
#[test]
fn both_ways() {
    let Some(bench) = Bench::new("attach::both_ways") else { return };
    bench.ok(&[
        "run",
        "-d",
        "-i",
        "--name",
        "web",
        "alpine",
        "sh",
        "-c",
        "while read x; do [ $x = end ] && exit 5; echo got $x; echo err $x >&2; done",
    ]);
    let mut guest = bench.command(&["attach", "web"]);
    let mut guest =
        guest.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    guest.stdin.as_mut().unwrap().write_all(b"one\ntwo\nend\n").unwrap();
    let output = guest.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "got one\ngot two\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "err one\nerr two\n");
    assert!(
        bench.fails(1, &["attach", "web"]).contains("cannot attach to a stopped container")
            || bench
                .fails(1, &["attach", "web"])
                .contains("You cannot attach to a stopped container")
    );
}

/// What a container writes faster than a guest reads comes whole, and the log has it as well.
#[test]
fn much() {
    let Some(bench) = Bench::new("attach::much") else { return };
    bench.ok(&[
        "create",
        "-i",
        "--name",
        "web",
        "alpine",
        "sh",
        "-c",
        "read x; head -c 3000000 /dev/zero | tr '\\0' 'x'",
    ]);
    bench.ok(&["start", "web"]);
    let mut guest = bench.command(&["attach", "web"]);
    let mut guest = guest.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    guest.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let mut bytes = Vec::new();
    guest.stdout.take().unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len(), 3_000_000);
    assert!(guest.wait().unwrap().success());
}

/// A guest that is killed is forgotten: the container goes on.
#[test]
fn a_guest_is_killed() {
    let Some(bench) = Bench::new("attach::a_guest_is_killed") else { return };
    let script = "while :; do echo x; echo x >> /data/ticks; sleep 0.02; done";
    bench.ok(&["run", "-d", "--name", "web", "-v", "data:/data", "alpine", "sh", "-c", script]);
    let mut guest = bench.spawn(&["attach", "web"]);
    let mut byte = [0];
    guest.stdout.as_mut().unwrap().read_exact(&mut byte).unwrap();
    kill(i32::try_from(guest.id()).unwrap());
    guest.wait().unwrap();
    let ticks = bench.store().join("volumes/data/_data/ticks");
    let length = || std::fs::metadata(&ticks).map_or(0, |seen| seen.len());
    let now = length();
    until("it goes on", || length() > now);
}

/// run -it: the keys let go of the container, which runs on; attach comes back to it, and its end
/// is the command's. The container's terminal has the size of ours from its first moment.
#[test]
fn keys_let_go() {
    let Some(bench) = Bench::new("attach::keys_let_go") else { return };
    let (mut run, terminal) = bench.on_terminal(&["run", "-it", "--name", "web", "alpine", "sh"]);
    read_until(&terminal, "#");
    rustix::io::write(&terminal, b"echo $((40+2))\n").unwrap();
    read_until(&terminal, "42\r\n");
    rustix::io::write(&terminal, b"\x10\x11").unwrap();
    assert!(run.wait().unwrap().success());
    assert_eq!(bench.state("web"), "running");
    let (mut attach, terminal) = bench.on_terminal(&["attach", "web"]);
    rustix::io::write(&terminal, b"echo $((50+3))\n").unwrap();
    read_until(&terminal, "53\r\n");
    rustix::io::write(&terminal, b"exit 6\n").unwrap();
    assert_eq!(attach.wait().unwrap().code(), Some(6));
    assert_eq!(bench.inspect("web")["State"]["ExitCode"], 6);
}
