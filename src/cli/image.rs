//! `rrun image …`: the commands about images under one roof.

use super::{Context, Outcome, history, images, import, inspect, load, prune, rmi, save, tag};

/// The commands about images that stand by themselves.
#[derive(Debug, clap::Subcommand)]
pub(super) enum ImageWord {
    Images(images::Cmd),
    Import(import::Cmd),
    Load(load::Cmd),
    Save(save::Cmd),
    Tag(tag::Cmd),
    Rmi(rmi::Cmd),
    #[cfg(feature = "registry")]
    Pull(super::pull::Cmd),
    #[cfg(feature = "registry")]
    Push(super::push::Cmd),
    #[cfg(feature = "registry")]
    Login(super::login::Cmd),
    #[cfg(feature = "registry")]
    Logout(super::logout::Cmd),
    History(history::Cmd),
}

/// Manage images
#[derive(Debug, clap::Subcommand)]
pub(super) enum ImageCommand {
    History(history::Cmd),
    Import(import::Cmd),
    Inspect(inspect::OneKind),
    Load(load::Cmd),
    #[command(visible_alias = "list")]
    Ls(images::Cmd),
    Prune(prune::images::Cmd),
    #[cfg(feature = "registry")]
    Pull(super::pull::Cmd),
    #[cfg(feature = "registry")]
    Push(super::push::Cmd),
    #[command(visible_alias = "remove")]
    Rm(rmi::Cmd),
    Save(save::Cmd),
    Tag(tag::Cmd),
}

/// Runs one of the commands.
pub(super) fn run(command: ImageCommand, cx: &Context) -> Outcome {
    match command {
        ImageCommand::History(cmd) => history::run(&cmd, cx),
        ImageCommand::Import(cmd) => import::run(&cmd, cx),
        ImageCommand::Inspect(cmd) => inspect::run_images(&cmd, cx),
        ImageCommand::Load(cmd) => load::run(&cmd, cx),
        ImageCommand::Ls(cmd) => images::run(&cmd, cx),
        ImageCommand::Prune(cmd) => prune::images::run(&cmd, cx),
        #[cfg(feature = "registry")]
        ImageCommand::Pull(cmd) => super::pull::run(&cmd, cx),
        #[cfg(feature = "registry")]
        ImageCommand::Push(cmd) => super::push::run(&cmd, cx),
        ImageCommand::Rm(cmd) => rmi::run(&cmd, cx),
        ImageCommand::Save(cmd) => save::run(&cmd, cx),
        ImageCommand::Tag(cmd) => tag::run(&cmd, cx),
    }
}

/// Runs one of the commands that stand by themselves.
pub(super) fn run_word(word: ImageWord, cx: &Context) -> Outcome {
    match word {
        ImageWord::Images(cmd) => images::run(&cmd, cx),
        ImageWord::Import(cmd) => import::run(&cmd, cx),
        ImageWord::Load(cmd) => load::run(&cmd, cx),
        ImageWord::Save(cmd) => save::run(&cmd, cx),
        ImageWord::Tag(cmd) => tag::run(&cmd, cx),
        ImageWord::Rmi(cmd) => rmi::run(&cmd, cx),
        #[cfg(feature = "registry")]
        ImageWord::Pull(cmd) => super::pull::run(&cmd, cx),
        #[cfg(feature = "registry")]
        ImageWord::Push(cmd) => super::push::run(&cmd, cx),
        #[cfg(feature = "registry")]
        ImageWord::Login(cmd) => super::login::run(&cmd, cx),
        #[cfg(feature = "registry")]
        ImageWord::Logout(cmd) => super::logout::run(&cmd, cx),
        ImageWord::History(cmd) => history::run(&cmd, cx),
    }
}
