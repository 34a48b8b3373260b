//! The execution of the program: prepared before the filter of system calls is loaded, because a
//! filter may forbid whatever the program itself does not need. Then nothing is opened, looked up
//! or allocated any more: there is one execveat, and in the stub what precedes its execve.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{Access, AtFlags, CWD};
use rustix::io::Errno;

use super::outcome::Fault;
use super::process::c_string;
use crate::plan::step::ExecSpec;
use crate::sys::process::{close_on_exec_from, duplicate_to};
use crate::sys::stub::{self, StringList};

/// What can be executed, or why it cannot: that is told by the step that executes.
#[derive(Debug)]
pub struct Execution {
    ready: Result<Ready, Fault>,
}

#[derive(Debug)]
struct Ready {
    stub: OwnedFd,
    arguments: StringList,
    environment: StringList,
}

impl Execution {
    /// Looks the program up and makes the stub. What stays open across execve is `report`, by which
    /// the stub tells what failed.
    pub fn prepare(spec: &ExecSpec, report: &OwnedFd) -> Result<Self, Fault> {
        let (arguments, environment) = match lists(spec) {
            Ok(lists) => lists,
            Err(fault) => return Ok(Self { ready: Err(fault) }),
        };
        let stub = stub::make(report.as_fd(), spec.executor)?;
        close_on_exec_from(3)?;
        // The stub inherits the pipe and closes it on the execve that counts.
        duplicate_to(report, report.as_raw_fd())?;
        Ok(Self { ready: Ok(Ready { stub, arguments, environment }) })
    }

    /// Executes the program through the stub. Returns only if that failed.
    pub fn carry_out(&self) -> Fault {
        match &self.ready {
            Ok(Ready { stub, arguments, environment }) => {
                stub::execute(stub, arguments, environment).into()
            }
            Err(fault) => fault.clone(),
        }
    }
}

/// The arguments of the stub and the environment.
fn lists(spec: &ExecSpec) -> Result<(StringList, StringList), Fault> {
    let mut environment = spec.env.clone();
    if let Some(uid) = spec.home_of {
        environment.push(format!("HOME={}", crate::facts::passwd::home_of(uid)));
    }
    let program = find(&spec.args, &environment)?;
    let mut arguments: Vec<CString> = vec![stub::STUB_MARK.to_owned(), program];
    for argument in &spec.args {
        arguments.push(c_string(argument)?);
    }
    let environment = environment.iter().map(|e| c_string(e)).collect::<Result<Vec<_>, _>>()?;
    Ok((StringList::new(arguments), StringList::new(environment)))
}

/// Looks the program up as execvp(3) does: with a slash as it is, else along PATH.
fn find(arguments: &[String], environment: &[String]) -> Result<CString, Fault> {
    let name = arguments.first().ok_or(Errno::NOENT)?;
    if name.is_empty() {
        return Err(Fault::refused(Errno::NOENT, "executable file \"\" not found in $PATH"));
    }
    if name.contains('/') {
        executable(name)?;
        return c_string(name);
    }
    let path = environment.iter().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or_default();
    let mut denied = None;
    for directory in path.split(':').filter(|directory| !directory.is_empty()) {
        let candidate = format!("{directory}/{name}");
        match executable(&candidate) {
            Ok(()) => return c_string(&candidate),
            Err(fault) if fault.errno == Errno::ACCESS => denied = Some(fault),
            Err(_) => {}
        }
    }
    Err(denied.unwrap_or_else(|| {
        Fault::refused(Errno::NOENT, format!("executable file {name:?} not found in $PATH"))
    }))
}

fn executable(path: &str) -> Result<(), Fault> {
    let seen = rustix::fs::statat(CWD, path, AtFlags::empty())?;
    if rustix::fs::FileType::from_raw_mode(seen.st_mode) == rustix::fs::FileType::Directory {
        return Err(Fault::refused(
            Errno::ACCESS,
            format!("{path} is a directory: permission denied"),
        ));
    }
    rustix::fs::accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS)?;
    Ok(())
}
