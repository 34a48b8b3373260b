//! What tests ask of the machine, and how a test that cannot run says so.
//!
//! libtest knows no skip at run time. A test that lacks something says so on standard error and
//! in the file that `RRUN_TEST_SKIPS` names, one line a test, which `scripts/test` counts.
//! `RRUN_TEST_REQUIRE=root,crun` makes the lack of these a failure; `all` means everything.

#![allow(dead_code, reason = "each test program uses a part")]

use std::io::Write;
use std::path::Path;

/// Something that not every machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The effective user is root.
    Root,
    /// An unprivileged user may make user namespaces.
    UserNamespaces,
    /// The machine's cgroups are v2, and ours to write.
    CgroupV2,
    /// The kernel has FUSE, and its device can be opened.
    Fuse,
    /// A program in PATH.
    Program(&'static str),
}

impl Need {
    /// The word for it in `RRUN_TEST_REQUIRE`.
    pub fn word(self) -> &'static str {
        match self {
            Need::Root => "root",
            Need::UserNamespaces => "userns",
            Need::CgroupV2 => "cgroup2",
            Need::Fuse => "fuse",
            Need::Program(name) => name,
        }
    }

    /// Is it here?
    pub fn met(self) -> bool {
        match self {
            Need::Root => rustix::process::geteuid().is_root(),
            Need::UserNamespaces => limit_of_user_namespaces() > 0,
            Need::CgroupV2 => {
                Need::Root.met() && Path::new("/sys/fs/cgroup/cgroup.subtree_control").exists()
            }
            Need::Fuse => std::fs::File::options().read(true).write(true).open("/dev/fuse").is_ok(),
            Need::Program(name) => in_path(name),
        }
    }
}

fn limit_of_user_namespaces() -> u64 {
    let text = std::fs::read_to_string("/proc/sys/user/max_user_namespaces").unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

fn in_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

/// The first of `needs` that is not met.
///
/// Panics where it is one that `RRUN_TEST_REQUIRE` lists.
pub fn lacking(needs: &[Need]) -> Option<Need> {
    let lack = needs.iter().copied().find(|need| !need.met())?;
    let required = std::env::var("RRUN_TEST_REQUIRE").unwrap_or_default();
    let listed = required.split(',').any(|word| word == lack.word() || word == "all");
    assert!(!listed, "this test needs {}, which RRUN_TEST_REQUIRE requires", lack.word());
    Some(lack)
}

/// Can `test` run here? If not, it is counted and named as skipped.
pub fn can_run(test: &str, needs: &[Need]) -> bool {
    let Some(lack) = lacking(needs) else { return true };
    let line = format!("{test}: needs {}", lack.word());
    eprintln!("skipped: {line}");
    if let Some(file) = std::env::var_os("RRUN_TEST_SKIPS") {
        let opened = std::fs::File::options().create(true).append(true).open(file);
        writeln!(opened.unwrap(), "{line}").unwrap();
    }
    false
}

/// Ends the test here, counted as skipped, unless the machine has all it needs.
///
/// ```ignore
/// need!(Need::Root, Need::Program("crun"));
/// ```
#[macro_export]
macro_rules! need {
    ($($need:expr),+ $(,)?) => {{
        fn here() {}
        let test = std::any::type_name_of_val(&here).trim_end_matches("::here");
        if !$crate::support::can_run(test, &[$($need),+]) {
            return;
        }
    }};
}
