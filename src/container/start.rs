//! One run of a container: from its plan to the end of its process.
//!
//! Not here: what comes before and after a run (`supervisor`), who gets the output (`streams`).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rustix::io::Errno;

use super::clock;
use super::entry::{Container, RunLock};
use super::error::ContainerError;
use super::held_mounts::DriverMount;
use super::log::attributes::attributes;
use super::log::writer::LogWriter;
use super::network::{self, Network};
use super::plan::{Outside, plan};
use super::record::{ContainerState, Status};
use super::streams::{Audience, SharedLog, Stdin, connect, ends};
use super::{held_mounts, process};
use crate::apply::hook::HookState;
use crate::apply::report::{Report, Tracing};
use crate::config::port::Published;
use crate::engine::guests::Guests;
use crate::engine::signals::Signals;
use crate::engine::spawn::{Given, Running, SpawnError, report, spawn};
use crate::engine::supervise::{exit_status, supervise};
use crate::plan::step::Plan;
use crate::store::{Durability, Store, StoreError, read_record, write_record};

/// What came of a run.
pub struct Ended {
    /// The status that a shell would give, or why there was no process.
    pub outcome: Result<u8, SpawnError>,
    /// What is to be written down of it (V6.09): by who knows what comes next.
    pub state: ContainerState,
    /// The plan, for words.
    pub plan: Plan,
    /// What each step answered.
    pub report: Report,
    /// What went wrong when it did not matter to the container any more.
    pub warnings: Vec<String>,
    /// Those who had attached.
    pub guests: Option<Box<dyn Guests>>,
}

/// How a container is run.
pub struct Manner<'a> {
    /// Is there input for it?
    pub stdin: Stdin,
    /// Whose streams are connected with its own.
    pub audience: Audience,
    /// Who has attached, and may.
    pub guests: Option<Box<dyn Guests>>,
    /// Lines and columns of the terminal that it will be seen on.
    pub size: Option<(u16, u16)>,
    /// Are the steps recorded?
    pub tracing: Tracing,
    /// Signals for us, blocked since before the container was made.
    pub signals: &'a mut Signals,
    /// Told when its process is there.
    pub on_start: &'a mut dyn FnMut(),
}

/// Runs a container whose lock is held, to the end of its process.
pub fn run(
    store: &Store,
    container: &Container,
    _lock: &RunLock,
    manner: Manner<'_>,
) -> Result<Ended, ContainerError> {
    let held = Held::take(store, container)?;
    let network = held.network.as_ref();
    let outside = Outside { terminal_size: manner.size, network: network.map(Network::path) };
    let planned = plan(store, container, outside).and_then(|(_, plan)| {
        let report = report(&plan, manner.tracing)?;
        Ok((plan, report))
    });
    let (plan, report) = match planned {
        Ok(planned) => planned,
        Err(error) => {
            held.release();
            return Err(error);
        }
    };
    let ports = network.map(|network| network.ports.clone()).unwrap_or_default();
    let mut one = Run { container, ports, warnings: plan.warnings.clone(), guests: None };
    let outcome = one.run(&plan, &report, manner);
    one.warnings.extend(held.release());
    let state = one.ended(&outcome);
    let Run { warnings, guests, .. } = one;
    Ok(Ended { outcome, state, plan, report, warnings, guests })
}

/// What is there for a container as long as it runs.
struct Held<'a> {
    store: &'a Store,
    mounts: Vec<DriverMount>,
    network: Option<Network>,
}

impl<'a> Held<'a> {
    fn take(store: &'a Store, container: &Container) -> Result<Self, ContainerError> {
        let mounts = held_mounts::acquire(store, container)?;
        match network::prepare(store, container) {
            Ok(network) => Ok(Self { store, mounts, network }),
            Err(error) => {
                held_mounts::release(store, mounts);
                Err(error)
            }
        }
    }

    /// Lets go of all of it; returns what went wrong.
    fn release(self) -> Vec<String> {
        if let Some(network) = self.network {
            network.end();
        }
        held_mounts::release(self.store, self.mounts)
    }
}

