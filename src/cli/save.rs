//! `rrun save`.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::{Context, Outcome, near};
use crate::image::save::SaveError;
use crate::image::{ImageError, ImageStore};
use crate::say::failure::Failure;
use crate::say::setup::how_far;
use crate::store::passing_file;

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
        Some(path) => to_path(&store, cmd, path).map_err(|e| unsaved(cmd, &e, cx))?,
        None if io::stdout().is_terminal() => {
            return Err(failed(
                &"cowardly refusing to save to a terminal. Use the -o flag or redirect",
            ));
        }
        None => {
            let stdout = io::stdout().as_fd().try_clone_to_owned().map_err(|e| failed(&e))?;
            let saved = store.save(&cmd.images, &mut stdout.into());
            saved.map_err(|e| unsaved(cmd, &NotSaved::Save(e), cx))?;
        }
    }
    Ok(0)
}

/// Why nothing was saved.
#[derive(Debug, thiserror::Error)]
enum NotSaved {
    /// The file cannot be written.
    #[error("{}: {source}", path.display())]
    File {
        /// Where it was to be.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The images.
    #[error(transparent)]
    Save(#[from] SaveError),
}

fn unsaved(cmd: &Cmd, error: &NotSaved, cx: &Context) -> Failure {
    let hint = match error {
        NotSaved::Save(SaveError::Image(ImageError::NotFound(name))) => {
            near::hint(name, &[near::Kind::Image], cx)
        }
        NotSaved::File { path, source } if source.kind() == io::ErrorKind::NotFound => {
            how_far(path)
        }
        _ => None,
    };
    Failure::new(format!("save {}", cmd.images.join(" ")), error).perhaps(hint)
}

/// A file appears whole or not at all; a pipe or a device is written to as it is.
fn to_path(store: &ImageStore, cmd: &Cmd, path: &Path) -> Result<(), NotSaved> {
    let told = |e: io::Error| NotSaved::File { path: path.into(), source: e };
    if path.metadata().is_ok_and(|m| !m.is_file()) {
        let mut file = File::options().write(true).open(path).map_err(told)?;
        return Ok(store.save(&cmd.images, &mut file)?);
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = passing_file(directory, ".rrun-save-").map_err(told)?;
    store.save(&cmd.images, file.as_file_mut())?;
    file.persist(path).map(drop).map_err(|e| told(e.error))
}
