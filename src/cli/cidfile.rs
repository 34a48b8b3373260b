//! `--cidfile`: a file that gets the container's id (V12.25).

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::say::failure::{Failure, Status};

/// A file that was made for the id; dropped without one it is removed again.
#[derive(Debug)]
pub struct Claimed {
    path: PathBuf,
    file: File,
    written: bool,
}

/// Makes the file; one that exists is of another container.
pub fn claim(path: &Path) -> Result<Claimed, Failure> {
    let made = File::options().write(true).create_new(true).open(path);
    let file = made.map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => refused(
            path,
            format!(
                "container ID file found, make sure the other container isn't running or delete {}",
                path.display()
            ),
        ),
        _ => refused(path, e.to_string()),
    })?;
    Ok(Claimed { path: path.into(), file, written: false })
}

fn refused(path: &Path, cause: String) -> Failure {
    Failure::new(format!("write --cidfile {}", path.display()), cause).status(Status::NotStarted)
}

impl Claimed {
    /// Writes the id.
    pub fn write(mut self, id: &str) -> Result<(), Failure> {
        self.file.write_all(id.as_bytes()).map_err(|e| refused(&self.path, e.to_string()))?;
        self.written = true;
        Ok(())
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if !self.written {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
