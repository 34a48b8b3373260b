//! A container that could not be set up: which step, what asked for it, what may help.

use std::path::Path;

use rustix::io::Errno;

use super::call::call;
use super::failure::{Failure, Status};
use crate::apply::report::StepFailure;
use crate::config::cgroup::limits::CgroupWrite;
use crate::engine::spawn::SpawnError;
use crate::plan::step::{Op, Plan, Source};
pub use crate::sys::errno::words as words_of;

/// The failure in words.
pub fn failure(plan: &Plan, error: &SpawnError) -> Failure {
    match error {
        SpawnError::Step(failed) => step_failure(plan, failed),
        SpawnError::Died { step, wait_status } => {
            let text = call(&plan.steps[*step].op);
            let how = how_it_ended(*wait_status);
            let cause = format!("step {} of {}: {text}: {how}", step + 1, plan.steps.len());
            Failure::new(wanted(plan, *step), cause)
                .perhaps(too_small(plan, *step, *wait_status))
                .status(Status::NotStarted)
        }
        SpawnError::Prepare { call, errno } => {
            Failure::new("start the container", format!("{call}: {}", words_of(*errno)))
                .status(Status::NotStarted)
        }
    }
}

fn how_it_ended(wait_status: i32) -> String {
    match wait_status & 0x7f {
        0 => format!("the child ended with status {}", wait_status >> 8 & 0xff),
        signal => format!("the child was killed by {}", signal_name(signal)),
    }
}

fn signal_name(number: i32) -> String {
    match nix::sys::signal::Signal::try_from(number) {
        Ok(signal) => format!("{signal} ({number})"),
        Err(_) => format!("signal {number}"),
    }
}

/// The limit that a child may have died of before its program was there.
fn too_small(plan: &Plan, step: usize, wait_status: i32) -> Option<String> {
    const KILL: i32 = 9;
    let before = plan.steps[..=step].iter();
    if wait_status & 0x7f == KILL {
        let memory = before.clone().find_map(|step| match &step.op {
            Op::WriteCgroup { limit, .. } => memory_limit(limit),
            _ => None,
        });
        if let Some(value) = memory {
            return Some(format!(
                "its memory limit of {value} bytes is perhaps too small to be set up in"
            ));
        }
    }
    let limit = before.rev().find_map(|step| memory_rlimit(&step.op));
    limit.map(|(name, soft)| format!("{name} of {soft} bytes leaves it no memory to start in"))
}

fn memory_limit(limit: &CgroupWrite) -> Option<&str> {
    let file = limit.file.as_str();
    let is_limit = matches!(file, "memory.max" | "memory.limit_in_bytes");
    is_limit.then_some(limit.value.as_str()).filter(|value| value.parse::<u64>().is_ok())
}

/// A limit of a process's own memory in which hardly any program fits.
fn memory_rlimit(op: &Op) -> Option<(&'static str, u64)> {
    const HARDLY_ANY: u64 = 1 << 20;
    match op {
        Op::SetLimit {
            name: name @ ("RLIMIT_AS" | "RLIMIT_DATA" | "RLIMIT_STACK"), soft, ..
        } if *soft < HARDLY_ANY => Some((name, *soft)),
        _ => None,
    }
}

/// Why a program may have been killed before its first instruction, where `status` is what a shell
/// would say: the kernel says nothing, and to execve it was a success.
pub fn killed_by_limit(plan: &Plan, status: u8) -> Option<String> {
    let signal = i32::from(status).checked_sub(128).filter(|signal| matches!(signal, 9 | 11))?;
    let (name, soft) = plan.steps.iter().rev().find_map(|step| memory_rlimit(&step.op))?;
    let signal = signal_name(signal);
    Some(format!("killed by {signal}: {name} of {soft} bytes leaves it hardly any memory"))
}

fn wanted(plan: &Plan, step: usize) -> String {
    let origin = plan.steps[step].origin.to_string();
    match &plan.steps[step].op {
        Op::Exec(spec) => format!("run {}", spec.args.first().map_or("", String::as_str)),
        _ if origin == "default" => "set up the container".into(),
        _ => format!("set up {origin}"),
    }
}

