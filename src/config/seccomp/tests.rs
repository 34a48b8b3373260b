//! The default profile as a value.

use std::collections::HashSet;

use super::*;

fn names_of(profile: &LinuxSeccomp) -> HashSet<&str> {
    profile
        .syscalls()
        .iter()
        .flatten()
        .filter(|rule| rule.action() == LinuxSeccompAction::ScmpActAllow)
        .flat_map(|rule| rule.names())
        .map(String::as_str)
        .collect()
}

fn profile(capabilities: CapabilitySet) -> LinuxSeccomp {
    default_profile(capabilities).unwrap()
}

/// A name in two groups would be two equal rules.
#[test]
fn no_name_is_listed_twice() {
    let always = table::always();
    let mut seen = HashSet::new();
    let twice: Vec<_> = always.split_whitespace().filter(|name| !seen.insert(*name)).collect();
    assert!(twice.is_empty(), "{twice:?}");
    for (_, names) in table::BY_CAPABILITY {
        assert!(names.split_whitespace().all(|name| !seen.contains(name)), "{names:?}");
    }
}

/// What must never be allowed without a capability.
#[test]
fn blocked_by_default() {
    let profile = profile(CapabilitySet::docker_default());
    let allowed = names_of(&profile);
    for name in [
        "mount",
        "umount2",
        "unshare",
        "setns",
        "pivot_root",
        "keyctl",
        "add_key",
        "request_key",
        "bpf",
        "userfaultfd",
        "io_uring_setup",
        "perf_event_open",
        "open_by_handle_at",
        "clone3",
        "kexec_load",
        "kexec_file_load",
        "init_module",
        "reboot",
        "swapon",
        "syslog",
        "acct",
        "open_tree",
        "move_mount",
        "fsopen",
        "iopl",
        "settimeofday",
        "quotactl",
        "vhangup",
        "move_pages",
        "mbind",
        "sethostname",
        "nfsservctl",
        "uselib",
        "sysfs",
        "ustat",
    ] {
        assert!(!allowed.contains(name), "{name}");
    }
    for name in ["read", "openat", "execve", "chroot", "ptrace", "clone", "statx", "futex"] {
        assert!(allowed.contains(name), "{name}");
    }
    assert_eq!(profile.default_action(), LinuxSeccompAction::ScmpActErrno);
    assert_eq!(profile.default_errno_ret(), Some(1));
}

/// A capability opens what needs it, and nothing else.
#[test]
fn capabilities_open_system_calls() {
    let none = profile(CapabilitySet::EMPTY);
    for (capability, names) in table::BY_CAPABILITY {
        let with = profile(CapabilitySet::from(*capability));
        let opened: HashSet<_> = names_of(&with).difference(&names_of(&none)).copied().collect();
        // clone is always there; CAP_SYS_ADMIN only takes its condition away.
        let wanted: HashSet<_> = names.split_whitespace().filter(|name| *name != "clone").collect();
        assert_eq!(opened, wanted, "{capability}");
    }
}

/// clone3 says ENOSYS and clone has a condition, unless CAP_SYS_ADMIN is held.
#[test]
fn clone_depends_on_sys_admin() {
    let rules = |capabilities, name: &str| -> Vec<LinuxSyscall> {
        let profile = profile(capabilities);
        let rules = profile.syscalls().clone().unwrap_or_default();
        rules.into_iter().filter(|rule| rule.names().iter().any(|n| n == name)).collect()
    };
    let without = rules(CapabilitySet::docker_default(), "clone3");
    assert_eq!(without.len(), 1);
    assert_eq!(without[0].errno_ret(), Some(38));
    assert!(rules(CapabilitySet::docker_default(), "clone")[0].args().is_some());
    let admin = CapabilitySet::from(Capability::CAP_SYS_ADMIN);
    assert_eq!(rules(admin, "clone3")[0].action(), LinuxSeccompAction::ScmpActAllow);
    assert!(rules(admin, "clone").iter().all(|rule| rule.args().is_none()));
}

/// Every family below the end is either allowed once or blocked.
#[test]
fn families() {
    let mut allowed = HashSet::new();
    for rule in sockets().unwrap() {
        let condition = rule.args().as_ref().unwrap()[0];
        match condition.op() {
            LinuxSeccompOperator::ScmpCmpLt => allowed.extend(0..condition.value()),
            _ => assert!(allowed.insert(condition.value())),
        }
    }
    for family in 0..64 {
        let wanted = family < table::FAMILIES_END && !table::BLOCKED_FAMILIES.contains(&family);
        assert_eq!(allowed.contains(&family), wanted, "{family}");
    }
}

/// The profile goes into a config.json and comes back the same.
#[test]
fn as_json_and_back() {
    let profile = profile(CapabilitySet::docker_default());
    let text = serde_json::to_string(&profile).unwrap();
    assert_eq!(serde_json::from_str::<LinuxSeccomp>(&text).unwrap(), profile);
}
