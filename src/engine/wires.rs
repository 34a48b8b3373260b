//! The descriptors that connect the two sides of a plan.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;

use crate::apply::hook::HookState;
use crate::apply::links::Links;
use crate::plan::step::{Actor, Plan};

/// A pipe: the end to read from, the end to write to.
pub type Pipe = (OwnedFd, OwnedFd);

/// The descriptors that connect the two sides.
pub struct Wires {
    /// Wakes the child.
    pub to_child: Pipe,
    /// Wakes the host.
    pub to_host: Pipe,
    /// Closes when the program is executed.
    pub report: Pipe,
    /// The host's and the child's end of the way for a descriptor, where the plan sends one.
    pub socket: Option<Pipe>,
}

impl Wires {
    /// Makes them for `plan`; an error names the call.
    pub fn new(plan: &Plan) -> Result<Self, (&'static str, Errno)> {
        let pipe = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|e| ("pipe2", e));
        let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
        let pair = || rustix::net::socketpair(family, kind, SocketFlags::CLOEXEC, None);
        let socket =
            plan.sends_descriptor().then(pair).transpose().map_err(|e| ("socketpair", e))?;
        Ok(Self { to_child: pipe()?, to_host: pipe()?, report: pipe()?, socket })
    }

    /// The child's links; its ends of the wires go into them, the host's are closed.
    pub fn child(self, hook_state: HookState) -> Links {
        Links {
            actor: Actor::Child,
            wait: Some(self.to_child.0),
            signal: Some(self.to_host.1),
            report_pipe: Some(self.report.1),
            socket: self.socket.map(|(_, child)| child),
            child: 0,
            hook_state,
            file_limit: None,
            execution: None,
            callers_umask: None,
        }
    }
}

/// Receives one descriptor over a socket (SCM_RIGHTS).
pub fn receive_descriptor(socket: &OwnedFd) -> Result<OwnedFd, Errno> {
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut data = [0; 8];
    let mut parts = [std::io::IoSliceMut::new(&mut data)];
    rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut files) = message
            && let Some(file) = files.next()
        {
            return Ok(file);
        }
    }
    Err(Errno::NODATA)
}
