//! `rrun volume create`: V4.01 to V4.10.

use std::collections::BTreeMap;

use clap::Args;

use super::start::{container_exists, failure, lock_failure, volumes, write_failure};
use crate::cli::{Context, Outcome};
use crate::config::name::VolumeName;
use crate::config::volume_option::{VolumeOptionError, parse_label, parse_option};
use crate::say::failure::{Failure, Status};
use crate::store::Durability;
use crate::volume::complete::complete;
use crate::volume::create::{NewVolume, Novelty};
use crate::volume::lock::StoreAlone;
use crate::volume::removal::Removed;
use crate::volume::store::VolumeStore;

/// Create a volume
///
/// Prints its name. A volume of that name that is there already is kept as it is. Without a name
/// it gets one of 64 hexadecimal digits, and `rrun volume prune` removes it once it is unused.
#[derive(Debug, Args)]
pub struct Cmd {
    /// The driver: local, encrypted, or the name of a plugin
    #[arg(short, long, default_value = "local", value_name = "DRIVER")]
    driver: String,
    /// A label: KEY=VALUE or KEY
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// An option of the driver: type=, o=, device= (local), key-file=, key-command= (encrypted)
    #[arg(short, long = "opt", value_name = "KEY=VALUE")]
    opt: Vec<String>,
    /// The volume's name
    #[arg(long, value_name = "NAME", hide = true)]
    name: Option<String>,
    /// The volume's name
    #[arg(value_name = "VOLUME")]
    volume: Option<String>,
}

/// Makes the volume.
pub fn run(cmd: Cmd, cx: &Context) -> Outcome {
    let name = wanted_name(&cmd)?;
    let wanted = match &name {
        Some(name) => format!("create {name}"),
        None => "create a volume".into(),
    };
    let wish = NewVolume {
        driver: cmd.driver,
        options: pairs(&cmd.opt, parse_option, &wanted)?,
        labels: pairs(&cmd.label, parse_label, &wanted)?,
        ..NewVolume::anonymous(Durability::Kept)
    };
    let wish = NewVolume { name, ..wish };
    let volumes = volumes(cx)?;
    let created = {
        let alone = StoreAlone::take(&cx.store).map_err(lock_failure)?;
        volumes.create(&alone, &wish).map_err(|e| failure(&wanted, &e))?
    };
    if let Err(error) = complete(&volumes, &created.record.name) {
        if created.novelty == Novelty::New {
            take_back(&created.record.name, &volumes, cx);
        }
        return Err(failure(&wanted, &error));
    }
    if created.novelty == Novelty::ExistedOtherwise {
        cx.out.warning(format_args!(
            "volume {} exists with other options or labels; they are kept as they are",
            created.record.name
        ));
    }
    cx.out.line(&created.record.name).map_err(write_failure)?;
    Ok(0)
}

/// Removes the record of a volume that its driver would not make.
fn take_back(name: &VolumeName, volumes: &VolumeStore, cx: &Context) {
    let removed = {
        let Ok(alone) = StoreAlone::take(&cx.store) else { return };
        volumes.remove(&alone, name, &container_exists(&cx.store))
    };
    // What is left is a volume that is pending: `volume rm` removes it, and its next user asks
    // the driver again.
    let _ = removed.and_then(Removed::delete);
}

fn wanted_name(cmd: &Cmd) -> Result<Option<VolumeName>, Failure> {
    let refused = |cause: &str| Failure::new("create a volume", cause);
    let text = match (&cmd.name, &cmd.volume) {
        (Some(_), Some(_)) => {
            return Err(refused(
                "conflicting options: cannot specify a volume-name through both --name and as a \
                 positional arg",
            ));
        }
        (Some(text), None) | (None, Some(text)) => text.as_str(),
        (None, None) => "",
    };
    if text.is_empty() {
        return Ok(None);
    }
    VolumeName::parse(text).map(Some).map_err(|e| Failure::new(format!("create {text}"), e))
}

/// Reads each text as key and value. A wrong one is a wrong flag (V4.10).
fn pairs(
    texts: &[String],
    parse: fn(&str) -> Result<(String, String), VolumeOptionError>,
    wanted: &str,
) -> Result<BTreeMap<String, String>, Failure> {
    let refused = |e: VolumeOptionError| Failure::new(wanted, e).status(Status::NotStarted);
    texts.iter().map(|text| parse(text).map_err(refused)).collect()
}
