//! `rrun tag`.

use super::{Context, Outcome, near};
use crate::image::{ImageError, ImageStore, Reference};
use crate::say::failure::Failure;

/// Give an image one more name
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// The image, by name or id
    #[arg(value_name = "IMAGE")]
    source: String,
    /// The new name; who had it loses it
    #[arg(value_name = "NAME[:TAG]")]
    target: String,
}

/// Runs the command.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let failed = |cause: &dyn std::fmt::Display| {
        Failure::new(format!("tag {} as {}", cmd.source, cmd.target), cause)
    };
    let target = Reference::parse(&cmd.target).map_err(|e| failed(&e))?;
    if target.digest().is_some() {
        return Err(failed(&"refusing to create a tag with a digest reference"));
    }
    let store = ImageStore::open(&cx.store).map_err(|e| failed(&e))?;
    store.tag(&cmd.source, &target.with_default_tag()).map_err(|e| match e {
        ImageError::NotFound(_) => {
            failed(&e).perhaps(near::hint(&cmd.source, &[near::Kind::Image], cx))
        }
        e => failed(&e),
    })?;
    Ok(0)
}
