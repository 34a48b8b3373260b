//! One more process in a container that runs.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::termios::tcgetwinsize;

use super::error::ContainerError;
use super::first_process::FirstProcess;
use super::record::{ContainerRecord, Status};
use super::spec::{self, spec};
use super::store::Container;
use super::streams::{Audience, Stdin, connect, ends};
use super::surroundings::Surroundings;
use super::user;
use crate::apply::hook::HookState;
use crate::apply::report::{Report, Tracing};
use crate::config::capability::CapabilitySet;
use crate::config::path::HostPath;
use crate::engine::bundle::PlanError;
use crate::engine::resources;
use crate::engine::signals::Signals;
use crate::engine::spawn::{Given, SpawnError, report, spawn};
use crate::engine::supervise::{exit_status, supervise};
use crate::facts::process::Joinable;
use crate::facts::{Facts, Kernel};
use crate::plan::cgroup::CgroupRequest;
use crate::plan::check::check;
use crate::plan::compile::{Input, Lifetime, RootSource, Stdio};
use crate::plan::exec::{Parent, compile};
use crate::plan::step::Plan;
use crate::store::Store;
use crate::sys::process::wait;
use crate::volume::store::VolumeStore;

/// What is to be executed, beside what the container says (V12.13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecRequest {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// `-e` and `--env-file`.
    pub env: Vec<String>,
    /// `-w`
    pub working_dir: Option<String>,
    /// `-u`
    pub user: Option<String>,
    /// `-t`
    pub terminal: bool,
    /// `--privileged`
    pub privileged: bool,
    /// Who waits for it: nobody of ours with `-d`.
    pub parent: Parent,
}

/// How it is executed.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// The caller's input.
    pub stdin: Stdin,
    /// Are the steps recorded?
    pub tracing: Tracing,
}

/// What came of it.
#[derive(Debug)]
pub struct Executed {
    /// The status that a shell would give, or why there was no process.
    pub outcome: Result<u8, SpawnError>,
    /// The plan, for words.
    pub plan: Plan,
    /// What each step answered.
    pub report: Report,
}

/// Executes a command in a container that runs, and watches over it unless it is nobody's.
pub fn exec(
    store: &Store,
    container: &Container,
    (request, manner): (&ExecRequest, Manner),
) -> Result<Executed, ContainerError> {
    let id = || container.record.id.clone();
    if container.state.status != Status::Running {
        return Err(ContainerError::NotRunning(id()));
    }
    let process = FirstProcess::of(container)?.ok_or_else(|| ContainerError::NotRunning(id()))?;
    let joinable = process.joinable()?;
    if joinable.is_frozen() {
        return Err(ContainerError::PausedForExec(id()));
    }
    let plan = plan(store, container, (request, &process, &joinable))?;
    let report = report(&plan, manner.tracing)?;
    let process = process.into_pidfd();
    let outcome = match request.parent {
        Parent::Ours => run(&plan, &report, (process, manner)),
        Parent::Containers => leave(&plan, &report, process),
    };
    Ok(Executed { outcome, plan, report })
}

/// The plan: the container's own config with another process.
fn plan(
    store: &Store,
    container: &Container,
    (request, process, joinable): (&ExecRequest, &FirstProcess, &Joinable),
) -> Result<Plan, ContainerError> {
    let kernel = Kernel::probe()?;
    let record = with_request(&container.record, request)?;
    let identity = user::identify(process.root()?, &record.process.user)?;
    let volumes = VolumeStore::open(store)?;
    let around = Surroundings {
        network: None,
        directory: &container.directory,
        volume_data: &|name| volumes.data_path(name),
        identity,
        kernel,
        terminal_size: tcgetwinsize(rustix::stdio::stdin()).ok().map(|s| (s.ws_row, s.ws_col)),
    };
    let mut made = spec(&container.record, &around)?.spec;
    let capabilities = match request.privileged {
        true => CapabilitySet::all(kernel.last_capability),
        false => spec::capability_set(&record.options.limits, kernel.last_capability)?,
    };
    let of_process = spec::process(&record, &around, capabilities)?;
    made.set_process(Some(of_process));
    let seccomp =
        resources::seccomp(&made, &store.root().join("seccomp")).map_err(PlanError::from)?;
    let input = Input {
        spec: &made,
        facts: &Facts { kernel, ..Facts::default() },
        root: RootSource::Directory(HostPath::new("/")),
        mounts: &[],
        seccomp,
        cgroup: CgroupRequest::default(),
        stdio: Stdio::Given,
        // As Docker's: what was begun goes on if who began it is killed. It ends with the
        // container at the latest.
        lifetime: Lifetime::Independent,
    };
    let plan = compile(&input, joinable, request.parent).map_err(PlanError::from)?;
    check(&plan).map_err(PlanError::from)?;
    Ok(plan)
}

/// The container's record as if it had been made for this process.
fn with_request(
    record: &ContainerRecord,
    request: &ExecRequest,
) -> Result<ContainerRecord, ContainerError> {
    let mut record = record.clone();
    record.process.entrypoint = Vec::new();
    record.process.command = request.command.clone();
    record.process.env.extend(request.env.iter().cloned());
    if let Some(directory) = &request.working_dir {
        if !directory.starts_with('/') {
            return Err(ContainerError::WorkingDirectory(directory.clone()));
        }
        record.process.working_dir = directory.clone();
    }
    if let Some(user) = &request.user {
        record.process.user = user.clone();
    }
    record.options.terminal = request.terminal;
    Ok(record)
}

fn prepare(call: &'static str) -> impl Fn(Errno) -> SpawnError {
    move |errno| SpawnError::Prepare { call, errno }
}

/// In the foreground: with streams of its own, up to its end.
fn run(
    plan: &Plan,
    report: &Report,
    (process, manner): (OwnedFd, Manner),
) -> Result<u8, SpawnError> {
    let ends = ends(manner.stdin, plan.has_terminal()).map_err(prepare("pipe2"))?;
    let mut signals =
        Signals::block().map_err(|e| prepare("signalfd")(Errno::from_raw_os_error(e as i32)))?;
    let (mut files, ours) = ends.split();
    files.push(process);
    let given = Given { files, hook_state: HookState::default() };
    let running = spawn(plan, given, report)?;
    let connected = connect(&running, ours, (manner.stdin, &None), Audience::Caller);
    let status = connected.map_err(prepare("dup")).and_then(|(mut streams, terminal)| {
        supervise(&running, &mut signals, &mut streams, terminal.as_ref()).map_err(prepare("poll"))
    });
    if status.is_err() {
        // What went wrong is told; that the process is ended, too, goes without saying.
        let _ = running.abandon();
    }
    status.map(exit_status)
}

/// Left alone: without streams, a child of the container's first process.
fn leave(plan: &Plan, report: &Report, process: OwnedFd) -> Result<u8, SpawnError> {
    let (mut files, _) = ends(Stdin::Null, true).map_err(prepare("open"))?.split();
    files.push(process);
    let given = Given { files, hook_state: HookState::default() };
    let running = spawn(plan, given, report)?;
    // What we have is the process in between, which ends at once.
    wait(running.pid).map_err(prepare("waitid"))?;
    Ok(0)
}
