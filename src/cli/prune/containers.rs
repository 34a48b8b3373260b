//! `rrun container prune`.

use super::filter::{Of, PruneFilter};
use super::{Removed, tell};
use crate::cli::confirm::confirmed;
use crate::cli::{Context, Outcome};
use crate::container::ContainerError;
use crate::container::remove::{Force, WithVolumes, remove};
use crate::container::store::ContainerStore;
use crate::container::written::written_bytes;
use crate::say::failure::Failure;

/// Remove all stopped containers
///
/// Their volumes stay.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Only containers that match: until=TIME, label=KEY[=VALUE], label!=KEY[=VALUE]
    #[arg(long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

/// Removes them.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let filter = PruneFilter::parse(&cmd.filter, Of::Containers)?;
    let question = "WARNING! This will remove all stopped containers.";
    if !cmd.force && !confirmed(question, cx)? {
        return Ok(0);
    }
    tell(&[prune(&filter, cx)?], cx)
}

/// Removes the containers that do not run and that the filter takes.
pub fn prune(filter: &PruneFilter, cx: &Context) -> Result<Removed, Failure> {
    let wanted = "prune the containers";
    let containers = ContainerStore::open(&cx.store).map_err(|e| Failure::new(wanted, e))?;
    let (all, broken) = containers.list().map_err(|e| Failure::new(wanted, e))?;
    let mut removed = Removed { title: "Deleted Containers:", ..Removed::default() };
    removed.failures = broken.iter().map(|e| Failure::new("read a container", e)).collect();
    let stopped = all.iter().filter(|container| !container.state.status.has_supervisor());
    for container in stopped {
        let record = &container.record;
        if !filter.takes(&record.created, &record.process.labels) {
            continue;
        }
        let bytes = written_bytes(container);
        match remove(&cx.store, container, WithVolumes::No, Force::No) {
            Ok(()) => {
                removed.lines.push(record.id.clone());
                removed.bytes += bytes;
            }
            // Started or removed by another command meanwhile.
            Err(ContainerError::Running(_) | ContainerError::Missing(_)) => {}
            Err(e) => {
                let wanted = format!("remove container {}", record.name);
                removed.failures.push(Failure::new(wanted, e));
            }
        }
    }
    Ok(removed)
}
