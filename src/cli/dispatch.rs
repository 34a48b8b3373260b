//! From the command line to the command: clap's types, the store, the exit status.

use std::env;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Args, FromArgMatches, Subcommand};

use super::argv::{self, Call, Named, Wish};
use super::argv_error::{ArgvError, flag_name};
use super::run_args::{Caller, Extra, Meaning, RunArgs, Unnamed, number_words};
use super::{
    Context, Outcome, absent, attach, commit, completion, container, cp, create, diff, exec,
    explain, export, image, inspect, kill, logs, man, pause, port, prune, ps, rename, restart, rm,
    run, start, stop, system, version, volume, wait,
};
use crate::config::nearest::nearest;
use crate::container::options::RunOptions;
use crate::say::failure::{Failure, Status};
use crate::say::output::Output;
use crate::say::steps::Steps;
use crate::store::{Store, StoreError};

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Cmd),
    Create(create::Cmd),
    Start(start::Cmd),
    Stop(stop::Cmd),
    Restart(restart::Cmd),
    Kill(kill::Cmd),
    Wait(wait::Cmd),
    Attach(attach::Cmd),
    Port(port::Cmd),
    Exec(exec::Cmd),
    Cp(cp::Cmd),
    Diff(diff::Cmd),
    Commit(commit::Cmd),
    Export(export::Cmd),
    Pause(pause::Pause),
    Unpause(pause::Unpause),
    Rename(rename::Cmd),
    Rm(rm::Cmd),
    Ps(ps::Cmd),
    Logs(logs::Cmd),
    Inspect(inspect::Cmd),
    Explain(explain::Cmd),
    #[command(flatten)]
    OfImages(image::ImageWord),
    Info(system::info::Cmd),
    Version(version::Cmd),
    Completion(completion::Cmd),
    #[command(hide = true)]
    Man(man::Cmd),
    #[command(subcommand)]
    System(system::SystemCommand),
    #[command(subcommand)]
    Volume(volume::VolumeCommand),
    #[command(subcommand)]
    Container(container::ContainerCommand),
    #[command(subcommand)]
    Image(image::ImageCommand),
}

/// Runs the command line and returns the exit status. `argv` begins with the program's name.
pub fn main(argv: impl IntoIterator<Item = OsString>) -> u8 {
    let out = Output;
    match serve(argv.into_iter().skip(1), &out) {
        Ok(status) => status,
        Err(failure) => {
            out.failure(&failure);
            failure.status.code()
        }
    }
}

fn serve(argv: impl Iterator<Item = OsString>, out: &Output) -> Outcome {
    let argv = argv::text(argv)?;
    let root = command_for(&argv)?;
    let line = argv::split(&argv, &root).map_err(|e| wrong(&root, e))?;
    let told = |e| Failure::new("write the help", e);
    match line.wish {
        Wish::Help(path) => out.text(&help(root_command(), &path)).map_err(told)?,
        Wish::Version => {
            out.line(concat!("rrun version ", env!("CARGO_PKG_VERSION"))).map_err(told)?;
        }
        Wish::Run(call) => {
            let by_image = call.named == Named::ByImage;
            let meaning = by_image.then_some(unnamed as Meaning);
            let command = parse(root, &call)?;
            let store = StorePlace { option: line.root };
            return carry_out(command, &store, meaning);
        }
    }
    Ok(0)
}

/// rrun's clap command with what this command line needs of it. What a container may be given is
/// a hundred options for each of five commands: to write all of them down costs as much as a
/// third of making the container.
pub(super) fn command_for(argv: &[String]) -> Result<clap::Command, Failure> {
    let root = without_commands();
    let first = argv::own(argv, &root)?.rest.first().map_or("help", String::as_str);
    Ok(match first {
        "create" => root.subcommand(create::Cmd::augment_args(clap::Command::new("create"))),
        "help" => root_command(),
        word if word != "run" && Command::has_subcommand(word) => root_command(),
        _ => root.subcommand(run::Cmd::augment_args(clap::Command::new("run"))),
    })
}

/// rrun's own clap command, with all commands below it.
pub(super) fn root_command() -> clap::Command {
    // The doc comment of the commands' type would replace what is said about rrun.
    Command::augment_subcommands(without_commands()).about(ABOUT)
}

const ABOUT: &str = "Containers whose subject is storage, without a daemon";

fn without_commands() -> clap::Command {
    let option = |name: &'static str| Arg::new(name).long(name);
    clap::Command::new("rrun")
        .about(ABOUT)
        .version(env!("CARGO_PKG_VERSION"))
        .override_usage("rrun [RUN OPTIONS] IMAGE [COMMAND]...\n       rrun COMMAND [OPTIONS] ...")
        // -h is a container's host name, as Docker's.
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .arg(
            option("help")
                .action(ArgAction::Help)
                .global(true)
                .help("Show this")
                .display_order(999),
        )
        .arg(option("root").value_name("DIR").help(
            "Where volumes, images and containers are kept [default: RRUN_ROOT, /var/lib/rrun]",
        ))
        .disable_version_flag(true)
        .arg(option("version").action(ArgAction::Version).help("Show the version"))
        // Given twice, the last one counts, as everywhere in Docker's command line.
        .args_override_self(true)
}

