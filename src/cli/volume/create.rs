//! `rrun volume create`: V4.01 to V4.10.

use std::collections::BTreeMap;

use clap::Args;

use super::{failure, lock_failure, volumes, write_failure};
use crate::cli::{Context, Outcome};
use crate::config::name::VolumeName;
use crate::say::failure::{Failure, Status};
use crate::store::Durability;
use crate::volume::hold::StoreAlone;
use crate::volume::store::{NewVolume, Novelty};

/// Create a volume
///
/// Prints its name. A volume of that name that is there already is kept as it is. Without a name
/// it gets one of 64 hexadecimal digits, and `rrun volume prune` removes it once it is unused.
#[derive(Debug, Args)]
pub struct Cmd {
    /// The driver
    #[arg(short, long, default_value = "local", value_name = "DRIVER")]
    driver: String,
    /// A label: KEY=VALUE or KEY
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// An option of the driver: type=, o=, device=
    #[arg(short, long = "opt", value_name = "KEY=VALUE")]
    opt: Vec<String>,
    /// The volume's name
    #[arg(long, value_name = "NAME", hide = true)]
    name: Option<String>,
    /// The volume's name
    #[arg(value_name = "VOLUME")]
    volume: Vec<String>,
}

/// Makes the volume.
pub fn run(cmd: Cmd, cx: &Context) -> Outcome {
    let name = wanted_name(&cmd)?;
    let wanted = match &name {
        Some(name) => format!("create volume {name}"),
        None => "create a volume".into(),
    };
    let wish = NewVolume {
        driver: cmd.driver,
        options: options(&cmd.opt),
        labels: labels(&cmd.label).map_err(|label| {
            Failure::new(&wanted, format_args!("invalid label '{label}': empty name"))
                .status(Status::NotStarted)
        })?,
        ..NewVolume::anonymous(None, Durability::Kept)
    };
    let wish = NewVolume { name, ..wish };
    let volumes = volumes(cx)?;
    let created = {
        let alone = StoreAlone::take(&cx.store).map_err(lock_failure)?;
        volumes.create(&alone, &wish).map_err(|e| failure(&wanted, &e))?
    };
    if created.novelty == Novelty::ExistedOtherwise {
        cx.out.warning(format_args!(
            "volume {} exists with other options or labels; they are kept as they are",
            created.record.name
        ));
    }
    cx.out.line(&created.record.name).map_err(write_failure)?;
    Ok(0)
}

fn wanted_name(cmd: &Cmd) -> Result<Option<VolumeName>, Failure> {
    let refused = |cause: &str| Failure::new("create a volume", cause);
    let text = match (&cmd.name, cmd.volume.as_slice()) {
        (_, [_, _, ..]) => {
            return Err(refused("'rrun volume create' requires at most 1 argument"));
        }
        (Some(_), [_]) => {
            return Err(refused(
                "conflicting options: cannot specify a volume-name through both --name and as a \
                 positional arg",
            ));
        }
        (Some(text), []) | (None, [text]) => text.as_str(),
        (None, []) => "",
    };
    if text.is_empty() {
        return Ok(None);
    }
    VolumeName::parse(text)
        .map(Some)
        .map_err(|e| Failure::new("create a volume", format_args!("create {text}: {e}")))
}

/// `key=value`, `key=` and `key`; the empty key is refused (V4.10).
fn labels(texts: &[String]) -> Result<BTreeMap<String, String>, &str> {
    let pair = |text: &'_ String| match text.split_once('=') {
        Some(("", _)) => None,
        Some((key, value)) => Some((key.to_owned(), value.to_owned())),
        None if text.is_empty() => None,
        None => Some((text.clone(), String::new())),
    };
    texts.iter().map(|text| pair(text).ok_or(text.as_str())).collect()
}

fn options(texts: &[String]) -> BTreeMap<String, String> {
    texts
        .iter()
        .map(|text| text.split_once('=').unwrap_or((text, "")))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
