//! Which cgroup hierarchies this host has, and where we are in them.
//!
//! A host is pure v2, v1, hybrid (v1 controllers, and a unified hierarchy beside them that may
//! have some controllers of its own) or has none. Every controller is in one hierarchy only, so a
//! host is a map from controllers to directories, and the four kinds need no code of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Hierarchy {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// Our own cgroup below the mount, relative; empty for its top.
    pub own: PathBuf,
}

/// The unified hierarchy (cgroup2).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Unified {
    /// Where it is and where we are.
    pub hierarchy: Hierarchy,
    /// What `cgroup.controllers` at the mount has: none on many hybrid hosts.
    pub controllers: BTreeSet<String>,
}

/// The cgroups of this host.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CgroupHost {
    /// The v1 hierarchies by controller; named ones as `name=systemd`. Controllers that are
    /// mounted together have equal values.
    pub v1: BTreeMap<String, Hierarchy>,
    /// The unified hierarchy: alone on a v2 host, beside v1 on a hybrid one.
    pub unified: Option<Unified>,
}

/// How a host mounts its cgroups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No hierarchy at all.
    None,
    /// Controllers in hierarchies of their own.
    V1,
    /// v1, and the unified hierarchy beside it.
    Hybrid,
    /// The unified hierarchy alone.
    V2,
}

impl CgroupHost {
    /// Reads the layout from /proc/self/cgroup and /proc/self/mountinfo. The controllers of the
    /// unified hierarchy are in a file below its mount: see [`CgroupHost::with_controllers`].
    pub fn parse(own_cgroups: &str, mountinfo: &str) -> Self {
        let mounts = visible_mounts(mountinfo);
        let mut host = Self::default();
        for line in own_cgroups.lines() {
            let mut fields = line.splitn(3, ':');
            let (Some(_), Some(controllers), Some(path)) =
                (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            if controllers.is_empty() {
                let hierarchy = mounts.iter().rev().find_map(|mount| mount.unified(path));
                host.unified =
                    hierarchy.map(|hierarchy| Unified { hierarchy, controllers: BTreeSet::new() });
                continue;
            }
            for controller in controllers.split(',') {
                let found = mounts.iter().rev().find_map(|mount| mount.v1(controller, path));
                if let Some(hierarchy) = found {
                    host.v1.insert(controller.to_owned(), hierarchy);
                }
            }
        }
        host
    }

    /// A pure v2 host, where that is known already: `mount` shows the whole unified hierarchy.
    pub fn pure_v2(own_cgroups: &str, mount: &Path) -> Self {
        let own = own_cgroups.lines().find_map(|line| line.strip_prefix("0::"));
        let whole = Mount { point: mount.into(), fstype: "cgroup2", ..Mount::default() };
        let hierarchy = own.and_then(|own| whole.unified(own));
        let unified =
            hierarchy.map(|hierarchy| Unified { hierarchy, controllers: BTreeSet::new() });
        Self { v1: BTreeMap::new(), unified }
    }

    /// The same host with the content of `cgroup.controllers` at the unified mount.
    #[must_use]
    pub fn with_controllers(mut self, text: &str) -> Self {
        if let Some(unified) = &mut self.unified {
            unified.controllers = text.split_whitespace().map(str::to_owned).collect();
        }
        self
    }

    /// How this host mounts its cgroups.
    pub fn kind(&self) -> Kind {
        match (self.v1.is_empty(), self.unified.is_some()) {
            (true, false) => Kind::None,
            (true, true) => Kind::V2,
            (false, false) => Kind::V1,
            (false, true) => Kind::Hybrid,
        }
    }

    /// Where `controller` is to be had.
    pub fn controller(&self, controller: &str) -> Option<Version> {
        if self.v1.contains_key(controller) {
            return Some(Version::V1);
        }
        let unified = self.unified.as_ref()?;
        unified.controllers.contains(controller).then_some(Version::V2)
    }
}

/// The interface of a hierarchy.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub enum Version {
    /// A hierarchy of its own, the older files.
    V1,
    /// The unified hierarchy.
    V2,
}

/// A line of mountinfo, as far as it matters here.
#[derive(Clone, Default)]
struct Mount<'a> {
    id: &'a str,
    parent: &'a str,
    root: PathBuf,
    point: PathBuf,
    fstype: &'a str,
    options: &'a str,
}

