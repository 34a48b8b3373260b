//! `rrun export`, also `rrun container export`.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::{Context, Outcome};
use crate::container::export::export;
use crate::container::store::{Container, ContainerStore};
use crate::say::failure::Failure;

/// Write a container's root file system as a tar archive
///
/// What is mounted in it, volumes among them, is not in the archive. `rrun import` makes an image
/// of it.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The container, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    container: String,
}

const BUFFER_BYTES: usize = 256 << 10;

/// Runs the command.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let failed =
        |cause: &dyn std::fmt::Display| Failure::new(format!("export {}", cmd.container), cause);
    let containers = ContainerStore::open(&cx.store).map_err(|e| failed(&e))?;
    let container = containers.find(&cmd.container).map_err(|e| failed(&e))?;
    match &cmd.output {
        Some(path) => to_file(path, &container, cx).map_err(|e| failed(&e))?,
        None if io::stdout().is_terminal() => {
            let cause = "cowardly refusing to save to a terminal. Use the -o flag or redirect";
            return Err(failed(&cause));
        }
        None => to(io::stdout().lock(), &container, cx).map_err(|e| failed(&e))?,
    }
    Ok(0)
}

fn to(out: impl Write, container: &Container, cx: &Context) -> Result<(), String> {
    let out = BufWriter::with_capacity(BUFFER_BYTES, out);
    export(&cx.store, container, out).map_err(|e| e.to_string())
}

/// The file is there when it is whole, and not before.
fn to_file(path: &Path, container: &Container, cx: &Context) -> Result<(), String> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let is_special = path.metadata().is_ok_and(|seen| !seen.is_file());
    if is_special {
        let file = File::options().write(true).open(path);
        return to(file.map_err(|e| format!("{}: {e}", path.display()))?, container, cx);
    }
    let told = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(|e| told(&e))?;
    to(&mut file, container, cx)?;
    file.persist(path).map_err(|e| told(&e.error))?;
    Ok(())
}
