//! The commands of five texts about Docker's volumes, each section on a store of its own.
//!
//! | number | text |
//! |---|---|
//! | 0 | Docker Volumes and Persistent Data (a lesson) |
//! | 1 | Persistent Data with Docker Volumes |
//! | 2 | Summary: Persistent Data in Docker |
//! | 3 | Data Persistence: Keeping Your Data Safe |
//! | 4 | What Is Docker Volume and How Does It Persist Data Between Containers? |
//!
//! `docker` is rrun. What a text says of a command is checked; where the texts clash with
//! themselves or Docker refuses, the refusal is. Directories of the texts' host are below a
//! temporary one. What rrun does not have yet is in `later`, and is counted as skipped.
//! `docs/documents.md` has a line for each command; `RRUN_UPDATE_GOLDEN=1` writes them.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

mod article;
mod database;
mod later;
mod lesson;
mod persistence;
mod stage;
mod summary;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod tutorial;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Completion, Trial};
use nix::mount::MsFlags;
use nix::sched::CloneFlags;
use stage::{Images, Section, Stage};
use support::Need;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let lack = support::lacking(&[Need::Root, Need::Program("apt-get"), Need::Program("jq")]);
    if lack.is_none() && !arguments.list {
        enter_own_mount_namespace();
    }
    let images: Shared = Arc::default();
    let mut trials = vec![Trial::test("every command is in docs/documents.md", table::check)];
    for section in sections() {
        trials.extend(waiting(section));
        trials.push(trial(section, &images, lack));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    // What is left of it goes with the directory.
    drop(images);
    conclusion.exit_code()
}

/// All of them, the database's own included.
fn sections() -> impl Iterator<Item = &'static Section> {
    let documents = [
        lesson::SECTIONS,
        tutorial::SECTIONS,
        summary::SECTIONS,
        persistence::SECTIONS,
        article::SECTIONS,
        database::SECTIONS,
    ];
    documents.into_iter().flatten()
}

/// Slave, not private: what the machine mounts meanwhile is seen here, never the reverse.
fn enter_own_mount_namespace() {
    nix::sched::unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let flags = MsFlags::MS_REC | MsFlags::MS_SLAVE;
    nix::mount::mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).unwrap();
}

/// Made by the first section that runs; where that fails, every section fails for this reason.
type Shared = Arc<OnceLock<Result<Images, String>>>;

fn trial(section: &'static Section, images: &Shared, lack: Option<Need>) -> Trial {
    let images = Arc::clone(images);
    let name = format!("{} {}", section.id, section.title);
    Trial::ignorable_test(name, move || {
        if let Some(lack) = lack {
            return Ok(Completion::ignored_with(format!("needs {}", lack.word())));
        }
        let images = images.get_or_init(Images::make).as_ref()?;
        let stage = Stage::new(images, section.commands);
        (section.play)(&stage);
        stage.end();
        Ok(Completion::Completed)
    })
}

/// A skipped test for each option that is left out of a command.
fn waiting(section: &'static Section) -> Vec<Trial> {
    let left_out = section.commands.iter().flat_map(|command| {
        later::options(command).map(move |(option, what)| {
            let reason = format!("waits for {what}");
            let name = format!("{} {option} of {command}", section.id);
            Trial::ignorable_test(name, move || Ok(Completion::ignored_with(reason)))
        })
    });
    left_out.collect()
}
