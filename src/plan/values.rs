//! Values of a config that the kernel would not take, or would take for something else.
//!
//! They are looked at before anything is planned, so that nothing later has to think of them.

use oci_spec::runtime::{Linux, LinuxIdMapping, Mount, Process};

use super::error::CompileError;
use super::input::Input;
use crate::config::path::RootPath;

/// The id that means "leave it as it is" to every call that sets one.
const NO_ID: u32 = u32::MAX;

/// A window is told to the kernel in 16 bits a side.
const WINDOW_MAX: u64 = 0xffff;

/// Permission bits are all that a umask has.
const UMASK_MAX: u32 = 0o777;

/// Refuses what no container can have.
pub(super) fn check(input: &Input<'_>) -> Result<(), CompileError> {
    if let Some(process) = input.spec.process() {
        ids(process)?;
        terminal_size(process)?;
    }
    for (index, mount) in input.spec.mounts().iter().flatten().enumerate() {
        // Most of them, by far, have nothing to check but this.
        if mount.destination().as_os_str().is_empty() {
            let origin = format!("/mounts/{index}/destination");
            return Err(invalid(origin, "path in the container", ""));
        }
        mappings_of(mount, index)?;
    }
    match input.spec.linux() {
        Some(linux) => of_linux(linux),
        None => Ok(()),
    }
}

fn invalid(
    origin: impl Into<String>,
    what: &'static str,
    value: impl std::fmt::Display,
) -> CompileError {
    CompileError::Invalid { origin: origin.into(), what, value: value.to_string() }
}

fn ids(process: &Process) -> Result<(), CompileError> {
    const USER: &str = "user id: the kernel takes it for \"as it is\"";
    const GROUP: &str = "group id: the kernel takes it for \"as it is\"";
    let user = process.user();
    if user.uid() == NO_ID {
        return Err(invalid("/process/user/uid", USER, NO_ID));
    }
    if user.gid() == NO_ID {
        return Err(invalid("/process/user/gid", GROUP, NO_ID));
    }
    let groups = user.additional_gids().as_deref().unwrap_or_default();
    if let Some(index) = groups.iter().position(|gid| *gid == NO_ID) {
        return Err(invalid(format!("/process/user/additionalGids/{index}"), GROUP, NO_ID));
    }
    match user.umask() {
        Some(mask) if mask > UMASK_MAX => {
            let shown = format_args!("{mask:#o}");
            Err(invalid("/process/user/umask", "umask: it has nine bits", shown))
        }
        _ => Ok(()),
    }
}

fn terminal_size(process: &Process) -> Result<(), CompileError> {
    let Some(size) = process.console_size() else { return Ok(()) };
    for (side, length) in [("height", size.height()), ("width", size.width())] {
        if length > WINDOW_MAX {
            let origin = format!("/process/consoleSize/{side}");
            return Err(invalid(origin, "size of a terminal: the most is 65535", length));
        }
    }
    Ok(())
}

fn mappings_of(mount: &Mount, index: usize) -> Result<(), CompileError> {
    for (name, list) in
        [("uidMappings", mount.uid_mappings()), ("gidMappings", mount.gid_mappings())]
    {
        if let Some(list) = list {
            mappings(&format!("/mounts/{index}/{name}"), list)?;
        }
    }
    Ok(())
}

fn of_linux(linux: &Linux) -> Result<(), CompileError> {
    for (name, list) in
        [("uidMappings", linux.uid_mappings()), ("gidMappings", linux.gid_mappings())]
    {
        mappings(&format!("/linux/{name}"), list.as_deref().unwrap_or_default())?;
    }
    for (index, path) in linux.masked_paths().iter().flatten().enumerate() {
        if RootPath::clean(path).is_root() {
            let origin = format!("/linux/maskedPaths/{index}");
            return Err(invalid(origin, "path to hide: it would be the whole container", path));
        }
    }
    for (index, path) in linux.readonly_paths().iter().flatten().enumerate() {
        if path.is_empty() {
            let origin = format!("/linux/readonlyPaths/{index}");
            return Err(invalid(origin, "path in the container", path));
        }
    }
    Ok(())
}

/// As the kernel has it: a range is not empty and does not reach beyond the last id.
fn mappings(origin: &str, list: &[LinuxIdMapping]) -> Result<(), CompileError> {
    for (index, row) in list.iter().enumerate() {
        let fits = |first: u32| first.checked_add(row.size()).is_some_and(|end| end > first);
        if !fits(row.container_id()) || !fits(row.host_id()) {
            let value = format_args!("{} {} {}", row.container_id(), row.host_id(), row.size());
            let what = "range of ids: it is empty, or reaches beyond 4294967294";
            return Err(invalid(format!("{origin}/{index}"), what, value));
        }
    }
    Ok(())
}