/// A wrong number of words is told with the right one.
fn wrong(root: &clap::Command, error: ArgvError) -> Failure {
    let usage = match &error {
        ArgvError::Words { path, .. } => {
            let path: Vec<String> = path.split(' ').map(str::to_owned).collect();
            Some(built(root.clone(), &path).render_usage().to_string())
        }
        _ => None,
    };
    let failure = Failure::from(error);
    match usage.as_deref().and_then(|usage| usage.strip_prefix("Usage: ")) {
        // A hint is one line.
        Some(usage) => {
            let forms: Vec<&str> = usage.lines().map(str::trim).collect();
            failure.hint(forms.join("   or   "))
        }
        None => failure,
    }
}

/// The command with this path, ready to tell how it is used.
fn built(mut root: clap::Command, path: &[String]) -> clap::Command {
    root.build();
    let mut command = &root;
    for name in path {
        let Some(below) = command.find_subcommand(name) else { break };
        command = below;
    }
    command.clone()
}

fn help(root: clap::Command, path: &[String]) -> String {
    let mut command = built(root, path);
    // All that is said about the command, but one line an option.
    if let Some(about) = command.get_long_about().cloned() {
        command = command.about(about);
    }
    let text = command.render_help();
    if std::io::stdout().is_terminal() { text.ansi().to_string() } else { text.to_string() }
}

/// What a first word may be which was taken for an image.
fn unnamed(word: &str) -> Option<Unnamed> {
    if let Some(instead) = absent::instead(word) {
        return Some(Unnamed::Absent(instead));
    }
    let root = root_command();
    let commands = root.get_subcommands().map(clap::Command::get_name);
    nearest(word, commands).map(|near| Unnamed::Near(near.to_owned()))
}

fn parse(mut root: clap::Command, call: &Call) -> Result<Command, Failure> {
    root.try_get_matches_from_mut(call.argv())
        .and_then(|matches| Command::from_arg_matches(&matches))
        .map_err(|e| refusal(&e, &root, call))
}

/// What clap refuses after the splitting is a value.
fn refusal(error: &clap::Error, root: &clap::Command, call: &Call) -> Failure {
    use clap::error::{ContextKind, ContextValue};
    use std::error::Error;
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let failed =
        |cause: &str| Failure::new("read the command line", cause).status(Status::NotStarted);
    let (Some(flag), Some(value)) =
        (context(ContextKind::InvalidArg), context(ContextKind::InvalidValue))
    else {
        let text = error.to_string();
        let line = text.lines().next().unwrap_or_default();
        return failed(line.strip_prefix("error: ").unwrap_or(line));
    };
    let command = call.path.iter().try_fold(root, |at, name| at.find_subcommand(name));
    let long = flag.trim_start_matches("--").split([' ', '=']).next();
    let arg = command.and_then(|c| c.get_arguments().find(|arg| arg.get_long() == long));
    let flag = arg.map_or(flag.to_owned(), flag_name);
    let reason = match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(source), _) => match source.downcast_ref::<std::num::ParseIntError>() {
            Some(error) => number_words(value, error),
            None => source.to_string(),
        },
        (None, Some(ContextValue::Strings(known))) => {
            format!("must be one of {}", known.join(", "))
        }
        (None, _) => "invalid value".into(),
    };
    failed(&format!("invalid argument {value:?} for {flag:?} flag: {reason}"))
}

