//! `rrun save`.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::{Context, Outcome};
use crate::image::ImageStore;
use crate::say::failure::Failure;

/// Save images to an archive
///
/// The archive is Docker's, with an OCI layout inside, so every other tool can load it. A name
/// without a tag saves all its tags.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The images, by name or id
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

/// Runs the command.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let wanted = format!("save {}", cmd.images.join(" "));
    let failed = |cause: &dyn std::fmt::Display| Failure::new(wanted.as_str(), cause);
    let store = ImageStore::open(&cx.store).map_err(|e| failed(&e))?;
    match &cmd.output {
        Some(path) => to_path(&store, cmd, path).map_err(|e| failed(&e))?,
        None if io::stdout().is_terminal() => {
            return Err(failed(
                &"cowardly refusing to save to a terminal. Use the -o flag or redirect",
            ));
        }
        None => {
            let stdout = io::stdout().as_fd().try_clone_to_owned().map_err(|e| failed(&e))?;
            store.save(&cmd.images, &mut stdout.into()).map_err(|e| failed(&e))?;
        }
    }
    Ok(0)
}

/// A file appears whole or not at all; a pipe or a device is written to as it is.
fn to_path(store: &ImageStore, cmd: &Cmd, path: &Path) -> Result<(), String> {
    let told = |e: io::Error| format!("{}: {e}", path.display());
    if path.metadata().is_ok_and(|m| !m.is_file()) {
        let mut file = File::options().write(true).open(path).map_err(told)?;
        return store.save(&cmd.images, &mut file).map_err(|e| e.to_string());
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file =
        tempfile::Builder::new().prefix(".rrun-save-").tempfile_in(directory).map_err(told)?;
    store.save(&cmd.images, file.as_file_mut()).map_err(|e| e.to_string())?;
    file.persist(path).map(drop).map_err(|e| told(e.error))
}
