//! `rrun man`: manual pages of all commands, made from their help. For packagers and `install`.

use std::fs;
use std::path::PathBuf;

use super::Outcome;
use crate::say::failure::Failure;

/// Write a manual page for each command into a directory
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// The directory, as /usr/share/man/man1; it is made if it is missing
    #[arg(required = true, value_name = "DIR")]
    directory: PathBuf,
}

/// Writes the pages; `root` is rrun's own command.
pub fn run(cmd: &Cmd, root: clap::Command) -> Outcome {
    let directory = &cmd.directory;
    let failed = |e| Failure::new(format!("write manual pages into {directory:?}"), e);
    fs::create_dir_all(directory).map_err(failed)?;
    clap_mangen::generate_to(root, directory).map_err(failed)?;
    Ok(0)
}
