//! What `run` and `start` share: starting a container that a supervisor watches over.

use std::os::fd::OwnedFd;

use super::Context;
use crate::container::attach::guest::Passed;
use crate::container::attach::keys::Keys;
use crate::container::options::RunOptions;
use crate::container::store::{Container, RunLock};
use crate::container::supervisor::{FirstGuest, Order, Word, launch};
use crate::engine::terminal;
use crate::say::failure::{Failure, Status};
use crate::say::setup::words_of;

/// Starts it; the connection is that of the first guest, where there is one.
pub fn start(
    (container, lock): (&Container, RunLock),
    first: FirstGuest,
    cx: &Context,
) -> Result<Option<OwnedFd>, Failure> {
    let size = terminal::size_of_stdin();
    let order = Order { store: &cx.store, container, lock, size };
    let (Word { failure }, socket) = launch(order, first).map_err(|e| {
        let wanted = format!("start container {}", container.record.name);
        Failure::new(wanted, format!("fork: {}", words_of(e))).status(Status::NotStarted)
    })?;
    failure.map_or(Ok(socket), Err)
}

/// What a guest of a container with these options passes on to it.
pub fn passed(options: &RunOptions, keys: Keys) -> Passed {
    Passed {
        input: options.interactive,
        // Where there is a terminal, keys are signals' way.
        signals: !options.terminal,
        terminal: options.terminal,
        keys,
    }
}
