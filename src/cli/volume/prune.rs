//! `rrun volume prune`: V4.25 to V4.29.

use clap::Args;

use super::start::{container_exists, failure, lock_failure, volumes, write_failure};
use crate::cli::confirm::confirmed;
use crate::cli::{Context, Outcome};
use crate::config::name::VolumeName;
use crate::say::failure::Failure;
use crate::say::size::decimal;
use crate::volume::VolumeError;
use crate::volume::filter::{AllFlag, PruneFilter};
use crate::volume::lock::StoreAlone;
use crate::volume::removal::Removed;
use crate::volume::store::VolumeStore;

/// Remove unused volumes
///
/// Only anonymous ones, unless --all is given. Volumes with driver options stay.
#[derive(Debug, Args)]
pub struct Cmd {
    /// Remove all unused volumes, not just anonymous ones
    #[arg(short, long)]
    all: bool,
    /// Do not prompt for confirmation
    #[arg(short, long)]
    force: bool,
    /// Only volumes that match: label=KEY[=VALUE], label!=KEY[=VALUE], all=BOOL
    #[arg(long, value_name = "FILTER")]
    filter: Vec<String>,
}

/// Removes what nobody uses.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let wanted = "prune the volumes";
    let all = if cmd.all { AllFlag::Given } else { AllFlag::Absent };
    let filter = PruneFilter::parse(&cmd.filter, all).map_err(|e| Failure::new(wanted, e))?;
    let which = if filter.takes_named() { "all" } else { "anonymous" };
    let question = format!(
        "WARNING! This will remove {which} local volumes not used by at least one container."
    );
    if !cmd.force && !confirmed(&question, cx)? {
        return Ok(0);
    }
    tell(&prune(&filter, cx)?, cx)
}

/// Removes the unused volumes that the filter takes; asks nothing.
pub(in crate::cli) fn prune(filter: &PruneFilter, cx: &Context) -> Result<Done, Failure> {
    let volumes = volumes(cx)?;
    let pruned = {
        let alone = StoreAlone::take(&cx.store).map_err(lock_failure)?;
        take_out(&volumes, &alone, (filter, &container_exists(&cx.store)))
            .map_err(|e| failure("prune the volumes", &e))?
    };
    Ok(delete(pruned))
}

/// What was done.
pub(in crate::cli) struct Done {
    /// The volumes that are gone.
    pub(in crate::cli) names: Vec<VolumeName>,
    /// How much space is free again.
    pub(in crate::cli) bytes: u64,
    /// What could not be removed.
    pub(in crate::cli) failures: Vec<Failure>,
    kept_named: Vec<VolumeName>,
}

/// What is taken out of the store, and what is not.
#[derive(Default)]
struct Pruned {
    names: Vec<VolumeName>,
    /// The data to delete: of these volumes, and what broken-off commands left.
    removed: Vec<Removed>,
    kept_named: Vec<VolumeName>,
    failed: Vec<VolumeError>,
}

fn take_out(
    volumes: &VolumeStore,
    alone: &StoreAlone,
    (filter, exists): (&PruneFilter, &dyn Fn(&str) -> bool),
) -> Result<Pruned, VolumeError> {
    let mut pruned = Pruned { removed: volumes.leftovers(alone)?, ..Pruned::default() };
    let listing = volumes.list()?;
    pruned.failed = listing.broken;
    for volume in listing.volumes {
        if !volume.is_plain()
            || !filter.labels_match(&volume)
            || !volumes.live_references(alone, &volume.name, exists)?.is_empty()
        {
            continue;
        }
        if !volume.is_anonymous() && !filter.takes_named() {
            pruned.kept_named.push(volume.name);
            continue;
        }
        match volumes.remove(alone, &volume.name, exists) {
            Ok(removed) => {
                pruned.names.push(volume.name);
                pruned.removed.push(removed);
            }
            Err(e) => pruned.failed.push(e),
        }
    }
    Ok(pruned)
}

/// Deletes the data, which can take long, without the lock.
fn delete(pruned: Pruned) -> Done {
    let mut failed = pruned.failed;
    let mut bytes = 0;
    for removed in pruned.removed {
        let size = removed.size();
        match removed.delete() {
            Ok(()) => bytes += size,
            Err(e) => failed.push(e),
        }
    }
    let failures = failed.iter().map(|error| failure("prune a volume", error)).collect();
    Done { names: pruned.names, bytes, failures, kept_named: pruned.kept_named }
}

fn tell(done: &Done, cx: &Context) -> Outcome {
    let mut text = String::new();
    if !done.names.is_empty() {
        text += "Deleted Volumes:\n";
        for name in &done.names {
            text += &format!("{name}\n");
        }
        text.push('\n');
    }
    text += &format!("Total reclaimed space: {}\n", decimal(done.bytes));
    cx.out.text(&text).map_err(write_failure)?;
    if !done.kept_named.is_empty() {
        let names: Vec<&str> = done.kept_named.iter().map(VolumeName::as_str).collect();
        cx.out.warning(format_args!(
            "unused named volumes were kept: {} (--all takes them too)",
            names.join(", ")
        ));
    }
    for failure in &done.failures {
        cx.out.failure(failure);
    }
    Ok(u8::from(!done.failures.is_empty()))
}