impl Mount<'_> {
    fn unified(&self, own: &str) -> Option<Hierarchy> {
        (self.fstype == "cgroup2").then(|| self.hierarchy(own))
    }

    fn v1(&self, controller: &str, own: &str) -> Option<Hierarchy> {
        let has = self.fstype == "cgroup" && self.options.split(',').any(|it| it == controller);
        has.then(|| self.hierarchy(own))
    }

    /// The mount may show a part of the hierarchy only (its root, in a container without a cgroup
    /// namespace). Where we are outside of that part, we take its top.
    fn hierarchy(&self, own: &str) -> Hierarchy {
        let root = if self.root.as_os_str().is_empty() { Path::new("/") } else { &self.root };
        let own = Path::new(own).strip_prefix(root).unwrap_or(Path::new(""));
        // After a move of the namespace's root the kernel says `/../x`: not to be had from here.
        let own = if own.components().all(|part| matches!(part, std::path::Component::Normal(_))) {
            own
        } else {
            Path::new("")
        };
        Hierarchy { mount: self.point.clone(), own: own.to_owned() }
    }
}

/// The mounts of cgroup file systems that a path walk can reach.
fn visible_mounts(mountinfo: &str) -> Vec<Mount<'_>> {
    let all: Vec<Mount<'_>> = mountinfo.lines().filter_map(parse_mount).collect();
    all.iter()
        .filter(|mount| matches!(mount.fstype, "cgroup" | "cgroup2") && !is_covered(mount, &all))
        .cloned()
        .collect()
}

/// Is `mount`, or a mount it is on, hidden by a later one? Two mounts on one parent hide each
/// other if one is at a directory above the other; a mount on top of a mount hides it.
fn is_covered(mount: &Mount<'_>, all: &[Mount<'_>]) -> bool {
    let (mut current, mut below) = (mount, mount);
    // A parent chain is no longer than the table; a malformed one must not hold us here.
    for _ in 0..all.len() {
        let covered = all.iter().any(|other| {
            let above = other.parent == current.parent
                && current.point != other.point
                && current.point.starts_with(&other.point);
            let on_top =
                other.parent == current.id && other.id != below.id && other.point == current.point;
            above || on_top
        });
        if covered {
            return true;
        }
        match all.iter().find(|other| other.id == current.parent && other.id != current.id) {
            Some(parent) => (below, current) = (current, parent),
            None => return false,
        }
    }
    false
}

/// `36 35 98:0 /root /point rw,noatime shared:1 - cgroup cgroup rw,cpu`
fn parse_mount(line: &str) -> Option<Mount<'_>> {
    let (front, back) = line.split_once(" - ")?;
    let mut front = front.split(' ');
    let (id, parent) = (front.next()?, front.next()?);
    let (root, point) = (front.nth(1)?, front.next()?);
    let mut back = back.split(' ');
    let fstype = back.next()?;
    let options = back.nth(1).unwrap_or("");
    Some(Mount { id, parent, root: unescape(root), point: unescape(point), fstype, options })
}

