//! `rrun volume ls`: V4.16 to V4.20.

use clap::Args;

use super::start::{container_exists, failure, volumes, write_failure};
use crate::cli::{Context, Outcome};
use crate::say::failure::Failure;
use crate::volume::filter::ListFilter;
use crate::volume::record::VolumeRecord;

/// List volumes
#[derive(Debug, Args)]
pub struct Cmd {
    /// Only volumes that match: dangling=BOOL, driver=NAME, label=KEY[=VALUE], name=PATTERN
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
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
    let exists = container_exists(&cx.store);
    let mut shown: Vec<VolumeRecord> = Vec::new();
    for volume in listing.volumes {
        let links = match filter.asks_for_use() {
            true => volumes.links(&volume.name, &exists).map_err(|e| failure(wanted, &e))?,
            false => 0,
        };
        if filter.matches(&volume, links) {
            shown.push(volume);
        }
    }
    let mut text = String::new();
    if !cmd.quiet {
        text += "DRIVER    VOLUME NAME\n";
    }
    for volume in &shown {
        if !cmd.quiet {
            text += &format!("{:<10}", volume.driver);
        }
        text += volume.name.as_str();
        text.push('\n');
    }
    cx.out.text(&text).map_err(write_failure)?;
    for broken in &listing.broken {
        cx.out.failure(&failure("read a volume", broken));
    }
    Ok(u8::from(!listing.broken.is_empty()))
}
