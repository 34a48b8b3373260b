//! The ways from one side of a plan to the other.

use std::os::fd::OwnedFd;

use rustix::fs::Mode;

use super::execution::Execution;
use super::file_limit::FileLimit;
use super::hook::HookState;
use crate::plan::step::Actor;

/// The ways from one side to the other.
#[derive(Debug)]
pub struct Links {
    /// Which side this is.
    pub actor: Actor,
    /// A byte comes here when the other side has come to a Sync.
    pub wait: Option<OwnedFd>,
    /// A byte goes here when this side has.
    pub signal: Option<OwnedFd>,
    /// The child's end of the pipe that closes when it has executed its program.
    pub report_pipe: Option<OwnedFd>,
    /// Where the child sends a descriptor: the controlling side of its terminal, or a tree.
    pub socket: Option<OwnedFd>,
    /// The child's process id, on the host's side.
    pub child: i32,
    /// What hooks are told.
    pub hook_state: HookState,
    /// What the process's limit of descriptors was, where it had to be lifted.
    pub file_limit: Option<FileLimit>,
    /// The stub and what it executes, from the moment that it is made.
    pub execution: Option<Execution>,
    /// The caller's umask: ours is none while the child makes its mount tree.
    pub callers_umask: Option<Mode>,
}

impl Links {
    /// The host's links before there is a child.
    pub fn none() -> Self {
        Self {
            actor: Actor::Host,
            wait: None,
            signal: None,
            report_pipe: None,
            socket: None,
            child: 0,
            hook_state: HookState::default(),
            file_limit: None,
            execution: None,
            callers_umask: None,
        }
    }
}
