//! `rrun image prune`.

use super::filter::{Of, PruneFilter};
use super::{Removed, tell};
use crate::cli::confirm::confirmed;
use crate::cli::rmi::users;
use crate::cli::{Context, Outcome};
use crate::image::store::{Force, Removed as Step, User};
use crate::image::{Image, ImageError, ImageStore};
use crate::say::failure::Failure;

/// Remove unused images
///
/// Only images without a name, unless -a is given. An image that a container uses stays.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Remove all images that no container uses, not only those without a name
    #[arg(short, long)]
    all: bool,
    /// Only images that match: until=TIME, label=KEY[=VALUE], label!=KEY[=VALUE], dangling=BOOL
    #[arg(long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

/// Which images go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those without a name.
    Dangling,
    /// All that no container uses.
    Unused,
}

impl Which {
    /// What Docker calls them.
    pub fn words(self) -> &'static str {
        match self {
            Which::Dangling => "all dangling images",
            Which::Unused => "all images without at least one container associated to them",
        }
    }
}

/// Removes them.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let filter = PruneFilter::parse(&cmd.filter, Of::Images)?;
    let all = cmd.all || filter.dangling == Some(false);
    let which = if all { Which::Unused } else { Which::Dangling };
    let question = format!("WARNING! This will remove {}.", which.words());
    if !cmd.force && !confirmed(&question, cx)? {
        return Ok(0);
    }
    tell(&[prune(which, &filter, cx)?], cx)
}

/// Removes the images that no container uses and that the filter takes.
pub fn prune(which: Which, filter: &PruneFilter, cx: &Context) -> Result<Removed, Failure> {
    let failed = |e: ImageError| Failure::new("prune the images", e);
    let store = ImageStore::open(&cx.store).map_err(failed)?;
    let listing = store.list().map_err(failed)?;
    let mut removed = Removed { title: "Deleted Images:", ..Removed::default() };
    for image in listing.images {
        let wanted = which == Which::Unused || image.references.is_empty();
        if !wanted || !filter.takes(&image.created, &image.config.labels) {
            continue;
        }
        match remove(&store, &image, cx) {
            Ok((lines, bytes)) => {
                removed.lines.extend(lines);
                removed.bytes += bytes;
            }
            // Used, or removed by another command meanwhile.
            Err(ImageError::Conflict(_) | ImageError::NotFound(_)) => {}
            Err(e) => removed.failures.push(Failure::new(format!("remove image {}", image.id), e)),
        }
    }
    Ok(removed)
}

fn remove(
    store: &ImageStore,
    image: &Image,
    cx: &Context,
) -> Result<(Vec<String>, u64), ImageError> {
    let sizes: Vec<u64> = image.chain_ids.iter().map(|layer| store.layer_bytes(layer)).collect();
    // Asked under the store's lock. Any container counts as one that runs: it keeps its image,
    // and with that all its names.
    let users = || {
        let all = users(&cx.store)?;
        Ok(all.into_iter().map(|user| User { running: true, ..user }).collect())
    };
    let mut lines = Vec::new();
    let mut bytes = 0;
    for step in store.remove(&image.id.to_string(), Force::Yes, users)? {
        match step {
            Step::Untagged(name) => lines.push(format!("untagged: {name}")),
            Step::Deleted(digest) => {
                let layer = image.chain_ids.iter().position(|chain_id| *chain_id == digest);
                bytes += layer.map_or(0, |at| sizes[at]);
                lines.push(format!("deleted: {digest}"));
            }
        }
    }
    Ok((lines, bytes))
}
