//! Removing a tree, however deep it is.
//!
//! Directories are moved up to the top before they are emptied, so neither the stack nor the
//! descriptors grow with the depth, and nothing is ever reached by a path.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

/// Removes the directory `name` in `parent` and all that is in it.
pub fn tree(parent: impl AsFd, name: &[u8]) -> io::Result<()> {
    let top = open(&parent, name)?;
    let mut waiting = Waiting { top: &top, names: Vec::new(), counter: 0 };
    waiting.empty(&top)?;
    while let Some(name) = waiting.names.pop() {
        let directory = open(&top, &name)?;
        waiting.empty(&directory)?;
        fs::unlinkat(&top, &name, AtFlags::REMOVEDIR)?;
    }
    fs::unlinkat(&parent, name, AtFlags::REMOVEDIR)?;
    Ok(())
}

struct Waiting<'a> {
    top: &'a OwnedFd,
    /// Directories that lie in `top` and are still to be emptied.
    names: Vec<Vec<u8>>,
    counter: u64,
}

impl Waiting<'_> {
    /// Unlinks what can be unlinked in `directory` and moves its directories to the top.
    fn empty(&mut self, directory: &OwnedFd) -> io::Result<()> {
        let is_top = std::ptr::eq(directory, self.top);
        for entry in Dir::read_from(directory)?.collect::<Vec<_>>() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            if !is_directory(directory, name, entry.file_type())? {
                fs::unlinkat(directory, name, AtFlags::empty())?;
            } else if is_top {
                self.names.push(name.to_vec());
            } else {
                self.move_up(directory, name)?;
            }
        }
        Ok(())
    }

    fn move_up(&mut self, directory: &OwnedFd, name: &[u8]) -> io::Result<()> {
        loop {
            self.counter += 1;
            let new = format!(".removing-{}", self.counter).into_bytes();
            let flags = RenameFlags::NOREPLACE;
            match fs::renameat_with(directory, name, self.top, new.as_slice(), flags) {
                Ok(()) => {
                    self.names.push(new);
                    return Ok(());
                }
                // The tree has that name itself.
                Err(Errno::EXIST) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
}

fn is_directory(parent: &OwnedFd, name: &[u8], kind: FileType) -> io::Result<bool> {
    if kind != FileType::Unknown {
        return Ok(kind == FileType::Directory);
    }
    let seen = fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(seen.st_mode) == FileType::Directory)
}

fn open(parent: impl AsFd, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match fs::openat(&parent, name, flags, Mode::empty()) {
        // Without privileges a directory's own mode can be in the way; it is known to be none
        // of a link's, so changing it by name changes nothing else.
        Err(Errno::ACCESS) => {
            fs::chmodat(&parent, name, Mode::RWXU, AtFlags::empty())?;
            Ok(fs::openat(&parent, name, flags, Mode::empty())?)
        }
        opened => Ok(opened?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Deeper than PATH_MAX and than the limit of open files, with names that collide with ours.
    #[test]
    fn deep_and_tricky() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(scratch.path().join("t/.removing-1/x/y")).unwrap();
        std::fs::write(scratch.path().join("outside"), "").unwrap();
        std::os::unix::fs::symlink("../outside", scratch.path().join("t/link")).unwrap();
        let top = open(rustix::fs::CWD, scratch.path().as_os_str().as_encoded_bytes()).unwrap();
        let mut here = open(&top, b"t").unwrap();
        for _ in 0..5000 {
            fs::mkdirat(&here, "d", Mode::RWXU).unwrap();
            here = open(&here, b"d").unwrap();
        }
        tree(&top, b"t").unwrap();
        assert!(!scratch.path().join("t").exists() && scratch.path().join("outside").exists());
    }
}
