//! `rrun exec`: one more process in a container that runs, and what it must not bring along.

use std::process::Command;

use crate::container::{RRUN, Store};
use crate::harness::Ended;
use crate::need;
use crate::support::Need;
use crate::terminal::drive_command;

fn started(arguments: &[&str]) -> Store {
    let mut store = Store::new();
    store.start("one", arguments);
    store
}

fn sh(store: &Store, options: &[&str], script: &str) -> Ended {
    store.rrun(&[&["exec"], options, &["one", "sh", "-c", script]].concat())
}

/// V12.13: environment, user and directory are the container's, unless the command line says more.
#[test]
fn environment_user_and_directory() {
    need!(Need::Root);
    let store = started(&["-e", "FOO=bar", "-e", "X=1", "-u", "app", "-w", "/tmp"]);
    let says = "echo $FOO $X $HOME $HOSTNAME; pwd; id -u; id -g";
    let hostname = &store.rrun(&["inspect", "-f", "{{.Id}}", "one"]).out[..12];
    assert_eq!(
        sh(&store, &[], says).ok(),
        format!("bar 1 /home/app {hostname}\n/tmp\n1000\n1000\n")
    );
    let options = ["-e", "X=2", "-u", "0:7", "-w", "/etc"];
    assert_eq!(sh(&store, &options, says).ok(), format!("bar 2 /root {hostname}\n/etc\n0\n7\n"));
    std::fs::write(store.path("env"), "X=3\nFOO=f\n").unwrap();
    let got = sh(&store, &["--env-file", "env", "-e", "HOME=/h"], "echo $FOO $X $HOME");
    assert_eq!(got.ok(), "f 3 /h\n");
    // As with run, TERM comes with a terminal only.
    assert_eq!(sh(&store, &[], "echo ${TERM:-none}").ok(), "none\n");
}

/// The command's status is passed on; what cannot be executed is told from what ended badly.
#[test]
fn statuses() {
    need!(Need::Root);
    let store = started(&[]);
    assert_eq!(sh(&store, &[], "exit 7").status, 7);
    assert_eq!(sh(&store, &[], "kill -9 $$").status, 137);
    assert_eq!(sh(&store, &[], "kill -15 $$").status, 143);
    for (options, command, status, words) in [
        (&[][..], "nosuch", 127, "executable file \"nosuch\" not found in $PATH"),
        (&[], "/no/such", 127, "no such file"),
        (&[], "/etc", 126, "permission denied"),
        (&[], "/etc/passwd", 126, "ermission denied"),
        (&["-w", "/nowhere"], "true", 125, "o such file or directory"),
        (&["-w", "rel"], "true", 125, "the working directory 'rel' is invalid"),
        (&["-u", "nobody-here"], "true", 125, "unable to find user nobody-here"),
    ] {
        let ended = store.rrun(&[&["exec"], options, &["one", command]].concat());
        assert_eq!(ended.status, status, "{command}: {}", ended.err);
        assert!(ended.err.contains(words), "{command}: {}", ended.err);
    }
    for detached in [&["exec", "-d", "one", "true"], &["exec", "-d", "one", "nosuch"]] {
        let status = store.rrun(detached).status;
        assert_eq!(status, if detached.contains(&"true") { 0 } else { 127 });
    }
}

/// V12.14: what does not run, or is not there, is 1, in Docker's words.
#[test]
fn only_in_a_container_that_runs() {
    need!(Need::Root);
    let store = Store::new();
    let missing = store.rrun(&["exec", "nobody", "true"]);
    assert_eq!(missing.status, 1);
    assert!(missing.err.contains("No such container: nobody"), "{}", missing.err);
    let id = store.rrun(&["create", "--name", "one", "box"]);
    let stopped = store.rrun(&["exec", "one", "true"]);
    assert_eq!(stopped.status, 1);
    let words = format!("container {} is not running", id.ok().trim());
    assert!(stopped.err.contains(&words), "{}", stopped.err);
}

