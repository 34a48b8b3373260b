//! The first process of a container that runs: found by its number and the time of its start, and
//! signalled without a chance to hit another.

use std::fs;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::time::Timespec;

use super::entry::Container;
use super::error::ContainerError;
use super::record::{ContainerState, Status};
use crate::store::read_record;
use crate::sys::process::send_signal;

/// When a process started, in ticks since the boot (field 22 of /proc/PID/stat): a number alone
/// is used again.
pub fn start_ticks(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold blanks and parentheses; what follows the last one is numbers.
    text.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// The first process of a container, as long as it is there.
///
/// One that is about to run or has just ended has none yet or none any more.
pub fn first(container: &Container) -> Result<Option<OwnedFd>, ContainerError> {
    let path = container.directory.join("state.json");
    let Some(state) = read_record::<ContainerState>(&path)? else { return Ok(None) };
    match state.status {
        Status::Running => of_state(&state),
        _ => Ok(None),
    }
}

/// The process that a state names, if it is still that one.
pub fn of_state(state: &ContainerState) -> Result<Option<OwnedFd>, ContainerError> {
    let Some(pid) = Pid::from_raw(state.pid) else { return Ok(None) };
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(process) => process,
        Err(Errno::SRCH) => return Ok(None),
        Err(e) => {
            return Err(ContainerError::io("pidfd_open", format!("/proc/{}", state.pid), e));
        }
    };
    // Asked after the descriptor was opened, the answer is about the process that it is open on.
    Ok((start_ticks(state.pid) == Some(state.start_ticks)).then_some(process))
}

/// Waits until a process has ended, for `limit` at most; returns whether it has.
pub fn wait_for_end(process: &OwnedFd, limit: Duration) -> bool {
    let limit = Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    };
    let mut files = [PollFd::new(process, PollFlags::IN)];
    rustix::io::retry_on_intr(|| poll(&mut files, Some(&limit))).is_ok_and(|count| count > 0)
}

/// Sends a signal to the first process. `false`: there is none.
pub fn signal(container: &Container, number: i32) -> Result<bool, ContainerError> {
    let Some(process) = first(container)? else { return Ok(false) };
    match send_signal(&process, number) {
        Ok(()) => Ok(true),
        Err(Errno::SRCH) => Ok(false),
        Err(e) => Err(ContainerError::io("pidfd_send_signal", &container.directory, e)),
    }
}
