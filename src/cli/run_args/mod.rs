//! The options of `run`, `create` and `explain`: from the command line to values that are valid.
//!
//! All that needs no store is checked here, so that a wrong option is told before anything is
//! made. What images and other containers add, and whether sources exist, is `container`'s.

mod env;
pub mod life;
mod limits;
mod log;
mod mounts;
mod network;
mod refusal;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use env::environment;
use life::Remains;
pub use refusal::number_words;
use refusal::{invalid, refused};

use crate::config::name::ContainerName;
use crate::container::attach::keys::Keys;
use crate::container::options::RunOptions;
use crate::say::failure::Failure;

/// The options that describe a container.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct RunArgs {
    #[command(flatten)]
    mounts: mounts::MountArgs,
    #[command(flatten)]
    process: ProcessArgs,
    #[command(flatten)]
    limits: limits::LimitArgs,
    #[command(flatten)]
    life: life::LifeArgs,
    #[command(flatten)]
    network: network::NetworkArgs,
    #[command(flatten)]
    own: OwnArgs,
    /// The image
    #[arg(value_name = "IMAGE", required = true)]
    image: Option<String>,
    /// The command and its arguments, instead of the image's
    #[arg(value_name = "COMMAND", trailing_var_arg = true)]
    command: Vec<String>,
}

/// The options of the process.
#[derive(Debug, Clone, Default, clap::Args)]
struct ProcessArgs {
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
    /// Keep standard input open
    #[arg(short, long)]
    interactive: bool,
    /// Give the container a terminal
    #[arg(short, long)]
    tty: bool,
    /// Run this instead of the image's entry point; empty for none
    #[arg(long, value_name = "COMMAND")]
    entrypoint: Option<String>,
}

/// The options of the container itself.
#[derive(Debug, Clone, Default, clap::Args)]
struct OwnArgs {
    /// Name of the container
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Remove the container and its anonymous volumes when it ends
    #[arg(long)]
    rm: bool,
    /// Set a label
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    label: Vec<String>,
    /// Write the container's id to this file
    #[arg(long, value_name = "FILE")]
    cidfile: Option<PathBuf>,
    /// Keep the output as "json-file", "local" or "none"
    #[arg(long, value_name = "DRIVER")]
    log_driver: Option<String>,
    /// Option of the log driver: max-size=10m, max-file=3
    #[arg(long, value_name = "KEY=VALUE")]
    log_opt: Vec<String>,
    /// Fetch the image from its registry: "always", "missing" (if it is not there) or "never"
    #[arg(long, value_name = "WHEN")]
    pull: Option<String>,
    /// Say nothing about the fetching of the image
    #[arg(short, long)]
    quiet: bool,
    /// Refuse a -v whose source is missing, instead of making a directory
    #[arg(long)]
    strict_sources: bool,
}

/// When is an image fetched from its registry?
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PullWhen {
    /// Where it is not there.
    #[default]
    Missing,
    /// Each time.
    Always,
    /// Not at all.
    Never,
}

/// What is asked for beside the container itself.
#[derive(Debug, Clone, Default)]
pub struct Extra {
    /// Where the id is written.
    pub cidfile: Option<PathBuf>,
    /// Is a missing source of `-v` an error?
    pub strict_sources: bool,
    /// The keys that detach.
    pub detach_keys: Keys,
    /// When is the image fetched?
    pub pull: PullWhen,
    /// Is nothing said about that?
    pub quiet: bool,
    /// Is each step told, with the kernel's answer?
    pub trace: bool,
    /// What the word may be that was taken for an image because it is no command: `rrun imagse`.
    pub meaning: Option<Meaning>,
}

/// What a word may be that is no command and no image. Asked only when there is no such image.
pub type Meaning = fn(&str) -> Option<Unnamed>;

/// A first word that is no command, and that no image has as its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unnamed {
    /// A command of Docker's that rrun will never have, and what serves instead.
    Absent(&'static str),
    /// A slip of this command.
    Near(String),
}

/// What the caller's process gives to a command line.
pub struct Caller<'a> {
    /// The current directory, where relative sources start.
    pub directory: &'a Path,
    /// Its environment.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
}

impl RunArgs {
    /// Parses and checks all values.
    pub fn parse(self, caller: &Caller<'_>) -> Result<(RunOptions, Extra), Failure> {
        let Self { mounts, process, limits, life, network, own, image, command } = self;
        let pull = pull_when(own.pull.as_deref())?;
        let mounts = mounts.parse(caller.directory)?;
        let name = own.name.as_deref().map(|text| {
            ContainerName::parse(text).map_err(|e| refused(&format!("--name {text}"), e))
        });
        let life = life.parse(if own.rm { Remains::Goes } else { Remains::Stays })?;
        let options = RunOptions {
            image: image.unwrap_or_default(),
            command,
            name: name.transpose()?,
            mounts: mounts.requests,
            volumes_from: mounts.volumes_from,
            volume_driver: mounts.volume_driver,
            env: environment(&process.env_file, &process.env, caller.variable)?,
            entrypoint: process.entrypoint.map(|text| match text.as_str() {
                "" => Vec::new(),
                _ => vec![text],
            }),
            working_dir: process.workdir.filter(|text| !text.is_empty()),
            user: process.user.filter(|text| !text.is_empty()),
            labels: labels(&own.label)?,
            interactive: process.interactive,
            terminal: process.tty,
            remove: own.rm,
            detached: life.detached,
            restart: life.restart,
            stop_signal: life.stop_signal,
            stop_timeout: life.stop_timeout,
            limits: limits.parse()?,
            network: network.parse()?,
            log: log::log(own.log_driver.as_deref(), &own.log_opt)?,
        };
        let extra = Extra {
            cidfile: own.cidfile,
            strict_sources: own.strict_sources,
            detach_keys: life.keys,
            pull,
            quiet: own.quiet,
            ..Extra::default()
        };
        Ok((options, extra))
    }
}

/// `key=value`, `key=` and `key`; the empty key is refused, as for volumes (V4.10).
fn labels(words: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let pair = |word: &String| match word.split_once('=').unwrap_or((word, "")) {
        ("", _) => {
            Err(invalid("-l, --label", word, format_args!("invalid label '{word}': empty name")))
        }
        (key, value) => Ok((key.to_owned(), value.to_owned())),
    };
    words.iter().map(pair).collect()
}

fn pull_when(when: Option<&str>) -> Result<PullWhen, Failure> {
    match when {
        None | Some("missing" | "") => Ok(PullWhen::Missing),
        Some("never") => Ok(PullWhen::Never),
        Some("always") if cfg!(feature = "registry") => Ok(PullWhen::Always),
        Some("always") => Err(refused("--pull always", "this rrun was built without registries")
            .hint("rrun load takes what docker save or skopeo copy wrote")),
        Some(other) => {
            let known = "must be one of \"always\", \"missing\" or \"never\"";
            let reason = format!("invalid pull option: '{other}': {known}");
            Err(invalid("--pull", other, reason))
        }
    }
}
