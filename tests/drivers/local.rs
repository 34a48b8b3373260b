//! The local driver's options: mounts of the kernel's that are there while they are used.

use std::process::Command;

use serde_json::Value;

use crate::bench::{Bench, until};
use crate::need;
use crate::support::Need;

const SECRET: &str = "hunter2,,x";

fn ext4_image(bench: &Bench) -> String {
    let image = bench.text("disk.img");
    std::fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
    assert!(Command::new("mkfs.ext4").args(["-q", &image]).status().unwrap().success());
    image
}

fn create(bench: &Bench, name: &str, (kind, o, device): (&str, &str, &str)) {
    let options = [format!("type={kind}"), format!("o={o}"), format!("device={device}")];
    let mut line = vec!["volume", "create"];
    line.extend(options.iter().flat_map(|option| ["--opt", option]));
    line.push(name);
    bench.rrun(&line).ok();
}

/// V8.01, V8.10: an image file of ext4, used by many at once, with some of them killed.
#[test]
fn an_ext4_image_with_many_users() {
    need!(Need::Root, Need::Program("mkfs.ext4"));
    let bench = Bench::new();
    let image = ext4_image(&bench);
    create(&bench, "disk", ("ext4", "noatime", &image));
    for round in 0..3 {
        let words = ["run", "--rm", "-v", "disk:/x", "alpine", "sh", "-c", "date > /x/$HOSTNAME"];
        let mut children: Vec<_> = (0..4).map(|_| bench.command(&words).spawn().unwrap()).collect();
        assert!(children.iter_mut().all(|child| child.wait().unwrap().success()));
        bench.unused("disk");
        let count = bench.run(&["-v", "disk:/x"], "ls /x | grep -vc lost").ok().to_owned();
        assert_eq!(count, ((round + 1) * 4).to_string());
    }
    let lives = bench.start(&["-v", "disk:/x"], "echo first > /x/kept");
    bench.start(&["-v", "disk:/x"], "echo second > /x/kept").kill();
    assert_eq!(bench.mounts().iter().filter(|line| line.contains(" ext4 ")).count(), 1);
    lives.end().ok();
    bench.unused("disk");
    bench.start(&["-v", "disk:/x"], "true").kill();
    assert_eq!(bench.mounts().len(), 1, "nobody was there to undo it");
    assert_eq!(bench.run(&["-v", "disk:/x"], "cat /x/kept").ok(), "second");
    bench.unused("disk");
    let attached = || {
        let files = std::fs::read_dir("/sys/block").unwrap().flatten();
        let backing = |entry: std::fs::DirEntry| {
            std::fs::read_to_string(entry.path().join("loop/backing_file")).ok()
        };
        files.filter_map(backing).any(|file| file.trim() == image)
    };
    until("the loop device is cleared", || !attached());
}

/// V8.01: a tmpfs is that of its users, and gone with them.
#[test]
fn a_tmpfs_is_shared_and_passing() {
    need!(Need::Root);
    let bench = Bench::new();
    create(&bench, "memory", ("tmpfs", "size=1m,uid=1000", "tmpfs"));
    let first = bench.start(&["-v", "memory:/x"], "echo here > /x/f");
    let seen = bench.run(&["-v", "memory:/y"], "cat /y/f; stat -c %u /y");
    assert_eq!(seen.ok(), "here\n1000");
    let full = bench.run(&["-v", "memory:/y"], "dd if=/dev/zero of=/y/big bs=1M count=2");
    full.failed(1, "No space left on device");
    first.end().ok();
    assert_eq!(bench.run(&["-v", "memory:/x"], "ls /x").ok(), "");
    bench.unused("memory");
}

/// V8.09: a password is in no output of any command, whether the mount can be made or not.
#[test]
fn secrets_are_masked() {
    need!(Need::Root);
    let bench = Bench::new();
    let o = format!("username=u,password={SECRET},vers=3.0,passwrod={SECRET}");
    create(&bench, "share", ("cifs", &o, "//192.0.2.1/s"));
    let mount = format!(
        "type=volume,src=two,dst=/d,volume-opt=type=cifs,\"volume-opt=o={o}\",\
         volume-opt=device=//192.0.2.1/s"
    );
    bench.rrun(&["create", "--name", "one", "-v", "share:/x", "alpine"]).ok();
    let two = bench.rrun(&["create", "--name", "two", "--mount", &mount, "alpine"]);
    assert!(!two.ok().contains("hunter2"));
    let commands: [(&[&str], i32); 9] = [
        (&["volume", "inspect", "share", "two"], 0),
        (&["inspect", "one", "two"], 0),
        (&["start", "-a", "one"], 1),
        (&["start", "-a", "two"], 1),
        (&["explain", "--mount", &mount, "alpine"], 0),
        (&["run", "--trace", "--mount", &mount, "alpine"], 125),
        (&["run", "--mount", &mount.replace("dst=/d", "dts=/d"), "alpine"], 125),
        (&["run", "--mount", &mount.replace("volume-opt=o=", "volume-opts=o="), "alpine"], 125),
        (&["volume", "ls", "--format", "json"], 0),
    ];
    for (command, status) in commands {
        let ended = bench.rrun(command);
        assert_eq!(ended.status, status, "{command:?} {}", ended.err);
        let said = ended.out + &ended.err;
        assert!(!said.contains("hunter2"), "{command:?}: {said}");
    }
    let shown: Value =
        serde_json::from_str(bench.rrun(&["volume", "inspect", "share"]).ok()).unwrap();
    let masked = "username=u,password=********,vers=3.0,passwrod=********,x";
    assert_eq!(shown[0]["Options"]["o"], masked);
}

/// V8.03, V8.05: what the kernel and the name servers say, with status 125 and 1.
#[test]
fn mounts_that_fail() {
    need!(Need::Root);
    let bench = Bench::new();
    create(&bench, "wrong", ("tmpfs", "sise=1m", "tmpfs"));
    let refused = bench.run(&["-v", "wrong:/x"], "true");
    refused.failed(125, "failed to mount local volume: mount tmpfs:");
    refused
        .failed(125, "data: sise=1m: invalid argument\n  kernel: tmpfs: Unknown parameter 'sise'");
    bench.rrun(&["create", "--name", "cc", "-v", "wrong:/x", "alpine"]).ok();
    bench.rrun(&["start", "-a", "cc"]).failed(1, "Unknown parameter 'sise'");
    create(&bench, "far", ("nfs", "addr=nas..example,rw", ":/x"));
    let words = "error resolving passed in network volume address: lookup nas..example: no such";
    bench.run(&["-v", "far:/x"], "true").failed(125, words);
    for name in ["wrong", "far"] {
        bench.unused(name);
    }
    let refused = bench.rrun(&["volume", "create", "--opt", "size=10m", "limited"]);
    refused.failed(1, "create limited: quota size requested but no quota support\n  hint: a size");
}
