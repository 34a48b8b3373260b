//! `rrun attach`: the caller's streams, connected with a container that runs.

use super::run_args::life::detach_keys;
use super::{Context, Outcome, attached, background, foreground};
use crate::container::attach::guest;
use crate::container::store::ContainerStore;
use crate::say::failure::Failure;
use crate::say::setup::words_of;

/// Attach to a container that runs
///
/// Shows what it writes from now on, and passes on what is typed. Ends with the container's
/// status; the keys ctrl-p ctrl-q let go of one that has a terminal.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Keys that let go of it [default: ctrl-p,ctrl-q]
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<String>,
    /// Pass no input on
    #[arg(long)]
    no_stdin: bool,
    /// Pass signals on [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    sig_proxy: Option<Option<bool>>,
    /// The container, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    container: String,
}

/// Runs the command.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let failed = |cause: &dyn std::fmt::Display| {
        Failure::new(format!("attach to container {}", cmd.container), cause)
    };
    let keys = detach_keys(cmd.detach_keys.as_deref())?;
    let containers = ContainerStore::open(&cx.store).map_err(|e| failed(&e))?;
    let container = containers.find(&cmd.container).map_err(|e| failed(&e))?;
    let not_running = || failed(&"You cannot attach to a stopped container, start it first");
    if !container.state.status.has_supervisor() {
        return Err(not_running());
    }
    let mut passed = background::passed(&container.record.options, keys);
    passed.input &= !cmd.no_stdin;
    passed.signals &= !matches!(cmd.sig_proxy, Some(Some(false)));
    if passed.input {
        foreground::refuse_without_terminal(&container.record.options)?;
    }
    let mut signals = foreground::block_signals()?;
    let socket = guest::connect(&container.directory).map_err(|e| failed(&words_of(e)))?;
    let socket = socket.ok_or_else(not_running)?;
    guest::attach(&socket).map_err(|e| failed(&words_of(e)))?;
    attached::visit((&container, Some(socket)), passed, &mut signals, cx)
}
