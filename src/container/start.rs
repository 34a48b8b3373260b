//! Starting a container and watching over it to its end.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::termios::{isatty, tcgetwinsize};

use super::error::ContainerError;
use super::log::{JsonLog, Rotation, Stream};
use super::options::LogDriver;
use super::record::{ContainerRecord, ContainerState, Status};
use super::spec::{ContainerSpec, spec};
use super::store::{Container, ContainerStore};
use super::surroundings::Surroundings;
use super::view::View;
use super::{address, name, user};
use crate::apply::hook::HookState;
use crate::apply::report::{Report, Tracing};
use crate::config::cgroup::path::CgroupPath;
use crate::config::name::ContainerId;
use crate::engine::bundle::{self, facts};
use crate::engine::resources;
use crate::engine::signals::Signals;
use crate::engine::spawn::{Given, Running, SpawnError, report, spawn};
use crate::engine::supervise::{Observer, Streams, exit_status, supervise};
use crate::engine::terminal::{Output, Terminal};
use crate::facts::Kernel;
use crate::plan::compile::{Input, Lifetime, Stdio};
use crate::plan::step::Plan;
use crate::store::{Durability, Store, write_record};
use crate::volume::mounted::{self, Mounted as DriverMount};
use crate::volume::store::VolumeStore;

/// What came of a start.
#[derive(Debug)]
pub struct Ended {
    /// The status that a shell would give, or why there was no process.
    pub outcome: Result<u8, SpawnError>,
    /// The plan, for words.
    pub plan: Plan,
    /// What each step answered.
    pub report: Report,
    /// What went wrong when it did not matter to the container any more.
    pub warnings: Vec<String>,
}

/// Is the caller's input passed on?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdin {
    /// Yes (`-i`).
    Passed,
    /// The container reads from /dev/null.
    Null,
}

/// How a container is started.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// The caller's input.
    pub stdin: Stdin,
    /// Are the steps recorded?
    pub tracing: Tracing,
}

/// The config and the plan of a container; nothing is done.
pub fn plan(
    store: &Store,
    record: &ContainerRecord,
    directory: &Path,
) -> Result<(ContainerSpec, Plan), ContainerError> {
    let kernel = Kernel::probe().map_err(|e| ContainerError::Option(e.to_string()))?;
    let mut layers = record.layers.clone();
    let upper = directory.join("upper");
    // What the container itself wrote counts, once there is something.
    if upper.join("etc").exists() {
        layers.insert(0, upper);
    }
    let identity = user::identify(View::open(&layers)?, &record.process.user)?;
    let volumes = VolumeStore::open(store)?;
    let around = Surroundings {
        directory,
        volume_data: &|name| volumes.data_path(name),
        identity,
        kernel,
        terminal_size: tcgetwinsize(rustix::stdio::stdin()).ok().map(|s| (s.ws_row, s.ws_col)),
    };
    let made = spec(record, &around)?;
    let facts = facts(&made.spec, kernel, &directory.join("rootfs"));
    let id = ContainerId::parse(&record.id).map_err(|e| ContainerError::Option(e.to_string()))?;
    let cgroup = resources::cgroup(&made.spec, &facts.cgroups, CgroupPath::of_rrun(&id))
        .map_err(bundle::PlanError::from)?;
    let seccomp = resources::seccomp(&made.spec, &store.root().join("seccomp"))
        .map_err(bundle::PlanError::from)?;
    let plan = bundle::plan(&Input {
        spec: &made.spec,
        facts: &facts,
        root: made.root.clone(),
        mounts: &made.notes,
        seccomp,
        cgroup,
        stdio: Stdio::Given,
        lifetime: Lifetime::Supervised,
    })?;
    Ok((made, plan))
}

