//! Whether a container that ended is started again, and when (V12; Docker's rules).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `--restart`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "name", content = "retries")]
pub enum RestartPolicy {
    /// Never.
    #[default]
    No,
    /// When its status is not 0, so many times at most; 0 for as often as need be.
    OnFailure(u32),
    /// Always.
    Always,
    /// Always, as long as nobody stops it.
    UnlessStopped,
}

/// Why a policy cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestartPolicyError {
    /// An unknown word.
    #[error(
        "invalid restart policy: unknown policy '{0}'; use one of 'no', 'always', 'on-failure', \
         or 'unless-stopped'"
    )]
    Unknown(String),
    /// The number of retries is none.
    #[error("invalid restart policy format: maximum retry count must be an integer")]
    Count,
    /// A number where there cannot be one.
    #[error("invalid restart policy: maximum retry count can only be used with 'on-failure'")]
    CountOfOther,
}

impl RestartPolicy {
    /// `no`, `always`, `unless-stopped`, `on-failure[:n]`; empty is `no`.
    pub fn parse(text: &str) -> Result<Self, RestartPolicyError> {
        let (name, count) = match text.split_once(':') {
            Some((name, count)) => {
                (name, Some(count.parse::<u32>().map_err(|_| RestartPolicyError::Count)?))
            }
            None => (text, None),
        };
        match (name, count) {
            ("on-failure", count) => Ok(Self::OnFailure(count.unwrap_or(0))),
            ("" | "no" | "always" | "unless-stopped", Some(1..)) => {
                Err(RestartPolicyError::CountOfOther)
            }
            ("" | "no", _) => Ok(Self::No),
            ("always", _) => Ok(Self::Always),
            ("unless-stopped", _) => Ok(Self::UnlessStopped),
            (other, _) => Err(RestartPolicyError::Unknown(other.into())),
        }
    }

    /// Its name, as `inspect` shows it.
    pub fn word(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::OnFailure(_) => "on-failure",
            Self::Always => "always",
            Self::UnlessStopped => "unless-stopped",
        }
    }

    /// How often it is tried at most; 0 without a limit.
    pub fn retries(self) -> u32 {
        if let Self::OnFailure(count) = self { count } else { 0 }
    }
}

/// How a run of a container ended.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Its status.
    pub status: u8,
    /// How long it was.
    pub lasted: Duration,
    /// How often the container has been started again before.
    pub restarts: u32,
}

/// The first pause, and the longest.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);

/// After a run of this length the pauses begin anew.
const LONG_RUN: Duration = Duration::from_secs(10);

/// How long is waited before the container is started again; `None` if it is not.
pub fn pause(policy: RestartPolicy, run: Run, last: Option<Duration>) -> Option<Duration> {
    let again = match policy {
        RestartPolicy::No => false,
        RestartPolicy::OnFailure(count) => run.status != 0 && (count == 0 || run.restarts < count),
        RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
    };
    let next = match last {
        Some(last) if run.lasted < LONG_RUN => (last * 2).min(LONGEST),
        _ => FIRST,
    };
    again.then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words, and what is no policy.
    #[test]
    fn words() {
        let parsed = |text| RestartPolicy::parse(text).map_err(|e| e.to_string());
        assert_eq!(parsed(""), Ok(RestartPolicy::No));
        assert_eq!(parsed("always"), Ok(RestartPolicy::Always));
        assert_eq!(parsed("unless-stopped"), Ok(RestartPolicy::UnlessStopped));
        assert_eq!(parsed("on-failure"), Ok(RestartPolicy::OnFailure(0)));
        assert_eq!(parsed("on-failure:3"), Ok(RestartPolicy::OnFailure(3)));
        assert!(parsed("sometimes").unwrap_err().contains("unknown policy 'sometimes'"));
        assert!(parsed("on-failure:x").unwrap_err().contains("must be an integer"));
        assert!(parsed("always:3").unwrap_err().contains("only be used with 'on-failure'"));
    }

    /// Who is started again, how often, after how long.
    #[test]
    fn pauses() {
        let run = |status, restarts| Run { status, lasted: Duration::from_secs(1), restarts };
        assert_eq!(pause(RestartPolicy::No, run(1, 0), None), None);
        assert_eq!(pause(RestartPolicy::OnFailure(0), run(0, 0), None), None);
        assert_eq!(pause(RestartPolicy::OnFailure(2), run(1, 1), None), Some(FIRST));
        assert_eq!(pause(RestartPolicy::OnFailure(2), run(1, 2), None), None);
        assert_eq!(pause(RestartPolicy::Always, run(0, 99), None), Some(FIRST));
        assert_eq!(pause(RestartPolicy::Always, run(0, 1), Some(FIRST)), Some(FIRST * 2));
        assert_eq!(pause(RestartPolicy::Always, run(0, 9), Some(LONGEST)), Some(LONGEST));
        let long = Run { lasted: LONG_RUN, ..run(0, 9) };
        assert_eq!(pause(RestartPolicy::Always, long, Some(LONGEST)), Some(FIRST));
    }
}
