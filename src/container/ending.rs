//! Ending a container from another process, and waiting for its end.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use super::attach::guest::{ask_to_stay, wait_for_end};
use super::error::ContainerError;
use super::store::{Container, ContainerStore};
use super::{freezer, process};
use crate::config::signal::Signal;
use crate::store::Store;

/// How long a killed process may take to go, and its supervisor to clear up.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often is looked for what gives no sign.
const LOOK: Duration = Duration::from_millis(2);

/// How long a container has if nobody says otherwise.
pub const STOP_SECONDS: i64 = 10;

/// Asks a container to end, kills it if it has not after `seconds` (negative: never), and returns
/// when it has ended. One that does not run is left alone.
pub fn stop(
    store: &Store,
    container: &Container,
    (signal, seconds): (Signal, i64),
) -> Result<(), ContainerError> {
    if !container.state.status.has_supervisor() {
        return Ok(());
    }
    stay(&container.directory)?;
    process::signal(container, signal.number())?;
    freezer::thaw(container)?;
    let limit = u64::try_from(seconds).ok().map(Duration::from_secs);
    if !wait_until_gone(container, limit)? {
        process::signal(container, Signal::KILL.number())?;
        if !wait_until_gone(container, Some(PATIENCE))? {
            return Err(ContainerError::Unkillable(container.record.name.to_string()));
        }
    }
    // A restart that was under way when we asked to stay may still bring a process.
    wait_for_supervisor(store, container, || {
        process::signal(container, Signal::KILL.number()).map(drop)
    })
}

/// Sends a signal. One that ends it for certain ends its restarts, too.
pub fn kill(container: &Container, signal: Signal) -> Result<(), ContainerError> {
    if signal == Signal::KILL || signal == stop_signal(container) {
        stay(&container.directory)?;
    }
    let sent = process::signal(container, signal.number())?;
    if signal == Signal::KILL {
        // The frozen cannot die on cgroup v1.
        freezer::thaw(container)?;
    }
    match sent {
        true => Ok(()),
        false => Err(ContainerError::NotRunning(container.record.id.clone())),
    }
}

/// The signal that asks this container to end: the user's, the image's, SIGTERM.
pub fn stop_signal(container: &Container) -> Signal {
    let options = container.record.options.stop_signal.as_deref();
    let given = options.or(container.record.process.stop_signal.as_deref());
    given.and_then(|text| Signal::parse(text).ok()).unwrap_or(Signal::TERM)
}

/// Waits for the end of a container and returns its status; of one that does not run, the last.
pub fn wait(store: &Store, container: &Container) -> Result<u8, ContainerError> {
    if !container.state.status.has_supervisor() {
        return Ok(container.state.exit_code);
    }
    let told = wait_for_end(&container.directory)
        .map_err(|e| ContainerError::io("connect", &container.directory, e))?;
    if let Some(status) = told {
        return Ok(status);
    }
    // Its supervisor was killed, or is about to go.
    wait_for_supervisor(store, container, || Ok(()))?;
    let containers = ContainerStore::open(store)?;
    match containers.find(&container.record.id) {
        Ok(found) => Ok(found.state.exit_code),
        Err(ContainerError::Missing(_)) => Ok(container.state.exit_code),
        Err(e) => Err(e),
    }
}

fn stay(directory: &Path) -> Result<(), ContainerError> {
    match ask_to_stay(directory) {
        Ok(_) => Ok(()),
        Err(e) => Err(ContainerError::io("connect", directory, e)),
    }
}

/// Waits for the end of the first process; `false` after the limit.
fn wait_until_gone(container: &Container, limit: Option<Duration>) -> Result<bool, ContainerError> {
    let Some(process) = process::first(container)? else { return Ok(true) };
    let limit = limit.map(|limit| Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    });
    let mut files = [PollFd::new(&process, PollFlags::IN)];
    let count = rustix::io::retry_on_intr(|| poll(&mut files, limit.as_ref()))
        .map_err(|e| ContainerError::io("poll", &container.directory, e))?;
    Ok(count > 0)
}

/// Waits until whoever watched over the container has let go of it.
///
/// `meanwhile` is done between two looks.
pub fn wait_for_supervisor(
    store: &Store,
    container: &Container,
    mut meanwhile: impl FnMut() -> Result<(), ContainerError>,
) -> Result<(), ContainerError> {
    let containers = ContainerStore::open(store)?;
    let until = Instant::now() + PATIENCE;
    loop {
        match containers.run_lock(container) {
            Ok(Some(_)) | Err(ContainerError::Missing(_)) => return Ok(()),
            Ok(None) if Instant::now() > until => {
                return Err(ContainerError::Unkillable(container.record.name.to_string()));
            }
            Ok(None) => {
                meanwhile()?;
                sleep(LOOK);
            }
            Err(e) => return Err(e),
        }
    }
}
