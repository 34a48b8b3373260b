//! `-v`, `--mount`, `--tmpfs`, `--volumes-from`: one list in the order of the command line.

use std::path::Path;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use super::refusal::refused;
use crate::config::mount_flag::{
    MountFlagError, combine, parse_mount, parse_tmpfs, parse_volume, parse_volumes_from,
};
use crate::config::request::{MountRequest, VolumesFrom};
use crate::say::failure::Failure;

/// The flags as typed. They are read by hand: clap keeps a list for each flag, and here the
/// order among all of them counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MountArgs {
    flags: Vec<(Flag, String)>,
    volumes_from: Vec<String>,
    volume_driver: String,
}

/// Which flag it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flag {
    Volume,
    Mount,
    Tmpfs,
}

/// What stays for the container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mounts {
    /// One request a target, in the order given.
    pub requests: Vec<MountRequest>,
    /// `--volumes-from`
    pub volumes_from: Vec<VolumesFrom>,
    /// `--volume-driver`, or nothing.
    pub volume_driver: String,
}

const FLAGS: [(Flag, &str); 3] =
    [(Flag::Volume, "volume"), (Flag::Mount, "mount"), (Flag::Tmpfs, "tmpfs")];
const VOLUMES_FROM: &str = "volumes-from";
const VOLUME_DRIVER: &str = "volume-driver";

impl Args for MountArgs {
    fn augment_args(command: Command) -> Command {
        let option = |name: &'static str, value: &'static str, help: &'static str| {
            Arg::new(name).long(name).value_name(value).action(ArgAction::Append).help(help)
        };
        command
            .arg(
                option(
                    "volume",
                    "[SOURCE:]TARGET[:OPTIONS]",
                    "Mount a volume, or a path of the host (one that starts with / or .)",
                )
                .short('v'),
            )
            .arg(option(
                "mount",
                "KEY=VALUE,…",
                "Mount what type= says (volume, bind, tmpfs, image): src=, dst=, ro and more",
            ))
            .arg(option("tmpfs", "TARGET[:OPTIONS]", "Mount a new tmpfs"))
            .arg(option(
                VOLUMES_FROM,
                "CONTAINER[:ro]",
                "Mount the volumes and binds of another container",
            ))
            .arg(
                option(
                    VOLUME_DRIVER,
                    "DRIVER",
                    "The driver of new volumes of -v: local, encrypted, or the name of a plugin",
                )
                .action(ArgAction::Set),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for MountArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut placed: Vec<(usize, Flag, String)> = Vec::new();
        for (flag, name) in FLAGS {
            let values = matches.get_many::<String>(name).into_iter().flatten();
            let places = matches.indices_of(name).into_iter().flatten();
            placed.extend(places.zip(values).map(|(at, value)| (at, flag, value.clone())));
        }
        placed.sort_by_key(|(at, ..)| *at);
        Ok(Self {
            flags: placed.into_iter().map(|(_, flag, value)| (flag, value)).collect(),
            volumes_from: matches.get_many(VOLUMES_FROM).into_iter().flatten().cloned().collect(),
            volume_driver: matches.get_one(VOLUME_DRIVER).cloned().unwrap_or_default(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl MountArgs {
    /// Parses the flags and settles their collisions. Relative sources start from `current`.
    pub fn parse(&self, current: &Path) -> Result<Mounts, Failure> {
        let mut requests = Vec::with_capacity(self.flags.len());
        for (flag, text) in &self.flags {
            let (request, what) = match flag {
                Flag::Volume => (parse_volume(text, current), format!("-v {text}")),
                // Its error names the value itself.
                Flag::Mount => (parse_mount(text, current), "--mount".into()),
                Flag::Tmpfs => (parse_tmpfs(text), format!("--tmpfs {text}")),
            };
            requests.push(request.map_err(|e| failure(&what, &e))?);
        }
        let requests = combine(requests).map_err(|e| failure("these mounts together", &e))?;
        let from = |text: &String| {
            parse_volumes_from(text).map_err(|e| failure(&format!("--volumes-from {text}"), &e))
        };
        let volumes_from = self.volumes_from.iter().map(from).collect::<Result<_, _>>()?;
        Ok(Mounts { requests, volumes_from, volume_driver: self.volume_driver.clone() })
    }
}

fn failure(what: &str, error: &MountFlagError) -> Failure {
    let failure = refused(what, error);
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
