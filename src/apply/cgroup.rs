//! The operations on cgroups: directories, limits, membership.

use std::fs::DirBuilder;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use super::report::Taken;
use super::{Apply, Fault, Outcome};
use crate::plan::step::{Op, Slot};

/// Carries `op` out; it is one of the cgroup operations.
pub fn perform(apply: &mut Apply<'_>, op: &Op) -> Outcome {
    match op {
        Op::MakeCgroup { cgroup, path } => {
            let (directory, made) = make(path.as_path())?;
            apply.undo.cgroups.extend(made);
            apply.table.put(*cgroup, directory);
            Ok(Taken::Done)
        }
        Op::WriteCgroup { cgroup, file, value } => write(apply, *cgroup, (file, value)),
        Op::CgroupDevices { cgroup, program } => {
            let _ = program;
            apply.table.get(*cgroup)?;
            Ok(Taken::NotPermitted)
        }
        Op::JoinCgroup { cgroup } => {
            let pid = apply.links.child.to_string();
            write(apply, *cgroup, ("cgroup.procs", &pid))
        }
        _ => Err(Errno::NOSYS.into()),
    }
}

/// Makes a directory with its parents; returns it and what was new, the outermost first.
fn make(path: &Path) -> Result<(OwnedFd, Vec<PathBuf>), Fault> {
    let mut made = Vec::new();
    let missing: Vec<&Path> = path.ancestors().take_while(|p| !p.exists()).collect();
    for directory in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o755).create(directory) {
            Ok(()) => made.push(directory.to_path_buf()),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e.into()),
        }
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok((rustix::fs::openat(CWD, path, flags, Mode::empty())?, made))
}

fn write(apply: &Apply<'_>, cgroup: Slot, (name, value): (&str, &str)) -> Outcome {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(apply.table.get(cgroup)?, name, flags, Mode::empty())?;
    let written = rustix::io::write(file, value.as_bytes())?;
    if written == value.len() { Ok(Taken::Done) } else { Err(Errno::IO.into()) }
}

/// What the host made outside of the container's namespaces.
#[derive(Debug, Default)]
pub struct Undo {
    /// Cgroup directories, the outermost first.
    pub cgroups: Vec<PathBuf>,
}

impl Undo {
    /// Removes what was made, the innermost first.
    ///
    /// A cgroup is EBUSY until its last process has been reaped, which the kernel does a moment
    /// after the exit is seen, so it is tried for a while.
    pub fn run(&mut self) {
        while let Some(path) = self.cgroups.pop() {
            for _ in 0..200 {
                match std::fs::remove_dir(&path) {
                    Err(e) if e.raw_os_error() == Some(libc::EBUSY) => {
                        std::thread::sleep(std::time::Duration::from_micros(250));
                    }
                    _ => break,
                }
            }
        }
    }
}