fn step_failure(plan: &Plan, failed: &StepFailure) -> Failure {
    let op = &plan.steps[failed.step].op;
    let errno = words_of(failed.errno);
    let place = format!("step {} of {}", failed.step + 1, plan.steps.len());
    let mut failure = if let Op::Exec(spec) = op {
        exec_failure(plan, failed, spec.args.first().map_or("", String::as_str))
    } else if matches!(op, Op::Configure { .. } | Op::CreateFilesystem { .. }) {
        let mut failure =
            Failure::new(wanted(plan, failed.step), format!("{place}: {}: {errno}", call(op)));
        failure.kernel = Some(failed.words.clone()).filter(|words| !words.is_empty());
        failure
    } else {
        let words = Some(&failed.words).filter(|words| !words.is_empty());
        let cause = words.map_or_else(|| errno.clone(), Clone::clone);
        Failure::new(wanted(plan, failed.step), format!("{place}: {}: {cause}", call(op)))
            .status(Status::NotStarted)
    };
    if !matches!(op, Op::Exec(_)) {
        failure.status = Status::NotStarted;
    }
    if let Some(hint) = hint(op, failed) {
        failure.hint = Some(hint);
    }
    failure
}

/// The one line that engines look for, where execve refused the program.
pub fn exec_line(plan: &Plan, error: &SpawnError) -> Option<String> {
    let SpawnError::Step(failed) = error else { return None };
    let Op::Exec(spec) = &plan.steps[failed.step].op else { return None };
    let name = spec.args.first().map_or("", String::as_str);
    failed.words.is_empty().then(|| refused(name, failed.errno))
}

fn refused(name: &str, errno: Errno) -> String {
    format!("exec {name}: {}", words_of(errno).to_lowercase())
}

/// What is told of a program that was not executed, and the status that a shell would give.
fn exec_failure(plan: &Plan, failed: &StepFailure, name: &str) -> Failure {
    let status = match failed.errno {
        Errno::NOENT | Errno::NOTDIR => Status::NotFound,
        _ => Status::NotExecutable,
    };
    let cause = match failed.words.as_str() {
        "" => refused(name, failed.errno),
        words => words.to_owned(),
    };
    Failure::new(wanted(plan, failed.step), cause).status(status)
}

fn hint(op: &Op, failed: &StepFailure) -> Option<String> {
    match (op, failed.errno) {
        (
            Op::CloneTree { source: Source::Host(path) | Source::Seen { path, .. }, .. }
            | Op::OpenPlace { path, .. },
            Errno::NOENT,
        ) => how_far(path.as_path()),
        (Op::Configure { key, .. }, Errno::INVAL) => nearest_parameter(key),
        (Op::SetAttributes { change, .. }, Errno::INVAL) if change.idmap.is_some() => {
            Some("this file system does not support idmapped mounts".into())
        }
        (Op::Exec(_), Errno::NOEXEC) => {
            Some("it is no program for this machine, or a script without its #! line".into())
        }
        (Op::CloneTree { .. }, Errno::PERM) | (Op::Clone(_), Errno::PERM) => {
            Some("rrun needs root's capabilities here (CAP_SYS_ADMIN)".into())
        }
        (Op::MakeStub | Op::Exec(_), Errno::FBIG) => {
            Some("RLIMIT_FSIZE is too small for the few hundred bytes that start a program".into())
        }
        (Op::SetLimit { .. }, Errno::PERM) => {
            Some("raising a hard limit needs CAP_SYS_RESOURCE; see `ulimit -H -a`".into())
        }
        _ => None,
    }
}

/// How far a path exists, and the name that comes nearest to the first missing one.
pub fn how_far(path: &Path) -> Option<String> {
    let exists = path.ancestors().skip(1).find(|ancestor| ancestor.exists())?;
    let rest = path.strip_prefix(exists).ok()?;
    let first = rest.components().next()?.as_os_str().to_str()?;
    let names: Vec<String> = std::fs::read_dir(exists)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    match crate::config::nearest::nearest(first, names.iter().map(String::as_str)) {
        Some(near) => Some(format!("did you mean {}?", exists.join(near).display())),
        None => {
            Some(format!("{} exists, {} does not", exists.display(), exists.join(first).display()))
        }
    }
}

fn nearest_parameter(key: &str) -> Option<String> {
    const KNOWN: [&str; 14] = [
        "size",
        "mode",
        "uid",
        "gid",
        "nr_inodes",
        "nr_blocks",
        "huge",
        "mpol",
        "hidepid",
        "subset",
        "newinstance",
        "ptmxmode",
        "lowerdir",
        "upperdir",
    ];
    let near = crate::config::nearest::nearest(key, KNOWN)?;
    (near != key).then(|| format!("did you mean {near}?"))
}
