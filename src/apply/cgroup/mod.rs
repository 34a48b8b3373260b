//! A cgroup of its own for a container: made, limited, joined, emptied, removed.
//!
//! What to write where is decided in `config::cgroup` and `plan::cgroup`; here is the file system.

mod device_filter;
mod files;
pub mod freeze;
mod kill;
mod make;
mod record;
mod remove;
mod walk;

use std::os::fd::AsFd;
use std::path::Path;

use rustix::io::Errno;

use super::outcome::{Fault, Outcome, Taken};
use super::table::Table;
use crate::config::cgroup::limits::{CgroupWrite, IfAbsent};
use crate::plan::step::Op;

pub use kill::kill_all;
pub use record::{Cgroup, CgroupError, Place};
pub use remove::remove;

/// Carries `op` out; it is one of the cgroup operations.
pub fn perform(table: &mut Table, undo: &mut Undo, (child, op): (i32, &Op)) -> Outcome {
    match op {
        Op::MakeCgroup { cgroup, site } => {
            let place = Place::make(site)?;
            let directory = place.open();
            undo.cgroup.add(place);
            table.put(*cgroup, directory?);
            Ok(Taken::Done)
        }
        Op::OpenCgroup { cgroup, path } => {
            table.put(*cgroup, record::open(path.as_path())?);
            Ok(Taken::Done)
        }
        Op::WriteCgroup { cgroup, limit } => write_limit(table.get(*cgroup)?, Path::new(""), limit),
        Op::CgroupDevices { cgroup, program } => {
            device_filter::attach(table.get(*cgroup)?, &program.0)
        }
        Op::JoinCgroup { cgroup } => {
            let pid = child.to_string();
            files::write(table.get(*cgroup)?, Path::new("cgroup.procs"), &pid)?;
            Ok(Taken::Done)
        }
        _ => Err(Errno::NOSYS.into()),
    }
}

/// Writes a limit into the cgroup `directory`, which is counted from `at`.
fn write_limit(at: impl AsFd, directory: &Path, limit: &CgroupWrite) -> Outcome {
    let written = files::write(&at, &directory.join(&limit.file), &limit.value);
    match (written, &limit.if_absent) {
        (Err(e), IfAbsent::Skip) if files::is_absent(&e) => return Ok(Taken::SkippedAbsent),
        (Err(e), IfAbsent::Instead { file, value }) if files::is_absent(&e) => {
            files::write(&at, &directory.join(file), value)?;
        }
        (answer, _) => answer?,
    }
    Ok(Taken::Done)
}

impl From<CgroupError> for Fault {
    fn from(error: CgroupError) -> Self {
        let errno = match &error {
            CgroupError::Io { source, .. } | CgroupError::Write { source, .. } => *source,
            CgroupError::NotEmpty(_) | CgroupError::Frozen(_) => Errno::BUSY,
            CgroupError::NotDelegated { .. } => Errno::NOENT,
        };
        // The step names its own file; only what lies beside it has to be told.
        let words = match &error {
            CgroupError::Write { path, .. } | CgroupError::Io { path, .. }
                if path.is_relative() =>
            {
                String::new()
            }
            _ => error.to_string(),
        };
        Self { errno, words }
    }
}

/// What the host made outside of the container's namespaces.
#[derive(Debug, Default)]
pub struct Undo {
    /// The container's cgroups.
    pub cgroup: Cgroup,
}

impl Undo {
    /// Ends what is left in the container's cgroups and removes them.
    ///
    /// Whoever made the pid namespace has left nothing: then removing is all that is to do.
    pub fn run(&mut self) -> Result<(), CgroupError> {
        let cgroup = std::mem::take(&mut self.cgroup);
        if remove::remove_empty(&cgroup) {
            return Ok(());
        }
        let killed = kill_all(&cgroup);
        remove(&cgroup).and(killed)
    }
}

#[cfg(test)]
mod tests;
