//! `rrun-oci run` as root: cgroups, device rules and filters of system calls.
//!
//! Cgroups are the machine's, and there are three ways to mount them. So the tests of the modules
//! run inside `scripts/sandbox`, once for each way: the three tests here start this program again
//! there. A test of a module that is started by itself, outside of a sandbox, is skipped.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bundle;
mod cgroup;
mod devices;
mod seccomp;
#[path = "../support/mod.rs"]
mod support;

use std::process::Command;

use support::Need;

fn in_sandbox(layout: &str) {
    let sandbox = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/sandbox");
    let output = Command::new(sandbox)
        .arg(layout)
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--show-output", "--test-threads", "1"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let ran = text.lines().find(|line| line.starts_with("test result:")).unwrap_or_default();
    println!("{layout}: {ran}");
    assert!(
        output.status.success() && !ran.contains(" 0 passed") && !text.contains("skipped:"),
        "{layout}: {}\n{text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn on_cgroup_v2() {
    need!(Need::Root, Need::Program("unshare"), Need::Program("pgrep"), Need::Program("busybox"));
    in_sandbox("v2");
}

#[test]
fn on_cgroup_v1() {
    need!(Need::Root, Need::Program("unshare"), Need::Program("pgrep"), Need::Program("busybox"));
    in_sandbox("v1");
}

#[test]
fn on_hybrid_cgroups() {
    need!(Need::Root, Need::Program("unshare"), Need::Program("pgrep"), Need::Program("busybox"));
    in_sandbox("hybrid");
}
