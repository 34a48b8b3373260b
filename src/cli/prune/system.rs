//! `rrun system prune`.

use super::filter::{Of, PruneFilter};
use super::images::Which;
use super::{Removed, containers, images, tell};
use crate::cli::confirm::confirmed;
use crate::cli::volume::prune as volumes;
use crate::cli::{Context, Outcome};
use crate::say::failure::Failure;
use crate::volume::filter::{AllFlag, PruneFilter as VolumeFilter};

/// Remove stopped containers and unused images
///
/// Volumes stay, unless --volumes is given: then the unused anonymous ones go.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Remove all images that no container uses, not only those without a name
    #[arg(short, long)]
    all: bool,
    /// Only what matches: until=TIME, label=KEY[=VALUE], label!=KEY[=VALUE]
    #[arg(long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Remove unused anonymous volumes, too
    #[arg(long)]
    volumes: bool,
}

/// Removes them.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let filter = PruneFilter::parse(&cmd.filter, Of::Containers)?;
    if cmd.volumes && filter.has_until() {
        let cause = "the \"until\" filter is not supported with \"--volumes\"";
        return Err(Failure::new("use --filter", cause));
    }
    let which = if cmd.all { Which::Unused } else { Which::Dangling };
    if !cmd.force && !confirmed(&question(cmd, which), cx)? {
        return Ok(0);
    }
    let mut removed = vec![containers::prune(&filter, cx)?];
    if cmd.volumes {
        let filter = VolumeFilter::parse(&cmd.filter, AllFlag::Absent)
            .map_err(|e| Failure::new("use --filter", e))?;
        let volumes::Done { names, bytes, failures, .. } = volumes::prune(&filter, cx)?;
        let lines = names.iter().map(ToString::to_string).collect();
        removed.push(Removed { title: "Deleted Volumes:", lines, bytes, failures });
    }
    removed.push(images::prune(which, &filter, cx)?);
    tell(&removed, cx)
}

fn question(cmd: &Cmd, which: Which) -> String {
    let mut text = "WARNING! This will remove:\n  - all stopped containers\n".to_owned();
    if cmd.volumes {
        text += "  - all anonymous volumes not used by at least one container\n";
    }
    text += &format!("  - {}\n", which.words());
    if !cmd.filter.is_empty() {
        text += "\n  Items to be pruned will be filtered with:\n";
        text.extend(cmd.filter.iter().map(|filter| format!("  - {filter}\n")));
    }
    text
}
