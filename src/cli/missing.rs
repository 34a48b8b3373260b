//! The image of a container that is to be: fetched first, where it is not there.
//!
//! By another process, `rrun pull`: its threads must not be in the one that clones the container.

use super::Context;
use super::run_args::Extra;
use crate::say::failure::Failure;

#[cfg(feature = "registry")]
pub use with_registry::fetch;

/// Without registries nothing is fetched.
#[cfg(not(feature = "registry"))]
pub fn fetch(_: &str, _: &Extra, _: &Context) -> Result<(), Failure> {
    Ok(())
}

#[cfg(feature = "registry")]
mod with_registry {
    use std::ffi::OsStr;
    use std::io::{self, Read};
    use std::path::PathBuf;

    use super::{Context, Extra, Failure};
    use crate::cli::near::{self, Kind};
    use crate::cli::run_args::PullWhen;
    use crate::image::{ImageStore, Reference};
    use crate::say::failure::Status;
    use crate::sys::spawn::ask;

    /// More is no failure's text.
    const MAX_ANSWER_BYTES: u64 = 1 << 20;

    /// What the other process says of a failure.
    #[derive(serde::Deserialize)]
    struct Told {
        cause: String,
        hint: Option<String>,
    }

    /// Fetches the image `name` if it is missing, or as `extra` says.
    pub fn fetch(name: &str, extra: &Extra, cx: &Context) -> Result<(), Failure> {
        let failed = |cause: &dyn std::fmt::Display| {
            Failure::new(format!("create a container of {name}"), cause).status(Status::NotStarted)
        };
        let there = match extra.pull {
            PullWhen::Never => true,
            PullWhen::Always => false,
            PullWhen::Missing => {
                let store = ImageStore::open(&cx.store).map_err(|e| failed(&e))?;
                let found = store.find(name).map_err(|e| failed(&e))?.is_some();
                // A word that is no command is not worth a journey.
                found || extra.meaning.and_then(|meaning| meaning(name)).is_some()
            }
        };
        // What is no name is told by those who look for the image.
        let Some(full) = Reference::parse(name).ok().filter(|_| !there) else { return Ok(()) };
        if extra.pull == PullWhen::Missing && !extra.quiet {
            let full = full.with_default_tag();
            cx.out.aside(&format!("Unable to find image '{full}' locally\n"));
        }
        let told = pull(name, extra, cx).map_err(|e| failed(&e))?;
        match told {
            None => Ok(()),
            // A slip of an image's name that is there is likelier than all else.
            Some(Told { cause, hint }) => {
                Err(failed(&cause).perhaps(near::hint(name, &[Kind::Image], cx).or(hint)))
            }
        }
    }

    /// Runs `rrun pull`; what it says on standard output is why it failed.
    fn pull(name: &str, extra: &Extra, cx: &Context) -> io::Result<Option<Told>> {
        let program = own_program()?;
        let mut words = vec![OsStr::new("rrun"), "--root".as_ref(), cx.store.root().as_ref()];
        words.extend(["pull", "--for-container"].map(OsStr::new));
        if extra.quiet {
            words.push("--quiet".as_ref());
        }
        words.extend(["--", name].map(OsStr::new));
        let answered = ask(&program, &words, b"", None)?;
        let mut text = String::new();
        answered.output.take(MAX_ANSWER_BYTES).read_to_string(&mut text)?;
        match answered.status {
            Some(0) => Ok(None),
            Some(status) if text.is_empty() => {
                Err(io::Error::other(format!("the pull ended with wait status {status}")))
            }
            _ => serde_json::from_str(&text).map(Some).map_err(io::Error::other),
        }
    }

    /// The program that runs here, also if its file has been replaced meanwhile.
    fn own_program() -> io::Result<PathBuf> {
        let path = std::env::current_exe()?;
        match path.exists() {
            true => Ok(path),
            false => Ok(format!("/proc/{}/exe", std::process::id()).into()),
        }
    }
}
