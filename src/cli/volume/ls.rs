//! `rrun volume ls`: V4.16 to V4.20.

use clap::Args;

use super::shown::{COLUMNS, QUIET, row};
use super::start::{container_exists, failure, volumes, write_failure};
use crate::cli::{Context, Outcome};
use crate::say::failure::Failure;
use crate::say::list;
use crate::say::template::Row;
use crate::volume::filter::ListFilter;

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
    let exists = container_exists(&cx.store);
    let mut rows: Vec<Row> = Vec::new();
    for volume in &listing.volumes {
        let links = match filter.asks_for_use() {
            true => volumes.links(&volume.name, &exists).map_err(|e| failure(wanted, &e))?,
            false => 0,
        };
        if filter.matches(volume, links) {
            rows.push(row(volume, &volumes));
        }
    }
    let text = match (cmd.quiet, cmd.format.as_str()) {
        (true, "" | "table") => list::render(&QUIET, "{{.Name}}", &rows),
        (true, format) => list::render(&QUIET, format, &rows),
        (false, format) => list::render(&COLUMNS, format, &rows),
    };
    let text = text.map_err(|e| Failure::new(wanted, e))?;
    cx.out.text(&text).map_err(write_failure)?;
    for broken in &listing.broken {
        cx.out.failure(&failure("read a volume", broken));
    }
    Ok(u8::from(!listing.broken.is_empty()))
}