/// It is in all that the container is in: namespaces, cgroups, rights, filter, limits.
#[test]
fn the_same_confinement() {
    need!(Need::Root);
    let store = started(&[
        "--cap-drop",
        "CHOWN",
        "--security-opt",
        "no-new-privileges",
        "--ulimit",
        "nofile=77:88",
    ]);
    let of = "grep -E '^(Cap|NoNewPrivs|Seccomp)' /proc/$P/status; cat /proc/$P/cgroup; \
              cd /proc/$P/ns; for n in mnt pid net ipc uts cgroup user; do readlink $n; done; \
              grep -E 'Max open' /proc/$P/limits";
    let first = sh(&store, &[], &format!("P=1; {of}"));
    let own = sh(&store, &[], &format!("P=$$; {of}"));
    assert_eq!(own.ok(), first.ok());
    own.says(&["NoNewPrivs:\t1", "Seccomp:\t2", "77                   88"]);
    let on_host = std::fs::read_to_string(format!("/proc/{}/cgroup", store.pid("one"))).unwrap();
    let mut child = store.command(&["exec", "one", "sleep", "50"]).spawn().unwrap();
    let sleeper = wait_for_process("sleep\0", "50\0");
    let theirs = std::fs::read_to_string(format!("/proc/{sleeper}/cgroup")).unwrap();
    store.rrun(&["exec", "one", "sh", "-c", "kill $(pidof sleep | tr ' ' '\\n' | grep -vx 1)"]);
    child.wait().unwrap();
    assert_eq!(theirs, on_host);
    let privileged = sh(&store, &["--privileged"], "grep CapEff /proc/self/status");
    assert_ne!(privileged.ok(), sh(&store, &[], "grep CapEff /proc/self/status").ok());
}

