//! The command line of `rrun`: one file a command, and the way to it.
//!
//! ```text
//! argv (which command, which options) ──▶ dispatch (clap's types) ──▶ the command
//! ```

pub mod absent;
pub mod argv;
pub mod argv_error;
pub mod attach;
pub mod attached;
pub mod background;
pub mod cidfile;
pub mod commit;
pub mod completion;
mod confirm;
pub mod container;
pub mod cp;
pub mod create;
pub mod diff;
pub mod dispatch;
mod each;
pub mod exec;
pub mod explain;
pub mod export;
pub mod foreground;
pub mod history;
pub mod image;
pub mod images;
pub mod import;
pub mod inspect;
pub mod kill;
pub mod load;
#[cfg(feature = "registry")]
pub mod login;
#[cfg(feature = "registry")]
pub mod logout;
pub mod logs;
pub mod man;
pub mod missing;
pub mod near;
pub mod pause;
pub mod port;
pub mod prune;
pub mod ps;
#[cfg(feature = "registry")]
pub mod pull;
#[cfg(feature = "registry")]
pub mod push;
pub mod rename;
pub mod restart;
pub mod rights;
pub mod rm;
pub mod rmi;
pub mod run;
pub mod run_args;
pub mod save;
pub mod start;
pub mod stop;
pub mod system;
pub mod tag;
#[cfg(test)]
mod tests;
pub mod version;
pub mod volume;
pub mod wait;

#[cfg(feature = "registry")]
use crate::image::registry::{Host, RegistryError};
use crate::say::{failure::Failure, output::Output};
use crate::store::Store;

/// What every command gets: the store and where to write.
#[derive(Debug)]
pub struct Context {
    /// The store, opened.
    pub store: Store,
    /// Standard output and error.
    pub out: Output,
}

/// A registry's failure, with what may help.
#[cfg(feature = "registry")]
fn registry_failure(wanted: &str, error: &RegistryError, host: &Host) -> Failure {
    let failure = Failure::new(wanted, error);
    match error.hint(host) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// How a command ends: an exit status, or a failure to be told.
pub type Outcome = Result<u8, Failure>;

/// A signal as typed.
fn signal_of(text: &str) -> Result<crate::config::signal::Signal, Failure> {
    crate::config::signal::Signal::parse(text)
        .map_err(|e| Failure::new(format!("use --signal {text}"), e))
}
