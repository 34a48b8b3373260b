//! `rrun start`: start a container that was created, and watch over it.

use super::foreground::{self, Trace};
use super::{Context, Outcome};
use crate::container::start::Stdin;
use crate::container::store::ContainerStore;
use crate::say::failure::{Failure, Status};

/// Start a container and attach to it
///
/// A container runs as long as this command watches over it; its status becomes the command's.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Attach to its output and pass its status on
    #[arg(short, long)]
    attach: bool,
    /// Pass standard input on to it
    #[arg(short, long)]
    interactive: bool,
    /// Print each step of the plan with the kernel's answer
    #[arg(long)]
    trace: bool,
    /// The container, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    container: String,
}

/// Runs the command.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(format!("start container {}", cmd.container), error)
    };
    if !cmd.attach && !cmd.interactive {
        let cause = "rrun has no containers in the background yet";
        return Err(failed(&cause).hint("`rrun start -a` stays in the foreground"));
    }
    let containers = ContainerStore::open(&cx.store).map_err(|e| failed(&e))?;
    let container = containers.find(&cmd.container).map_err(|e| failed(&e))?;
    let options = &container.record.options;
    let stdin = if cmd.interactive && options.interactive { Stdin::Passed } else { Stdin::Null };
    let trace = if cmd.trace { Trace::Shown } else { Trace::Hidden };
    let ended = foreground::watch(&container, (stdin, trace), cx);
    foreground::remove_if_wished(&container, cx)?;
    // Of a start, a failure to set up is 1; what is wrong with the program stays 126 or 127.
    ended.map_err(|failure| match failure.status {
        Status::NotStarted => failure.status(Status::Failed),
        _ => failure,
    })
}