/// A container while it runs, and where its state is written down.
struct Run<'a> {
    container: &'a Container,
    ports: Vec<Published>,
    warnings: Vec<String>,
    guests: Option<Box<dyn Guests>>,
}

impl Run<'_> {
    fn run(&mut self, plan: &Plan, report: &Report, manner: Manner<'_>) -> Result<u8, SpawnError> {
        let prepare = |call| move |errno| SpawnError::Prepare { call, errno };
        let Manner { stdin, audience, guests, signals, on_start, .. } = manner;
        let ends = ends(stdin, self.container.record.options.terminal).map_err(prepare("pipe2"))?;
        let hook_state = HookState {
            id: self.container.record.id.clone(),
            bundle: self.container.directory.display().to_string(),
            ..HookState::default()
        };
        let (child, ours) = ends.split();
        let given = Given { files: child, hook_state };
        let mut running = spawn(plan, given, report)?;
        if let Err(error) = self.started(&running) {
            // Why it does not go on is told.
            let _ = running.abandon();
            return Err(error);
        }
        self.warnings.extend(running.late_warnings(plan));
        on_start();
        let log = self.open_log();
        let connected = connect(&running, ours, (stdin, &log), audience);
        let status = connected.map_err(prepare("dup")).and_then(|(streams, terminal)| {
            let mut streams = streams.with_guests(guests);
            let status = supervise(&running, signals, &mut streams, terminal.as_ref());
            self.guests = streams.take_guests();
            status.map_err(prepare("poll"))
        });
        self.close_log(&log);
        let undone = match status {
            Ok(_) => running.undo.run(),
            Err(_) => running.abandon(),
        };
        self.warnings.extend(undone.err().map(|error| error.to_string()));
        status.map(exit_status)
    }

    /// The log, if one is kept.
    fn open_log(&mut self) -> SharedLog {
        let Container { record, directory, .. } = self.container;
        let attributes = attributes(record).unwrap_or_else(|error| {
            self.warnings.push(format!("the log has no attributes: {error}"));
            BTreeMap::new()
        });
        let writer = LogWriter::new(directory, &record.options.log, attributes)?;
        Some(Rc::new(RefCell::new(writer)))
    }

    fn close_log(&mut self, log: &SharedLog) {
        let loss = log.as_ref().and_then(|log| log.borrow_mut().finish());
        self.warnings.extend(loss.map(|loss| loss.to_string()));
    }

    /// Notes that the process is there. Not durable: after a power cut nothing runs.
    ///
    /// A container of which nobody knows could not be ended by anybody: it does not go on.
    fn started(&self, running: &Running) -> Result<(), SpawnError> {
        let before = self.state().unwrap_or_default();
        let state = ContainerState {
            status: Status::Running,
            pid: running.pid,
            start_ticks: process::start_ticks(running.pid).unwrap_or_default(),
            started: clock::now(),
            restarts: before.restarts,
            ports: self.ports.clone(),
            ..ContainerState::default()
        };
        let path = self.container.directory.join("state.json");
        write_record(&path, &state, Durability::Passing).map_err(|error| {
            let errno = match &error {
                StoreError::Io { source, .. } => Errno::from_io_error(source),
                _ => None,
            };
            SpawnError::Prepare { call: "write state.json", errno: errno.unwrap_or(Errno::IO) }
        })
    }

    fn state(&self) -> Result<ContainerState, ContainerError> {
        Ok(read_record(&self.container.directory.join("state.json"))?.unwrap_or_default())
    }

    /// How it ended, or that it never ran.
    fn ended(&self, outcome: &Result<u8, SpawnError>) -> ContainerState {
        let mut state = self.state().unwrap_or_default();
        match outcome {
            Ok(status) => {
                state.status = Status::Exited;
                state.exit_code = *status;
                state.finished = clock::now();
            }
            Err(error) => {
                state.status = Status::Created;
                state.error = error.to_string();
            }
        }
        state.pid = 0;
        state.ports.clear();
        state
    }
}

/// Writes down how a container ended; one that goes with its process leaves nothing to read.
pub fn note(container: &Container, state: &ContainerState) -> Result<(), ContainerError> {
    match container.record.options.remove {
        true => Ok(()),
        false => super::entry::write_state(container, state),
    }
}