/// Starts a container that does not run and watches over it to its end.
pub fn start(
    store: &Store,
    container: &Container,
    manner: Manner,
) -> Result<Ended, ContainerError> {
    let containers = ContainerStore::open(store)?;
    let _lock = containers
        .run_lock(container)?
        .ok_or_else(|| ContainerError::RunningAlready(container.record.name.to_string()))?;
    let mounts = acquire(store, container)?;
    let (_, plan) = match plan(store, &container.record, &container.directory) {
        Ok(planned) => planned,
        Err(error) => {
            release(store, mounts);
            return Err(error);
        }
    };
    let report =
        report(&plan, manner.tracing).map_err(|e| ContainerError::Option(e.to_string()))?;
    let mut supervised = Supervised { containers: &containers, container, warnings: Vec::new() };
    let outcome = supervised.run(&plan, &report, manner);
    supervised.warnings.extend(release(store, mounts));
    if let Err(error) = supervised.ended(&outcome) {
        supervised.warnings.push(error.to_string());
    }
    let warnings = supervised.warnings;
    Ok(Ended { outcome, plan, report, warnings })
}

/// Mounts the volumes that a driver mounts, for as long as the container runs (V8.01).
fn acquire(store: &Store, container: &Container) -> Result<Vec<DriverMount>, ContainerError> {
    let volumes = VolumeStore::open(store)?;
    let mut held = Vec::new();
    // A volume at two places has one mount and one user.
    let names: BTreeSet<_> = super::create::volumes_of(&container.record.mounts).collect();
    for name in names {
        match mounted::acquire(&volumes, name, (&container.record.id, &address::of_host)) {
            Ok(mount) => held.extend(mount),
            Err(error) => {
                release(store, held);
                return Err(error.into());
            }
        }
    }
    Ok(held)
}

fn release(store: &Store, mounts: Vec<DriverMount>) -> Vec<String> {
    let Ok(volumes) = VolumeStore::open(store) else { return Vec::new() };
    let released = mounts.into_iter().map(|mount| mount.release(&volumes));
    released.filter_map(|result| result.err().map(|e| e.to_string())).collect()
}

/// A container while it runs, and where its state is written down.
struct Supervised<'a> {
    containers: &'a ContainerStore,
    container: &'a Container,
    warnings: Vec<String>,
}

/// Our ends of the container's streams.
struct Ends {
    child: Vec<OwnedFd>,
    stdin: Option<OwnedFd>,
    outputs: Option<(OwnedFd, OwnedFd)>,
}

impl Supervised<'_> {
    fn run(&mut self, plan: &Plan, report: &Report, manner: Manner) -> Result<u8, SpawnError> {
        let prepare = |call| move |errno| SpawnError::Prepare { call, errno };
        let ends =
            ends(manner.stdin, self.container.record.options.terminal).map_err(prepare("pipe2"))?;
        let mut signals = Signals::block()
            .map_err(|e| prepare("signalfd")(Errno::from_raw_os_error(e as i32)))?;
        let hook_state = HookState {
            id: self.container.record.id.clone(),
            bundle: self.container.directory.display().to_string(),
            ..HookState::default()
        };
        let given = Given { files: ends.child, hook_state, tracing: manner.tracing };
        let mut running = spawn(plan, given, report)?;
        self.started(&running);
        let log = self.open_log();
        let (streams, terminal) =
            connect(&running, (manner.stdin, &log), (ends.stdin, ends.outputs))
                .map_err(prepare("dup"))?;
        let status = supervise(&running, &mut signals, streams, terminal.as_ref());
        drop(terminal);
        self.close_log(&log);
        if let Err(error) = running.undo.run() {
            self.warnings.push(error.to_string());
        }
        status.map(exit_status).map_err(prepare("poll"))
    }

    /// The log, if one is kept; that it cannot be is no reason not to run.
    fn open_log(&mut self) -> SharedLog {
        let wanted = &self.container.record.options.log;
        if self.container.record.options.remove || wanted.driver == LogDriver::None {
            return None;
        }
        let rotation =
            Rotation { max_size_bytes: wanted.max_size_bytes, max_files: wanted.max_files };
        match JsonLog::open(&self.container.directory.join("log.json"), rotation) {
            Ok(log) => Some(Rc::new(RefCell::new((log, None)))),
            Err(error) => {
                self.warnings.push(format!("the output is not logged: {error}"));
                None
            }
        }
    }

    fn close_log(&mut self, log: &SharedLog) {
        let Some(log) = log else { return };
        let (log, failure) = &mut *log.borrow_mut();
        let failure = failure.take().or_else(|| log.finish().err());
        self.warnings.extend(failure.map(|e| format!("the output is not all logged: {e}")));
    }

    /// Notes that the process is there. Not durable: after a power cut nothing runs.
    fn started(&mut self, running: &Running) {
        let state = ContainerState {
            status: Status::Running,
            pid: running.pid,
            started: name::now(),
            ..ContainerState::default()
        };
        let path = self.container.directory.join("state.json");
        if let Err(error) = write_record(&path, &state, Durability::Passing) {
            self.warnings.push(error.to_string());
        }
    }

    /// Notes how it ended, or that it never ran (V6.09).
    fn ended(&self, outcome: &Result<u8, SpawnError>) -> Result<(), ContainerError> {
        if self.container.record.options.remove {
            return Ok(());
        }
        let path = self.container.directory.join("state.json");
        let mut state: ContainerState = crate::store::read_record(&path)?.unwrap_or_default();
        match outcome {
            Ok(status) => {
                state.status = Status::Exited;
                state.exit_code = *status;
                state.finished = name::now();
            }
            Err(error) => {
                state.status = Status::Created;
                state.error = error.to_string();
            }
        }
        state.pid = 0;
        self.containers.write_state(self.container, &state)
    }
}