fn carry_out(command: Command, place: &StorePlace, meaning: Option<Meaning>) -> Outcome {
    use container::ContainerCommand as C;
    let cx = || place.open();
    match command {
        Command::Run(cmd) | Command::Container(C::Run(cmd)) => {
            let (options, extra) = container_options(cmd.container)?;
            let extra = Extra { trace: cmd.trace, meaning, ..extra };
            run::run(options, &extra, &place.open_for_container()?)
        }
        Command::Create(cmd) | Command::Container(C::Create(cmd)) => {
            let (options, extra) = container_options(cmd.container)?;
            create::run(options, &extra, &place.open_for_container()?)
        }
        Command::Explain(cmd) => {
            let form = if cmd.json { explain::Form::Json } else { explain::Form::Text };
            let (options, extra) = container_options(cmd.container)?;
            let which = if cmd.storage { Steps::Storage } else { Steps::All };
            explain::run(options, &extra, (form, which), &place.open_for_container()?)
        }
        Command::Start(cmd) | Command::Container(C::Start(cmd)) => start::run(&cmd, &cx()?),
        Command::Stop(cmd) | Command::Container(C::Stop(cmd)) => stop::run(&cmd, &cx()?),
        Command::Restart(cmd) | Command::Container(C::Restart(cmd)) => restart::run(&cmd, &cx()?),
        Command::Kill(cmd) | Command::Container(C::Kill(cmd)) => kill::run(&cmd, &cx()?),
        Command::Wait(cmd) | Command::Container(C::Wait(cmd)) => wait::run(&cmd, &cx()?),
        Command::Attach(cmd) | Command::Container(C::Attach(cmd)) => attach::run(&cmd, &cx()?),
        Command::Port(cmd) | Command::Container(C::Port(cmd)) => port::run(&cmd, &cx()?),
        Command::Pause(cmd) | Command::Container(C::Pause(cmd)) => pause::run(&cmd, &cx()?),
        Command::Unpause(cmd) | Command::Container(C::Unpause(cmd)) => pause::unpause(&cmd, &cx()?),
        Command::Rename(cmd) | Command::Container(C::Rename(cmd)) => rename::run(&cmd, &cx()?),
        Command::Exec(cmd) | Command::Container(C::Exec(cmd)) => exec::run(&cmd, &cx()?),
        Command::Cp(cmd) | Command::Container(C::Cp(cmd)) => cp::run(&cmd, &cx()?),
        Command::Diff(cmd) | Command::Container(C::Diff(cmd)) => diff::run(&cmd, &cx()?),
        Command::Commit(cmd) | Command::Container(C::Commit(cmd)) => commit::run(&cmd, &cx()?),
        Command::Export(cmd) | Command::Container(C::Export(cmd)) => export::run(&cmd, &cx()?),
        Command::Rm(cmd) | Command::Container(C::Rm(cmd)) => rm::run(&cmd, &cx()?),
        Command::Ps(cmd) | Command::Container(C::Ls(cmd)) => ps::run(&cmd, &cx()?),
        Command::Logs(cmd) | Command::Container(C::Logs(cmd)) => logs::run(&cmd, &cx()?),
        Command::Inspect(cmd) => inspect::run(&cmd, &cx()?),
        Command::Container(C::Inspect(cmd)) => inspect::run_containers(&cmd, &cx()?),
        Command::OfImages(word) => image::run_word(word, &cx()?),
        Command::Container(C::Prune(cmd)) => prune::containers::run(&cmd, &cx()?),
        Command::Info(cmd) => system::info::run(&cmd, &cx()?),
        Command::Completion(cmd) => completion::run(&cmd, root_command(), &Output),
        Command::Man(cmd) => man::run(&cmd, root_command()),
        Command::Version(cmd) => version::run(&cmd, &Output),
        Command::Image(command) => image::run(command, &cx()?),
        Command::System(command) => system::run(command, &cx()?),
        Command::Volume(command) => volume::run(command, &cx()?),
    }
}

fn container_options(args: RunArgs) -> Result<(RunOptions, Extra), Failure> {
    let directory = env::current_dir()
        .map_err(|e| Failure::new("find the current directory", e).status(Status::NotStarted))?;
    args.parse(&Caller { directory: &directory, variable: &|name| env::var_os(name) })
}

/// Where the store is, as far as the command line says.
struct StorePlace {
    option: Option<String>,
}

impl StorePlace {
    /// Opens the store; a failure is that of any command.
    fn open(&self) -> Result<Context, Failure> {
        let path = self.path()?;
        let store = Store::open(&path).map_err(|e| {
            let failure = Failure::new("open the store", &e);
            match hint(&path, &e) {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })?;
        Ok(Context { store, out: Output })
    }

    /// Opens the store; without one no container can be set up.
    fn open_for_container(&self) -> Result<Context, Failure> {
        self.open().map_err(|failure| failure.status(Status::NotStarted))
    }

    fn path(&self) -> Result<PathBuf, Failure> {
        let named = match &self.option {
            Some(text) => Some(PathBuf::from(text)),
            None => env::var_os("RRUN_ROOT").filter(|path| !path.is_empty()).map(PathBuf::from),
        };
        let path = named.map_or_else(default_path, Ok)?;
        // A container's record keeps paths; they must not depend on where a command was typed.
        std::path::absolute(&path).map_err(|e| Failure::new(format!("open the store {path:?}"), e))
    }
}

fn default_path() -> Result<PathBuf, Failure> {
    if rustix::process::geteuid().is_root() {
        return Ok("/var/lib/rrun".into());
    }
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .map(|base| base.join("rrun"))
        .ok_or_else(|| {
            Failure::new("find the store", "neither XDG_DATA_HOME nor HOME is set")
                .hint("name a directory with --root DIR or RRUN_ROOT")
        })
}

fn hint(path: &Path, error: &StoreError) -> Option<String> {
    use std::io::ErrorKind as K;
    match error {
        StoreError::NotOurs { mode, .. } if mode & 0o022 != 0 => {
            Some(format!("if you trust what is in it: chmod go-w {}", path.display()))
        }
        StoreError::Io { source, .. }
            if matches!(source.kind(), K::NotADirectory | K::NotFound | K::PermissionDenied) =>
        {
            Some("name another directory with --root DIR or RRUN_ROOT".into())
        }
        StoreError::ReadOnly { .. } => {
            Some("name another directory with --root DIR or RRUN_ROOT".into())
        }
        _ => None,
    }
}