/// The host's number of the process with these two words in its command line.
#[track_caller]
fn wait_for_process(first: &str, second: &str) -> u32 {
    for _ in 0..500 {
        for entry in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
            let line = std::fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
            if line == format!("{first}{second}") {
                return entry.file_name().to_str().unwrap().parse().unwrap();
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("{first} does not run");
}

/// Nothing of ours comes along: no descriptor, no variable, no terminal, no capability to inherit
/// (CVE-2022-29162, CVE-2024-21626).
#[test]
fn nothing_comes_along() {
    need!(Need::Root);
    let store = started(&[]);
    let mut command = store.command(&["exec", "one", "sh", "-c"]);
    command.arg("ls /proc/$$/fd; env; grep CapInh /proc/$$/status; tty");
    let ended: Ended = command.env("SECRET", "s").output().unwrap().into();
    assert!(ended.out.starts_with("0\n1\n2\nH"), "{}", ended.out);
    assert!(!ended.out.contains("SECRET"), "{}", ended.out);
    ended.says(&["CapInh:\t0000000000000000", "not a tty"]);
    for number in 3..12 {
        let directory = format!("/proc/self/fd/{number}");
        let ended = store.rrun(&["exec", "-w", &directory, "one", "pwd"]);
        assert_eq!(ended.status, 125, "{directory}: {}{}", ended.out, ended.err);
    }
}

/// CVE-2019-5736, CVE-2016-9962: a spy with CAP_SYS_PTRACE that never stops looking sees the
/// container's programs and the sealed stub, never rrun; what it opens of them is not rrun's file.
#[test]
fn a_spy_never_sees_rrun() {
    need!(Need::Root);
    let mut store = Store::new();
    let spy = "while :; do for p in /proc/[0-9]*; do l=$(readlink $p/exe) && \
               [ \"$l\" != /bin/busybox ] && echo \"$l\" >> /seen; done; done";
    store.start_command("one", &["--cap-add", "SYS_PTRACE"], &["sh", "-c", spy]);
    let before = std::fs::read(RRUN).unwrap();
    for _ in 0..60 {
        store.rrun(&["exec", "one", "true"]).ok();
        store.rrun(&["exec", "-d", "one", "true"]).ok();
    }
    let seen = store.rrun(&["exec", "one", "sh", "-c", "sort -u /seen"]);
    for line in seen.out.lines() {
        assert!(line.starts_with("/memfd:rrun-stub"), "{line}");
    }
    assert!(std::fs::read(RRUN).unwrap() == before);
}

/// CVE-2019-5736: a program that names whoever executes it finds the stub, which ends at once.
#[test]
fn an_interpreter_of_proc_self_exe() {
    need!(Need::Root);
    let store = started(&[]);
    sh(&store, &[], "printf '#!/proc/self/exe\\n' > /bin/trap; chmod +x /bin/trap").ok();
    let ended = store.rrun(&["exec", "one", "trap", "x"]);
    assert_eq!((ended.status, ended.out.as_str()), (127, ""), "{}", ended.err);
}

/// Standard input with -i only; output and error stay apart; a lot of each arrives whole.
#[test]
fn streams() {
    need!(Need::Root);
    let store = started(&[]);
    let cat = ["exec", "one", "cat"];
    assert_eq!(store.rrun_with(&cat, b"lost").ok(), "");
    let with = ["exec", "-i", "one", "cat"];
    let much = vec![b'x'; 3 << 20];
    assert!(store.rrun_with(&with, &much).out.as_bytes() == much);
    let ended = sh(&store, &[], "echo out; echo err >&2; seq 100000");
    assert!(ended.ok().starts_with("out\n1\n") && ended.out.ends_with("\n100000\n"));
    assert_eq!(ended.err, "err\n");
}

/// A terminal of the container's own devpts, of the caller's size, and the caller's modes
/// afterwards as before; -it without one is refused (V12.15).
#[test]
fn terminal() {
    need!(Need::Root, Need::Program("python3"));
    let store = started(&[]);
    let script = "tty; stty size; echo $TERM; trap 'stty size' WINCH; echo ready; \
                  until read line; do :; done; echo got $line; exit 9";
    let command = store.plain(&["exec", "-it", "one", "sh", "-c", script]);
    let ended = drive_command(
        &command,
        "run(); print(read(b'ready\\r\\n').replace('\\r', ''), modes() != before)\n\
         resize(50, 132); read(b'50 132\\r\\n')\n\
         write(b'typed\\r'); read(b'got typed\\r\\n')\n\
         print(end()); print(modes() == before)",
    );
    let want = "/dev/pts/0\n24 80\nxterm\n True\n9\nTrue\n";
    assert_eq!(ended.ok(), want, "{}", ended.err);
    let interrupt = "trap 'echo caught' INT; echo ready; sleep 100; exit 4";
    let command = store.plain(&["exec", "-it", "one", "sh", "-c", interrupt]);
    let ended = drive_command(
        &command,
        "run(); read(b'ready\\r\\n'); time.sleep(0.3); write(b'\\x03'); read(b'caught\\r\\n')\n\
         print(end())",
    );
    assert_eq!(ended.ok(), "4\n", "{}", ended.err);
    let refused = store.rrun(&["exec", "-it", "one", "true"]);
    assert_eq!(refused.status, 1);
    assert!(refused.err.contains("stdin is not a terminal"), "{}", refused.err);
}

/// -d: the process is a child of the container's first one, and goes on.
#[test]
fn detached() {
    need!(Need::Root);
    let store = started(&[]);
    let script = "echo $$ > /tmp/pid; sleep 60";
    assert_eq!(store.rrun(&["exec", "-d", "one", "sh", "-c", script]).ok(), "");
    let parent =
        "until test -s /tmp/pid; do sleep 0.05; done; grep PPid /proc/$(cat /tmp/pid)/status";
    assert_eq!(sh(&store, &[], parent).ok(), "PPid:\t1\n");
}

/// A signal goes to the command; a container that ends takes the command with it.
#[test]
fn signals_and_ends() {
    need!(Need::Root);
    let store = started(&[]);
    let ended =
        store.sh("$RRUN exec one sh -c 'trap \"echo caught; exit 3\" TERM; echo ready > /tmp/r; \
         while :; do sleep 0.05; done' & \
         until $RRUN exec one test -e /tmp/r; do sleep 0.05; done; kill -TERM $!; wait $!");
    assert_eq!((ended.status, ended.out.as_str()), (3, "caught\n"), "{}", ended.err);
    let ended = store.sh("$RRUN exec one sleep 50 & sleep 0.5; $RRUN rm -f one >&2; wait $!");
    assert_eq!(ended.status, 137, "{}", ended.err);
}

/// A paused container is left alone: what joined it would wait with it.
#[test]
fn paused() {
    need!(Need::Root);
    let store = started(&[]);
    let pid = store.pid("one");
    let cgroups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let path = |name: &str| {
        let line = cgroups.lines().find_map(|line| line.split_once(name));
        line.map(|(_, path)| path.to_owned())
    };
    let (file, on, off) = match path(":freezer:") {
        Some(path) => (format!("/sys/fs/cgroup/freezer{path}/freezer.state"), "FROZEN", "THAWED"),
        None => {
            let path = path("0::").unwrap();
            (format!("/sys/fs/cgroup{path}/cgroup.freeze"), "1", "0")
        }
    };
    std::fs::write(&file, on).unwrap();
    let ended = store.rrun(&["exec", "one", "true"]);
    std::fs::write(&file, off).unwrap();
    assert_eq!(ended.status, 1);
    assert!(ended.err.contains("is paused, unpause the container before exec"), "{}", ended.err);
    store.rrun(&["exec", "one", "true"]).ok();
}

const MOMENT: std::time::Duration = std::time::Duration::from_millis(20);

/// The limit of processes counts it: what does not fit is told, and nothing is left.
#[test]
fn limits_count() {
    need!(Need::Root);
    let store = started(&["--pids-limit", "8"]);
    sh(&store, &["-d"], "sleep 0.5; while :; do sleep 100 & done").ok();
    // The shell has to come so far first.
    let is_full = || store.rrun(&["exec", "one", "true"]).status != 0;
    let mut looks = 0..100;
    assert!(looks.any(|_| is_full() || {
        std::thread::sleep(MOMENT);
        false
    }));
    let ended = store.rrun(&["exec", "one", "true"]);
    assert!([125, 126].contains(&ended.status), "{}", ended.err);
    let words = "resource temporarily unavailable";
    assert!(ended.err.to_lowercase().contains(words), "{}", ended.err);
}

/// --trace shows the steps with the kernel's answers, as of run.
#[test]
fn trace() {
    need!(Need::Root);
    let store = started(&[]);
    let ended = store.rrun(&["exec", "--trace", "one", "echo", "hello"]);
    assert_eq!(ended.ok(), "hello\n");
    for words in ["CLONE_NEWNS|CLONE_NEWPID", "execve([\"echo\", \"hello\"])", "steps answered"] {
        assert!(ended.err.contains(words), "{}", ended.err);
    }
    assert!(!ended.err.contains("not reached") && !ended.err.contains("failed"), "{}", ended.err);
}

/// No descriptor stays with the caller, no process and no mount: the command is a plain child.
#[test]
fn nothing_is_left() {
    need!(Need::Root);
    let store = started(&[]);
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    for _ in 0..5 {
        store.rrun(&["exec", "one", "true"]).ok();
    }
    assert_eq!(std::fs::read_to_string("/proc/self/mountinfo").unwrap(), table);
    let list = Command::new("ps").args(["-eo", "args"]).output().unwrap();
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let store_name = store.path("store").display().to_string();
    let ours = list.lines().filter(|l| l.contains(&store_name) && l.contains(" exec ")).count();
    assert_eq!(ours, 0, "{list}");
}
