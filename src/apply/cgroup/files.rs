//! Small files of a cgroup: read whole, written in one go.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use super::CgroupError;

/// Most files of a cgroup are shorter.
const ROOM: usize = 4096;

/// Reads a file as text.
pub(super) fn read(path: &Path) -> Result<String, CgroupError> {
    // Room for the usual file, so that one read(2) takes it.
    let mut text = String::with_capacity(ROOM);
    open(CWD, path, OFlags::RDONLY)?
        .read_to_string(&mut text)
        .map_err(|e| CgroupError::io("read", path, errno(&e)))?;
    Ok(text)
}

/// Writes a value to `path`, counted from `at`: one write(2), because the kernel takes each write
/// as a whole command.
pub(super) fn write(at: impl AsFd, path: &Path, value: &str) -> Result<(), CgroupError> {
    open(at, path, OFlags::WRONLY)?.write_all(value.as_bytes()).map_err(|e| CgroupError::Write {
        path: path.into(),
        value: value.into(),
        source: errno(&e),
    })
}

/// The kernel's answer; a write that takes a part only has none.
fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// No O_CREAT and no O_TRUNC: a file of a cgroup is there or it is not.
fn open(at: impl AsFd, path: &Path, access: OFlags) -> Result<File, CgroupError> {
    let flags = access | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, path, flags, Mode::empty())
        .map(File::from)
        .map_err(|e| CgroupError::io("open", path, e))
}

/// Is it that the file is not there? Not asked of a write: io.max says ENODEV of a device.
pub(super) fn is_absent(error: &CgroupError) -> bool {
    matches!(error, CgroupError::Io { source, .. }
        if *source == Errno::NOENT)
}

/// Is it that the cgroup was removed while we worked in it? A file that was open says ENODEV.
pub(super) fn is_gone(error: &CgroupError) -> bool {
    let (CgroupError::Io { source, .. } | CgroupError::Write { source, .. }) = error else {
        return false;
    };
    matches!(*source, Errno::NOENT | Errno::NODEV)
}
