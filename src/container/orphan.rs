//! What a supervisor that was killed has left: a cgroup, perhaps a process, a state that is wrong.
//!
//! The container's processes go with it (the parent-death signal, the pid namespace). That is best
//! effort: a change of credentials clears the signal. So who finds such a container ends what is
//! left of it.

use super::entry::{Container, RunLock, write_state};
use std::time::Duration;

use super::record::Status;
use super::{clock, process};
use crate::apply::cgroup::{self, Cgroup, Place};
use crate::config::cgroup::path::CgroupPath;
use crate::config::cgroup::site::sites;
use crate::config::name::ContainerId;
use crate::sys::process::send_signal;

/// How long a killed process may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// SIGKILL, as a shell gives it.
const KILLED: u8 = 137;

/// Ends what is left of a container whose supervisor was killed, and writes down that it ended.
///
/// The lock says that nobody watches over it. What fails is tried again by the next who looks.
pub fn mend(container: &mut Container, _lock: &RunLock) {
    if let Ok(Some(process)) = process::of_state(&container.state) {
        let _ = send_signal(&process, libc::SIGKILL);
        // It must not write to the upper directory any more when the next one is started.
        process::wait_for_end(&process, PATIENCE);
    }
    clear(container);
    container.state.status = Status::Exited;
    container.state.exit_code = KILLED;
    container.state.pid = 0;
    container.state.ports.clear();
    container.state.finished = clock::now();
    let _ = write_state(container, &container.state);
}

/// The cgroup of a container, as far as it is there.
pub fn cgroup_of(container: &Container) -> Cgroup {
    let mut found = Cgroup::default();
    let Ok(id) = ContainerId::parse(&container.record.id) else { return found };
    let sites = sites(&crate::facts::cgroup::read(), &CgroupPath::of_rrun(&id), &[]);
    sites.iter().filter_map(Place::found).for_each(|place| found.add(place));
    found
}

/// Ends and removes what is left of its cgroup.
pub fn clear(container: &Container) {
    let left = cgroup_of(container);
    let _ = cgroup::kill_all(&left);
    let _ = cgroup::remove(&left);
}
