//! `rrun stop`: ask containers to end, and kill those that do not.

use super::{Context, Outcome, each::each, signal_of};
use crate::config::signal::Signal;
use crate::container::ending::{self, STOP_SECONDS};
use crate::container::store::Container;

/// Stop containers
///
/// Sends SIGTERM, or the signal that the image or --stop-signal names, and SIGKILL to one that has
/// not ended in time.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    #[command(flatten)]
    how: How,
    /// The containers, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// How a container is asked to end.
#[derive(Debug, clap::Args)]
pub struct How {
    /// Seconds until it is killed; -1 for no limit [default: 10, or its --stop-timeout]
    #[arg(
        short,
        long,
        visible_alias = "timeout",
        value_name = "SECONDS",
        allow_hyphen_values = true
    )]
    time: Option<i64>,
    /// The signal to send
    #[arg(short, long, value_name = "SIGNAL")]
    signal: Option<String>,
}

/// How a container is asked, understood.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    signal: Option<Signal>,
    seconds: Option<i64>,
}

impl How {
    /// Checks the values.
    pub fn parse(&self) -> Result<Asked, crate::say::failure::Failure> {
        let signal = self.signal.as_deref().map(signal_of).transpose()?;
        Ok(Asked { signal, seconds: self.time })
    }
}

impl Asked {
    /// The signal for this container, and the seconds that it has.
    pub fn of(self, container: &Container) -> (Signal, i64) {
        let own = container.record.options.stop_timeout;
        let seconds = self.seconds.or(own).unwrap_or(STOP_SECONDS);
        (self.signal.unwrap_or_else(|| ending::stop_signal(container)), seconds)
    }
}

/// Runs the command.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let asked = cmd.how.parse()?;
    each(("stop", &cmd.containers), cx, |container| {
        ending::stop(&cx.store, container, asked.of(container))
    })
}
