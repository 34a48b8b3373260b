//! `rrun exec`, also `rrun container exec`.

use std::env;

use super::foreground::{self, Trace};
use super::run_args::environment;
use super::{Context, Outcome};
use crate::apply::report::Tracing;
use crate::container::ContainerError;
use crate::container::exec::{ExecRequest, Executed, Manner, exec};
use crate::container::store::ContainerStore;
use crate::container::streams::Stdin;
use crate::plan::exec::Parent;
use crate::say::failure::{Failure, Status};
use crate::say::{paint, setup, trace};

/// Run one more command in a container that runs
///
/// It has the container's environment, user, working directory and limits. Ends with the
/// command's exit status; 125 if it could not be set up, 126 if the command cannot be executed,
/// 127 if it is not there, 128+n if signal n ended it.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Return at once and leave the command alone; its output is not kept
    #[arg(short, long)]
    detach: bool,
    /// Pass standard input on to it
    #[arg(short, long)]
    interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    tty: bool,
    /// Set an environment variable; without a value the caller's
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Read environment variables from a file
    #[arg(long, value_name = "FILE")]
    env_file: Vec<String>,
    /// Working directory
    #[arg(short, long, value_name = "PATH")]
    workdir: Option<String>,
    /// User and group: name or uid, and optionally :group or :gid
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Give it all capabilities
    #[arg(long)]
    privileged: bool,
    /// Show each step with the kernel's answer
    #[arg(long)]
    trace: bool,
    /// The container, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    container: String,
    /// The command and its arguments
    #[arg(required = true, value_name = "COMMAND", trailing_var_arg = true)]
    command: Vec<String>,
}

/// Runs the command in the container.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let wanted = format!("execute a command in {}", cmd.container);
    let (interactive, terminal) = (cmd.interactive && !cmd.detach, cmd.tty && !cmd.detach);
    if interactive && terminal {
        foreground::require_terminal("exec")?;
    }
    let env = environment(&cmd.env_file, &cmd.env, &|name| env::var_os(name))?;
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let request = ExecRequest {
        command: cmd.command.clone(),
        env,
        working_dir: given(&cmd.workdir),
        user: given(&cmd.user),
        terminal,
        privileged: cmd.privileged,
        parent: if cmd.detach { Parent::Containers } else { Parent::Ours },
    };
    let shown = if cmd.trace { Trace::Shown } else { Trace::Hidden };
    let manner = Manner {
        stdin: if interactive { Stdin::Passed } else { Stdin::Null },
        tracing: if cmd.trace { Tracing::On } else { Tracing::Off },
    };
    let failed = |error: &ContainerError| failure(&wanted, error);
    let containers = ContainerStore::open(&cx.store).map_err(|e| failed(&e.into()))?;
    let container = containers.find(&cmd.container).map_err(|e| failed(&e))?;
    let executed = exec(&cx.store, &container, (&request, manner)).map_err(|e| failed(&e))?;
    let Executed { outcome, plan, report } = executed;
    if shown == Trace::Shown {
        cx.out.aside(&trace::text(&plan, &report, paint::Style::of_stderr()));
    }
    outcome.map_err(|error| setup::failure(&plan, &error))
}

/// Without such a container, or if it does not run, the status is 1 (V12.14); a command that
/// could not be set up is told from one that failed.
fn failure(wanted: &str, error: &ContainerError) -> Failure {
    use ContainerError as E;
    let status = match error {
        E::Missing(_) | E::Ambiguous(_) | E::NotRunning(_) | E::PausedForExec(_) => Status::Failed,
        _ => Status::NotStarted,
    };
    let failure = Failure::new(wanted, error).status(status);
    match error {
        E::NotRunning(_) => failure.hint("`rrun ps` lists the containers that run"),
        _ => failure,
    }
}
