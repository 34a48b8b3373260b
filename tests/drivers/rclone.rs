//! A real plugin: rclone, whose volumes are directories of a remote; here one of this machine.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::bench::{Bench, until};
use crate::need;
use crate::support::Need;

struct Rclone {
    process: Child,
    remote: PathBuf,
}

impl Rclone {
    fn serve(bench: &Bench) -> Self {
        let remote = bench.directory("remote");
        let config = bench.file("rclone.conf", "[there]\ntype = local\n");
        let socket = bench.path("plugins/rclone.sock");
        let (base, cache) = (bench.directory("base"), bench.directory("cache"));
        let mut rclone = Command::new("rclone");
        rclone.args(["serve", "docker", "--allow-other", "--config", &config, "--base-dir"]);
        rclone.arg(base).arg("--cache-dir").arg(cache).arg("--socket-addr").arg(&socket);
        let process = rclone.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("rclone listens", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
        Self { process, remote }
    }
}

impl Drop for Rclone {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.process.wait();
    }
}

/// What a container writes arrives in the remote; what is put there is read.
#[test]
fn data_arrives_in_the_remote() {
    need!(Need::Root, Need::Program("rclone"), Need::Program("fusermount3"), Need::Fuse);
    let bench = Bench::new();
    let rclone = Rclone::serve(&bench);
    let remote = format!("remote=there:{}", rclone.remote.display());
    let options = ["--opt", &remote, "--opt", "vfs-cache-mode=off"];
    let create = [&["volume", "create", "-d", "rclone"], options.as_slice(), &["far"]].concat();
    bench.rrun(&create).ok();
    let script = "echo hello > /x/file; mkdir /x/sub; echo deep > /x/sub/f";
    bench.run(&["-v", "far:/x"], script).ok();
    let read = |name: &str| std::fs::read_to_string(rclone.remote.join(name)).unwrap();
    assert_eq!((read("file"), read("sub/f")), ("hello\n".into(), "deep\n".into()));
    bench.unused("far");
    std::fs::write(rclone.remote.join("file"), "changed there\n").unwrap();
    assert_eq!(bench.run(&["-v", "far:/x:ro"], "cat /x/file").ok(), "changed there");
    bench.run(&["-v", "far:/x:ro"], "touch /x/y").failed(1, "Read-only file system");

    // Two users: one mount of rclone's, there until the last is gone.
    let mounted = || bench.mounts().iter().filter(|line| line.contains("fuse.rclone")).count();
    let first = bench.start(&["-v", "far:/x"], "true");
    let second = bench.start(&["-v", "far:/x"], "true");
    let shown: Value =
        serde_json::from_str(bench.rrun(&["volume", "inspect", "far"]).ok()).unwrap();
    assert_eq!(shown[0]["Status"]["Mounts"].as_array().unwrap().len(), 2);
    assert_eq!(shown[0]["Mountpoint"], bench.text("base/far"));
    first.end().ok();
    assert_eq!(mounted(), 2, "rclone's own and ours");
    second.kill();
    assert_eq!(bench.run(&["-v", "far:/x"], "cat /x/sub/f").ok(), "deep");
    assert_eq!(mounted(), 0);
    let shown: Value =
        serde_json::from_str(bench.rrun(&["volume", "inspect", "far"]).ok()).unwrap();
    assert_eq!(shown[0]["Status"]["Mounts"].as_array().unwrap().len(), 0);

    let refused = bench.rrun(&["volume", "create", "-d", "rclone", "none"]);
    refused.failed(1, "create none: VolumeDriver.Create: volume must have either remote or");
    for id in bench.rrun(&["ps", "-aq"]).ok().lines() {
        bench.rrun(&["rm", "-f", id]).ok();
    }
    bench.rrun(&["volume", "rm", "far"]).ok();
    assert!(rclone.remote.join("file").exists(), "the remote keeps its data");
}

/// Copy-up into a remote, which keeps no owners.
#[test]
fn copy_up() {
    need!(Need::Root, Need::Program("rclone"), Need::Program("fusermount3"), Need::Fuse);
    let bench = Bench::new();
    let rclone = Rclone::serve(&bench);
    let remote = format!("remote=there:{}", rclone.remote.display());
    bench.rrun(&["volume", "create", "-d", "rclone", "--opt", &remote, "etc"]).ok();
    assert!(bench.run(&["-v", "etc:/etc"], "cat /etc/passwd").ok().contains("root:"));
    assert!(rclone.remote.join("passwd").exists());
}
