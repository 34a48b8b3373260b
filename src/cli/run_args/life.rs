//! The options of a container's life: in the background or not, how it ends, whether it begins
//! again.

use super::refusal::{invalid, refused};
use crate::config::signal::Signal;
use crate::container::attach::keys::Keys;
use crate::container::restart::RestartPolicy;
use crate::say::failure::Failure;

/// The options, as typed.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct LifeArgs {
    /// Run in the background and print the container's id
    #[arg(short, long)]
    pub detach: bool,
    /// Keys that leave a container running and let go of it [default: ctrl-p,ctrl-q]
    #[arg(long, value_name = "KEYS")]
    pub detach_keys: Option<String>,
    /// Start again when it ends: "no", "on-failure[:N]", "always" or "unless-stopped"
    #[arg(long, value_name = "POLICY")]
    restart: Option<String>,
    /// The signal that asks it to end
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// Seconds until it is killed after that; -1 for no limit
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    stop_timeout: Option<i64>,
}

/// The options, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Does it run in the background?
    pub detached: bool,
    /// What detaches.
    pub keys: Keys,
    /// When it starts again.
    pub restart: RestartPolicy,
    /// What asks it to end.
    pub stop_signal: Option<String>,
    /// How long it has for that.
    pub stop_timeout: Option<i64>,
}

/// Whether the container goes with its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remains {
    /// It stays.
    Stays,
    /// `--rm`
    Goes,
}

impl LifeArgs {
    /// Parses and checks all values.
    pub fn parse(self, remains: Remains) -> Result<Life, Failure> {
        let text = self.restart.unwrap_or_default();
        let restart =
            RestartPolicy::parse(&text).map_err(|e| refused(&format!("--restart {text}"), e))?;
        if restart != RestartPolicy::No && remains == Remains::Goes {
            let cause = "conflicting options: cannot specify both --restart and --rm";
            return Err(refused(&format!("--restart {text} --rm"), cause));
        }
        if let Some(signal) = &self.stop_signal {
            Signal::parse(signal).map_err(|e| refused(&format!("--stop-signal {signal}"), e))?;
        }
        if let Some(seconds) = self.stop_timeout.filter(|seconds| *seconds < -1) {
            return Err(invalid("--stop-timeout", &seconds.to_string(), "it is -1 at least"));
        }
        let keys = detach_keys(self.detach_keys.as_deref())?;
        let Self { detach, stop_signal, stop_timeout, .. } = self;
        Ok(Life { detached: detach, keys, restart, stop_signal, stop_timeout })
    }
}

/// `--detach-keys`
pub fn detach_keys(text: Option<&str>) -> Result<Keys, Failure> {
    let Some(text) = text else { return Ok(Keys::default()) };
    Keys::parse(text).map_err(|e| {
        refused(&format!("--detach-keys {text}"), e)
            .hint("letters and ctrl-LETTER, with commas between them: ctrl-p,ctrl-q")
    })
}
