//! Small files of a cgroup: read whole, written in one go.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::CgroupError;

/// Reads a file as text.
pub(super) fn read(path: &Path) -> Result<String, CgroupError> {
    let mut text = String::new();
    open(path, OFlags::RDONLY)?
        .read_to_string(&mut text)
        .map_err(|e| CgroupError::io("read", path, e))?;
    Ok(text)
}

/// Reads a file as text; `None` where there is none.
pub(super) fn read_if_there(path: &Path) -> Result<Option<String>, CgroupError> {
    match read(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if is_absent(&e) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Writes a value: one write(2), because the kernel takes each write as a whole command.
pub(super) fn write(path: &Path, value: &str) -> Result<(), CgroupError> {
    open(path, OFlags::WRONLY)?.write_all(value.as_bytes()).map_err(|source| CgroupError::Write {
        path: path.into(),
        value: value.into(),
        source,
    })
}

/// No O_CREAT and no O_TRUNC: a file of a cgroup is there or it is not.
fn open(path: &Path, access: OFlags) -> Result<File, CgroupError> {
    let flags = access | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
        .map(File::from)
        .map_err(|e| CgroupError::io("open", path, e))
}

/// Is it that the file is not there?
pub(super) fn is_absent(error: &CgroupError) -> bool {
    matches!(error, CgroupError::Io { source, .. }
        if source.raw_os_error() == Some(libc::ENOENT))
}
