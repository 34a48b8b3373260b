//! Which cgroup hierarchies this host has, and in which of them we may make a cgroup.

use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD};

use super::kernel_file;
pub use crate::config::cgroup::layout::CgroupHost;

/// Where systemd, and everybody since, mounts the cgroups.
const USUAL: &str = "/sys/fs/cgroup";

/// Reads how this host mounts its cgroups. Without /proc, or with an unreadable one, it has none.
///
/// On a v2 host the mount table, which may be long, need not be read: what is mounted at the usual
/// place says so itself.
pub fn read() -> CgroupHost {
    read_of("self")
}

/// As [`read`], with the place of the process that is called `process` in /proc.
pub fn read_of(process: &str) -> CgroupHost {
    let read = |path: &Path| kernel_file::read(path).unwrap_or_default();
    let own = read(&Path::new("/proc").join(process).join("cgroup"));
    let host = pure_v2(&own)
        .unwrap_or_else(|| CgroupHost::parse(&own, &read(Path::new("/proc/self/mountinfo"))));
    let controllers = host
        .unified
        .as_ref()
        .map(|unified| read(&unified.hierarchy.mount.join("cgroup.controllers")));
    host.with_controllers(&controllers.unwrap_or_default())
}

fn pure_v2(own: &str) -> Option<CgroupHost> {
    /// CGROUP2_SUPER_MAGIC.
    const CGROUP2: u64 = 0x6367_7270;
    let is_v2 = rustix::fs::statfs(USUAL).is_ok_and(|it| it.f_type.cast_unsigned() == CGROUP2);
    let host = is_v2.then(|| CgroupHost::pure_v2(own, Path::new(USUAL)))?;
    // A container without a cgroup namespace sees a part only, counted from elsewhere.
    let hierarchy = &host.unified.as_ref()?.hierarchy;
    let own = hierarchy.mount.join(&hierarchy.own);
    rustix::fs::accessat(CWD, &own, Access::EXISTS, AtFlags::empty()).is_ok().then_some(host)
}

/// May we make a cgroup at `directory`? Not below a read-only mount, nor where another user's
/// cgroups are.
pub fn may_make(directory: &Path) -> bool {
    for above in directory.ancestors().skip(1) {
        match rustix::fs::accessat(CWD, above, Access::WRITE_OK, AtFlags::EACCESS) {
            Ok(()) => return true,
            Err(rustix::io::Errno::NOENT) => {}
            Err(_) => return false,
        }
    }
    false
}