/// The container's own ends, and ours of those that are pipes.
fn ends(stdin: Stdin, terminal: bool) -> Result<Ends, Errno> {
    let null = || -> Result<OwnedFd, Errno> {
        let file = File::options().read(true).write(true).open("/dev/null");
        file.map(OwnedFd::from).map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))
    };
    if terminal {
        // The three are replaced by the terminal as soon as there is one.
        return Ok(Ends { child: vec![null()?, null()?, null()?], stdin: None, outputs: None });
    }
    let pipe = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC);
    let (child_stdin, our_stdin) = match stdin {
        Stdin::Null => (null()?, None),
        Stdin::Passed => pipe().map(|(read, write)| (read, Some(write)))?,
    };
    let ((out_read, out_write), (err_read, err_write)) = (pipe()?, pipe()?);
    let child = vec![child_stdin, out_write, err_write];
    Ok(Ends { child, stdin: our_stdin, outputs: Some((out_read, err_read)) })
}

type Connected = (Streams, Option<Terminal>);

/// The log of both streams, and the first error of writing it.
type SharedLog = Option<Rc<RefCell<(JsonLog, Option<std::io::Error>)>>>;

/// Passes what a stream brings to the log.
fn observer(log: &SharedLog, stream: Stream) -> Observer {
    let log = log.clone();
    Box::new(move |bytes| {
        if let Some(log) = &log {
            let (log, failure) = &mut *log.borrow_mut();
            if failure.is_none() {
                *failure = log.take(stream, bytes).err();
            }
        }
    })
}

fn connect(
    running: &Running,
    (stdin, log): (Stdin, &SharedLog),
    (ours, outputs): (Option<OwnedFd>, Option<(OwnedFd, OwnedFd)>),
) -> Result<Connected, Errno> {
    let mut streams = Streams::default();
    let mut terminal = None;
    if let Some(inner) = &running.terminal {
        let copy = || inner.as_fd().try_clone_to_owned().map_err(|_| Errno::MFILE);
        let observer = observer(log, Stream::Stdout);
        streams = streams.observed(copy()?, rustix::stdio::stdout(), observer);
        if stdin == Stdin::Passed {
            streams = streams.input(copy()?);
            terminal = Terminal::of_stdin(Output::Raw);
        }
    }
    if let Some(ours) = ours {
        streams = streams.input(ours);
    }
    if let Some((out, err)) = outputs {
        streams = streams
            .observed(out, rustix::stdio::stdout(), observer(log, Stream::Stdout))
            .observed(err, rustix::stdio::stderr(), observer(log, Stream::Stderr));
    }
    Ok((streams, terminal))
}

/// Is the caller's input a terminal?
pub fn stdin_is_terminal() -> bool {
    isatty(rustix::stdio::stdin())
}