/// The kernel writes blanks, tabs, newlines and backslashes as three octal digits.
pub fn unescape(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let octal = bytes.get(at + 1..at + 4).filter(|_| bytes[at] == b'\\').and_then(|digits| {
            digits.iter().try_fold(0u8, |value, digit| match digit {
                b'0'..=b'7' => value.checked_mul(8)?.checked_add(digit - b'0'),
                _ => None,
            })
        });
        match octal {
            Some(byte) => {
                out.push(byte);
                at += 4;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    std::ffi::OsString::from_vec(out).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const V2: &str = "\
21 1 8:1 / / rw - ext4 /dev/sda rw
30 21 0:26 / /sys rw - sysfs sysfs rw
31 30 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate
";
    const HYBRID: &str = "\
23 1 8:1 / / rw - ext4 /dev/sda rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";

    fn place(mount: &str, own: &str) -> Hierarchy {
        Hierarchy { mount: mount.into(), own: own.into() }
    }

    #[test]
    fn pure_v2() {
        let host = CgroupHost::parse("0::/user.slice/a b.scope\n", V2)
            .with_controllers("cpuset cpu io memory pids\n");
        assert_eq!(host.kind(), Kind::V2);
        let unified = host.unified.as_ref().unwrap();
        assert_eq!(unified.hierarchy, place("/sys/fs/cgroup", "user.slice/a b.scope"));
        assert_eq!(host.controller("memory"), Some(Version::V2));
        assert_eq!(host.controller("hugetlb"), None);
        let known = CgroupHost::pure_v2("1:x:/y\n0::/user.slice/a b.scope\n", Path::new("/m"));
        assert_eq!(known.unified.unwrap().hierarchy, place("/m", "user.slice/a b.scope"));
        assert_eq!(CgroupHost::pure_v2("1:cpu:/\n", Path::new("/m")).kind(), Kind::None);
    }

    #[test]
    fn hybrid() {
        let own = "9:name=systemd:/\n4:memory:/process_api/b\n2:cpuacct,cpu:/x\n\
            3:cpuset:/not-mounted\n0::/\n";
        let host = CgroupHost::parse(own, HYBRID).with_controllers("hugetlb\n");
        assert_eq!(host.kind(), Kind::Hybrid);
        let together = place("/sys/fs/cgroup/cpu,cpuacct", "x");
        assert_eq!(host.v1["cpu"], together);
        assert_eq!(host.v1["cpuacct"], together);
        assert_eq!(host.v1["memory"], place("/sys/fs/cgroup/memory", "process_api/b"));
        assert_eq!(host.v1["name=systemd"], place("/sys/fs/cgroup/systemd", ""));
        assert_eq!(host.unified.as_ref().unwrap().hierarchy.own, Path::new(""));
        let kinds = ["memory", "hugetlb", "cpuset"].map(|name| host.controller(name));
        assert_eq!(kinds, [Some(Version::V1), Some(Version::V2), None]);
    }

    #[test]
    fn v1_and_none() {
        let v1 = HYBRID.lines().take(4).collect::<Vec<_>>().join("\n");
        let host = CgroupHost::parse("1:cpu,cpuacct:/\n2:memory:/\n0::/\n", &v1);
        assert_eq!((host.kind(), host.v1.len()), (Kind::V1, 3));
        for (own, mounts) in [("", ""), ("0::/\n", ""), ("", V2), ("garbage\n::\n", "x - y\n")] {
            assert_eq!(CgroupHost::parse(own, mounts), CgroupHost::default(), "{own:?}");
        }
    }

    /// A mount that shows a part of the hierarchy: our place is counted from there.
    #[test]
    fn mounts_of_a_part() {
        let part = V2.replace("0:27 / ", "0:27 /docker/abc ");
        let own = |own: &str| {
            CgroupHost::parse(&format!("0::{own}\n"), &part).unified.unwrap().hierarchy.own
        };
        assert_eq!(own("/docker/abc"), Path::new(""));
        assert_eq!(own("/docker/abc/x/y"), Path::new("x/y"));
        assert_eq!(own("/docker/abcd"), Path::new(""));
        assert_eq!(own("/docker/abc/../.."), Path::new(""));
        let outside = CgroupHost::parse("0::/../..\n", V2);
        assert_eq!(outside.unified.unwrap().hierarchy.own, Path::new(""));
    }

    /// What lies under another mount cannot be reached, and must not be used.
    #[test]
    fn covered_mounts() {
        let over =
            |line: &str| CgroupHost::parse("4:memory:/\n0::/\n", &format!("{HYBRID}{line}\n"));
        let replaced = over("50 31 0:50 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw");
        assert_eq!(replaced.kind(), Kind::V2, "a mount on top of the tmpfs");
        assert_eq!(replaced.unified.unwrap().hierarchy.mount, Path::new("/sys/fs/cgroup"));
        let hidden = over("50 23 0:50 / /sys rw - sysfs sysfs rw");
        assert_eq!(hidden.kind(), Kind::None, "a mount on a directory above");
        let stacked = over("50 35 0:50 / /sys/fs/cgroup/memory rw - tmpfs tmpfs rw");
        assert_eq!(stacked.controller("memory"), None);
        let beside = over("50 31 0:50 / /sys/fs/cgroup/mem rw - tmpfs tmpfs rw");
        assert_eq!(beside.controller("memory"), Some(Version::V1));
    }

    #[test]
    fn escaped_paths() {
        assert_eq!(unescape("/a\\040b\\134c\\"), Path::new("/a b\\c\\"));
        assert_eq!(unescape("\\999\\04"), Path::new("\\999\\04"));
    }
}
