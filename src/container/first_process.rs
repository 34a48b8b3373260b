//! The first process of a container that runs, by a descriptor that cannot become another's.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::CWD;
use rustix::io::Errno;

use super::error::ContainerError;
use super::process;
use super::record::{ContainerState, Status};
use super::store::Container;
use crate::facts::process::Joinable;
use crate::store::read_record;
use crate::sys::path::open_place;
use crate::sys::process::send_signal;

/// The first process of a container.
#[derive(Debug)]
pub struct FirstProcess {
    pid: i32,
    pidfd: OwnedFd,
}

impl FirstProcess {
    /// The process of a container that runs. One that is about to run or has just ended has none
    /// yet or none any more.
    pub fn of(container: &Container) -> Result<Option<Self>, ContainerError> {
        let path = container.directory.join("state.json");
        let Some(state) = read_record::<ContainerState>(&path)? else { return Ok(None) };
        if state.status != Status::Running {
            return Ok(None);
        }
        Ok(process::of_state(&state)?.map(|pidfd| Self { pid: state.pid, pidfd }))
    }

    /// Its root, as a place from which nothing above can be reached (with IN_ROOT).
    pub fn root(&self) -> Result<OwnedFd, ContainerError> {
        let root = open_place(CWD, Path::new(&format!("/proc/{}/root", self.pid)));
        self.is_still_there()?;
        root.map_err(|e| failed("open", self.pid, e))
    }

    /// What who joins it has to join.
    pub fn joinable(&self) -> Result<Joinable, ContainerError> {
        let joinable = Joinable::read(self.pid);
        self.is_still_there().map(|()| joinable)
    }

    /// As long as it is there, what /proc says of its number is of this process.
    fn is_still_there(&self) -> Result<(), ContainerError> {
        send_signal(&self.pidfd, 0).map_err(|e| failed("pidfd_send_signal", self.pid, e))
    }

    /// The descriptor, to be given away.
    pub fn into_pidfd(self) -> OwnedFd {
        self.pidfd
    }
}

fn failed(call: &'static str, pid: i32, errno: Errno) -> ContainerError {
    ContainerError::io(call, format!("/proc/{pid}"), errno)
}
