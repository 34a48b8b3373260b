//! What a container may do and use: capabilities, security, memory, processors, limits.

use std::collections::BTreeMap;
use std::path::Path;

use super::refusal::{invalid, number_words, refused};
use crate::config::capability::{self, CapabilitySet};
use crate::config::nearest::nearest;
use crate::config::seccomp::profile::{self, Host};
use crate::config::size::parse_bytes;
use crate::container::options::{Limits, Ulimit};
use crate::facts::file;
use crate::say::failure::Failure;

/// The options of what a container may do and use.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct LimitArgs {
    /// Mount the root file system read-only
    #[arg(long)]
    read_only: bool,
    /// Give extended privileges to the container
    #[arg(long)]
    privileged: bool,
    /// Add a capability, or ALL
    #[arg(long, value_name = "CAPABILITY")]
    cap_add: Vec<String>,
    /// Drop a capability, or ALL
    #[arg(long, value_name = "CAPABILITY")]
    cap_drop: Vec<String>,
    /// no-new-privileges, seccomp=unconfined or seccomp=FILE
    #[arg(long, value_name = "OPTION")]
    security_opt: Vec<String>,
    /// Size of /dev/shm: 64m
    #[arg(long, value_name = "SIZE")]
    shm_size: Option<String>,
    /// Memory limit: 512m
    #[arg(short, long, value_name = "SIZE")]
    memory: Option<String>,
    /// Number of processors: 1.5
    #[arg(long, value_name = "NUMBER")]
    cpus: Option<String>,
    /// Most processes; -1 for no limit
    #[arg(long, value_name = "NUMBER")]
    pids_limit: Option<String>,
    /// A limit of setrlimit(2): nofile=1024:2048; -1 for none
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    ulimit: Vec<String>,
}

/// The least memory in which a container can start, as Docker's.
const MIN_MEMORY: u64 = 6 << 20;

/// The names of setrlimit(2) without their prefix, in lower case.
const ULIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

impl LimitArgs {
    /// Parses the values.
    pub fn parse(self) -> Result<Limits, Failure> {
        // Which of them this kernel has is no matter of the command line.
        capability::adjust(&self.cap_add, &self.cap_drop, CapabilitySet::all(63)).map_err(|e| {
            let hint = e.near().map(|near| format!("did you mean {near}?"));
            refused("--cap-add and --cap-drop", e).perhaps(hint)
        })?;
        Ok(Limits {
            read_only_root: self.read_only,
            privileged: self.privileged,
            security: security(&self.security_opt)?,
            shm_size: self.shm_size.as_deref().map(shm_size).transpose()?.flatten(),
            memory: self.memory.as_deref().map(memory).transpose()?.flatten(),
            nano_cpus: self
                .cpus
                .as_deref()
                .map(|text| nano_cpus(text, processors()))
                .transpose()?
                .flatten(),
            pids: self.pids_limit.as_deref().map(pids).transpose()?.flatten(),
            ulimits: ulimits(&self.ulimit)?,
            cap_add: self.cap_add,
            cap_drop: self.cap_drop,
        })
    }
}

fn shm_size(text: &str) -> Result<Option<u64>, Failure> {
    let bytes = parse_bytes(text).map_err(|e| invalid("--shm-size", text, e))?;
    Ok((bytes > 0).then_some(bytes))
}

fn memory(text: &str) -> Result<Option<u64>, Failure> {
    match parse_bytes(text).map_err(|e| invalid("-m, --memory", text, e))? {
        0 => Ok(None),
        1..MIN_MEMORY => {
            Err(refused(&format!("--memory {text}"), "Minimum memory limit allowed is 6MB"))
        }
        bytes => Ok(Some(bytes)),
    }
}

/// How many processors this process may use.
fn processors() -> u32 {
    // Not available_parallelism: a quota of ours is no limit for a cgroup elsewhere.
    let ours = rustix::thread::sched_getaffinity(None).map(|set| set.count());
    ours.unwrap_or(u32::MAX).max(1)
}

/// A decimal number of processors, in billionths; no more than there are.
fn nano_cpus(text: &str, processors: u32) -> Result<Option<u64>, Failure> {
    let wrong = |reason: String| invalid("--cpus", text, reason);
    let no_number = || wrong(format!("failed to parse {text} as a rational number"));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || !text.contains(|c: char| c.is_ascii_digit()) {
        return Err(no_number());
    }
    if fraction.len() > 9 {
        return Err(wrong("value is too precise".into()));
    }
    let nano: u64 = format!("{whole}{fraction:0<9}").parse().map_err(|_| no_number())?;
    match nano {
        0 => Ok(None),
        nano if (10_000_000..=u64::from(processors) * 1_000_000_000).contains(&nano) => {
            Ok(Some(nano))
        }
        _ => {
            let cause = format!(
                "Range of CPUs is from 0.01 to {processors}.00, as there are only {processors} \
                 CPUs available"
            );
            Err(refused(&format!("--cpus {text}"), cause))
        }
    }
}

fn pids(text: &str) -> Result<Option<i64>, Failure> {
    match text.parse::<i64>() {
        Ok(..=0) => Ok(Some(-1)),
        Ok(count) => Ok(Some(count)),
        Err(e) => Err(invalid("--pids-limit", text, number_words(text, &e))),
    }
}

