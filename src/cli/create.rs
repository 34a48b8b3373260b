//! `rrun create`: a container that is started later.

use super::run_args::{Extra, RunArgs};
use super::{Context, Outcome};
use crate::container::create::Created;
use crate::container::options::RunOptions;
use crate::say::failure::{Failure, Status};

/// Create a container without starting it
///
/// Prints its id.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// The container
    #[command(flatten)]
    pub container: RunArgs,
}

/// Creates the container and prints its id.
pub fn run(options: RunOptions, extra: &Extra, cx: &Context) -> Outcome {
    // What is wrong with the command line was 125 already; from here on it is a plain failure.
    let made = super::missing::fetch(&options.image, extra, cx)
        .and_then(|()| super::run::made(options, extra, cx));
    let Created { container, .. } = made.map_err(|failure| failure.status(Status::Failed))?;
    cx.out.line(&container.record.id).map_err(|e| Failure::new("print the id", e))?;
    Ok(0)
}
