//! Hard links among the files of one copy.

use std::collections::HashMap;
use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, Stat};
use rustix::io::Errno;

use super::attributes::Step;
use super::descent::{Descent, open_below};
use super::joined;

/// Where the first copy of each file with several names is, below the target's top.
#[derive(Default)]
pub(super) struct Links(HashMap<(u64, u64), Vec<u8>>);

impl Links {
    /// Makes `name` a hard link to the earlier copy of the same file. `false`: there is none, so
    /// the caller makes this one, which is remembered.
    pub(super) fn link(&mut self, to: &Descent, name: &CStr, stat: &Stat) -> Step<bool> {
        if stat.st_nlink < 2 {
            return Ok(false);
        }
        let id = (stat.st_dev, stat.st_ino);
        if let Some(first) = self.0.get(&id) {
            match link_to(to, first, name) {
                Ok(()) => return Ok(true),
                // The target's file system allows fewer names for a file: begin a new one.
                Err(Errno::MLINK) => {}
                Err(e) => return Err(("linkat", e)),
            }
        }
        self.0.insert(id, joined(to.path(), name.to_bytes()));
        Ok(false)
    }
}

fn link_to(to: &Descent, first: &[u8], name: &CStr) -> Result<(), Errno> {
    let cut = first.iter().rposition(|b| *b == b'/');
    let (directory, first_name) = match cut {
        Some(cut) => (&first[..cut], &first[cut + 1..]),
        None => (&first[..0], first),
    };
    let make = |directory: BorrowedFd<'_>| {
        rustix::fs::linkat(directory, first_name, to.here(), name, AtFlags::empty())
    };
    if directory == to.path() {
        return make(to.here());
    }
    let opened = open_below(to.top(), directory)?;
    make(std::os::fd::AsFd::as_fd(&opened))
}