/// Of each name the last one counts; in order of the names.
fn ulimits(words: &[String]) -> Result<Vec<Ulimit>, Failure> {
    let mut limits = BTreeMap::new();
    for word in words {
        let limit = ulimit(word).map_err(|reason| {
            let failure = invalid("--ulimit", word, reason);
            let name = word.split('=').next().unwrap_or_default();
            match nearest(name, ULIMITS).filter(|near| *near != name) {
                Some(near) => failure.hint(format!("did you mean {near}?")),
                None => failure,
            }
        })?;
        limits.insert(limit.name.clone(), limit);
    }
    Ok(limits.into_values().collect())
}

fn ulimit(word: &str) -> Result<Ulimit, String> {
    let (name, values) =
        word.split_once('=').ok_or_else(|| format!("invalid ulimit argument: {word}"))?;
    if !ULIMITS.contains(&name) {
        return Err(format!("invalid ulimit type: {name}"));
    }
    let (soft, hard) = match values.split(':').collect::<Vec<_>>().as_slice() {
        [both] => (*both, *both),
        [soft, hard] => (*soft, *hard),
        _ => {
            return Err(format!(
                "too many limit value arguments - {values}, can only have up to two, `soft[:hard]`"
            ));
        }
    };
    // -1 is RLIM_INFINITY, which as an unsigned number is the largest of all.
    let number = |text: &str| match text {
        "-1" => Ok(u64::MAX),
        text => text.parse().map_err(|e| number_words(text, &e)),
    };
    let (soft, hard) = (number(soft)?, number(hard)?);
    if soft > hard {
        let shown = |n: u64| if n == u64::MAX { "-1".into() } else { n.to_string() };
        return Err(format!(
            "ulimit soft limit must be less than or equal to hard limit: {} > {}",
            shown(soft),
            shown(hard)
        ));
    }
    Ok(Ulimit { name: name.into(), soft, hard })
}

/// `no-new-privileges`, and `seccomp=unconfined` or `seccomp=` with the text of a profile.
fn security(words: &[String]) -> Result<Vec<String>, Failure> {
    let mut options: BTreeMap<&str, String> = BTreeMap::new();
    for word in words {
        // The colon is the older spelling.
        let (name, value) =
            word.split_once('=').or_else(|| word.split_once(':')).unwrap_or((word, ""));
        let kept = match (name, value) {
            ("no-new-privileges", "" | "true") => "no-new-privileges".into(),
            ("no-new-privileges", "false") => String::new(),
            ("seccomp", "unconfined") => "seccomp=unconfined".into(),
            ("seccomp", "builtin") => String::new(),
            ("seccomp", path) if !path.is_empty() => format!("seccomp={}", read_profile(path)?),
            // Nothing of the kind is set, so there is nothing to switch off.
            ("apparmor", "unconfined") | ("label", "disable") => String::new(),
            ("no-new-privileges", _) => {
                return Err(invalid(
                    "--security-opt",
                    word,
                    format_args!("invalid value: {value}"),
                ));
            }
            _ => {
                let known = ["no-new-privileges", "seccomp"];
                let failure = invalid("--security-opt", word, "it is not available");
                return Err(match nearest(name, known) {
                    Some(near) if near != name => failure.hint(format!("did you mean {near}?")),
                    _ => failure.hint(
                        "there are no-new-privileges, seccomp=unconfined and \
                                       seccomp=FILE",
                    ),
                });
            }
        };
        options.insert(name, kept);
    }
    Ok(options.into_values().filter(|option| !option.is_empty()).collect())
}

/// A profile is kept in the container's record, so that its file may change or go.
fn read_profile(path: &str) -> Result<String, Failure> {
    let failed = |e: &dyn std::fmt::Display| {
        let cause = format!("opening seccomp profile ({path}) failed: {e}");
        refused(&format!("--security-opt seccomp={path}"), cause)
    };
    let bytes = file::read(Path::new(path), file::RECORD_LIMIT_BYTES).map_err(|e| failed(&e))?;
    let text = String::from_utf8(bytes).map_err(|e| failed(&e))?;
    // Between them they have every rule of the profile.
    let (most, least) = (CapabilitySet::all(63), CapabilitySet::EMPTY);
    for (capabilities, kernel) in [(most, (u32::MAX, 0)), (least, (0, 0))] {
        profile::parse(&text, Host { capabilities, kernel }).map_err(|e| failed(&e))?;
    }
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|e| failed(&e))?;
    Ok(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From a hundredth of a processor to all that there are, in Docker's words.
    #[test]
    fn as_many_processors_as_there_are() {
        let words = |text, there| nano_cpus(text, there).map_err(|e| e.cause);
        assert_eq!(words("4", 4), Ok(Some(4_000_000_000)));
        assert_eq!(words("0.01", 1), Ok(Some(10_000_000)));
        assert_eq!(words("0", 1), Ok(None));
        let cause =
            "Range of CPUs is from 0.01 to 4.00, as there are only 4 CPUs available".to_owned();
        for text in ["4.01", "0.009", "100"] {
            assert_eq!(words(text, 4), Err(cause.clone()), "{text}");
        }
    }
}
