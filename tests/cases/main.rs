//! The conformance cases of `cases.jsonl`, each run through the command line of `rrun`.
//!
//! One store in a temporary directory serves all cases, one after the other; the images come
//! from `rootfs-fixtures/cases`. Everything happens in a mount namespace of its own, so that a
//! mount which a case or a fault leaves behind ends with this program.
//!
//! `RRUN_CASES_COMMAND` runs another program instead, with its own store and images.

#![allow(clippy::unwrap_used, reason = "a runner that cannot go on has failed")]

mod expect;
mod run;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Completion, Trial};
use nix::mount::MsFlags;
use nix::sched::CloneFlags;
use run::{Case, Engine};
use support::Need;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The cases count volumes before and after: two at once would see each other's.
    arguments.test_threads = Some(1);
    let lack = support::lacking(&[Need::Root]);
    if lack.is_none() && !arguments.list {
        enter_own_mount_namespace();
    }
    let engine: Shared = Arc::default();
    let trials = run::cases().into_iter().map(|case| trial(case, &engine, lack)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Some(Ok(engine)) = engine.get() {
        engine.close();
    }
    conclusion.exit_code()
}

/// Slave, not private: what the machine mounts meanwhile is seen here, never the reverse.
fn enter_own_mount_namespace() {
    nix::sched::unshare(CloneFlags::CLONE_NEWNS).unwrap();
    nix::mount::mount(
        None::<&str>,
        "/",
        None::<&str>,
        MsFlags::MS_REC | MsFlags::MS_SLAVE,
        None::<&str>,
    )
    .unwrap();
}

/// Opened by the first case that runs; where that fails, every case fails for the same reason.
type Shared = Arc<OnceLock<Result<Engine, String>>>;

fn trial(case: Case, engine: &Shared, lack: Option<Need>) -> Trial {
    let engine = Arc::clone(engine);
    let name = format!("{} {}", case.id, case.title);
    let why_not = why_not(&case, lack);
    Trial::ignorable_test(name, move || match why_not {
        Some(reason) => Ok(Completion::ignored_with(reason)),
        None => {
            let engine = engine.get_or_init(Engine::open).as_ref()?;
            run::run(&case, engine)?;
            Ok(Completion::Completed)
        }
    })
}

/// Why `case` is not run here, if it is not.
fn why_not(case: &Case, lack: Option<Need>) -> Option<String> {
    if let Some(lack) = lack {
        return Some(format!("needs {}", lack.word()));
    }
    case.quirk.then(|| "records an oddity of Docker that rrun improves on".to_owned())
}
