//! What the tests of trees and volumes ask of the machine.
//!
//! A test that cannot run says so on standard error and in the file that `RRUN_TEST_SKIPS`
//! names; `RRUN_TEST_REQUIRE=root` (or `all`) makes that a failure.

use std::io::Write;
use std::process::Command;

use nix::sched::CloneFlags;
use rustix::mount::MountPropagationFlags;

/// Is the test run by root? If not, that is noted.
pub(crate) fn is_root(test: &str) -> bool {
    if rustix::process::geteuid().is_root() {
        return true;
    }
    let required = std::env::var("RRUN_TEST_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|word| matches!(word, "root" | "all")),
        "{test} needs root, which RRUN_TEST_REQUIRE asks for"
    );
    eprintln!("skipped: {test}: needs root");
    if let Some(path) = std::env::var_os("RRUN_TEST_SKIPS") {
        let mut skips = std::fs::File::options().append(true).create(true).open(path).unwrap();
        writeln!(skips, "{test}: needs root").unwrap();
    }
    false
}

const IN_NAMESPACE: &str = "RRUN_TEST_IN_MOUNT_NAMESPACE";

/// Runs the test called `test` in a process and a mount namespace of its own. `true` in that
/// process; the caller, where it is `false`, is done.
pub(crate) fn in_mount_namespace(test: &str) -> bool {
    if std::env::var_os(IN_NAMESPACE).is_some() {
        nix::sched::unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        rustix::mount::mount_change("/", private).unwrap();
        return true;
    }
    let run = rerun(test).env(IN_NAMESPACE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout) + String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.contains("1 passed"), "{test} in a namespace:\n{said}");
    false
}

/// A process that runs one test again.
pub(crate) fn rerun(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    command
}
