//! `rrun volume ls`: V4.16 to V4.20.

use clap::Args;

use super::shown::{COLUMNS, QUIET, row, row_at};
use super::start::{container_exists, failure, volumes, write_failure};
use crate::cli::{Context, Outcome};
use crate::config::name::VolumeName;
use crate::say::failure::Failure;
use crate::say::list;
use crate::volume::filter::ListFilter;
use crate::volume::order::natural;
use crate::volume::plugin::protocol::Scope;
use crate::volume::plugin::survey::{self, Found};
use crate::volume::record::VolumeRecord;

/// List volumes
#[derive(Debug, Args)]
pub struct Cmd {
    /// Only volumes that match: dangling=BOOL, driver=NAME, label=KEY[=VALUE], name=PATTERN
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// How to print: table, table TEMPLATE, json, raw, or a Go template for each volume
    #[arg(long, value_name = "FORMAT", default_value = "", hide_default_value = true)]
    format: String,
    /// Only print the names
    #[arg(short, long)]
    quiet: bool,
}

/// Lists the volumes in natural order of their names.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let wanted = "list the volumes";
    let filter = ListFilter::parse(&cmd.filter).map_err(|e| Failure::new(wanted, e))?;
    let volumes = volumes(cx)?;
    let listing = volumes.list().map_err(|e| failure(wanted, &e))?;
    let plugins = survey::volumes();
    let exists = container_exists(&cx.store);
    let mut rows = Vec::new();
    for (volume, place) in with_remote(&listing.volumes, &plugins) {
        let links = match filter.asks_for_use() {
            true => volumes.links(&volume.name, &exists).map_err(|e| failure(wanted, &e))?,
            false => 0,
        };
        if filter.matches(&volume, links) {
            rows.push(match &place {
                Some((mountpoint, scope)) => row_at(&volume, (mountpoint, *scope)),
                None => row(&volume, &volumes),
            });
        }
    }
    let text = match (cmd.quiet, cmd.format.as_str()) {
        (true, "" | "table") => list::render(&QUIET, "{{.Name}}", &rows),
        (true, format) => list::render(&QUIET, format, &rows),
        (false, format) => list::render(&COLUMNS, format, &rows),
    };
    let text = text.map_err(|e| Failure::new(wanted, e))?;
    cx.out.text(&text).map_err(write_failure)?;
    for error in plugins.iter().filter_map(|found| found.volumes.as_ref().err()) {
        cx.out.warning(format_args!("the volumes of a plugin are not all shown: {error}"));
    }
    for broken in &listing.broken {
        cx.out.failure(&failure("read a volume", broken));
    }
    Ok(u8::from(!listing.broken.is_empty()))
}

/// Where a plugin says that its volume is, and whose it is.
type Place = Option<(String, Scope)>;

/// The recorded volumes, what plugins say of them, and those that only a plugin knows of (V9.05).
fn with_remote(recorded: &[VolumeRecord], plugins: &[Found]) -> Vec<(VolumeRecord, Place)> {
    let mut rows: Vec<(VolumeRecord, Place)> =
        recorded.iter().map(|volume| (volume.clone(), None)).collect();
    for found in plugins {
        let Ok((volumes, scope)) = &found.volumes else { continue };
        let driver = found.plugin.name();
        for remote in volumes {
            // What can be no name here is none that a command could take.
            let Ok(name) = VolumeName::parse(&remote.name) else { continue };
            let place = remote.mountpoint.clone().unwrap_or_default();
            match rows.iter_mut().find(|(volume, _)| volume.name == name) {
                Some((volume, known)) if volume.driver == driver => {
                    *known = (!place.is_empty()).then_some((place, *scope));
                }
                // A name is one volume's: the recorded one's, or the first plugin's.
                Some(_) => {}
                None => rows.push((VolumeRecord::remote(name, driver), Some((place, *scope)))),
            }
        }
    }
    rows.sort_by(|(a, _), (b, _)| natural(a.name.as_str(), b.name.as_str()));
    rows
}
