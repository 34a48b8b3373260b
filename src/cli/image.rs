//! `rrun image …`: the commands about images under one roof.

use super::{images, import, inspect, load, rmi, save, tag};

/// Manage images
#[derive(Debug, clap::Subcommand)]
pub(super) enum ImageCommand {
    Import(import::Cmd),

    Inspect(inspect::OneKind),
    Load(load::Cmd),
    #[command(visible_alias = "list")]
    Ls(images::Cmd),
    #[cfg(feature = "registry")]
    Pull(super::pull::Cmd),
    #[cfg(feature = "registry")]
    Push(super::push::Cmd),
    #[command(visible_alias = "remove")]
    Rm(rmi::Cmd),
    Save(save::Cmd),
    Tag(tag::Cmd),
}
