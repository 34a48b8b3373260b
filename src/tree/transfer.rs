//! Copying one entry, or what is in a directory, to where other things may be already.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};

use super::TreeError;
use super::copy::{Copied, Copier, Made, Names, Top};
use super::descent::{Descent, file_id};
use super::manner::Manner;

/// A name in an open directory.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The directory.
    pub directory: BorrowedFd<'a>,
    /// The name in it.
    pub name: &'a CStr,
}

/// Copies what is in the directory `source` into the directory `target`, which stays as it is
/// itself.
pub fn copy_contents(
    source: BorrowedFd<'_>,
    target: BorrowedFd<'_>,
    manner: Manner,
) -> Result<Copied, TreeError> {
    let mut copier = Copier::new(manner);
    copier.target = file_id(target).ok();
    if copier.target.is_some() && copier.target == file_id(source).ok() {
        return Err(TreeError::IntoItself { path: ".".into() });
    }
    copier.copy_below(Descent::new(source)?, Descent::new(target)?, Top::LeftAlone)?;
    Ok(copier.copied)
}

/// Copies the file or directory `from`, whatever it is, to `to`. A link is copied as a link.
pub fn copy_entry(from: Entry<'_>, to: Entry<'_>, manner: Manner) -> Result<Copied, TreeError> {
    let mut copier = Copier::new(manner);
    let names = Names { from: from.name, to: to.name };
    let parents = (Descent::new(from.directory)?, Descent::new(to.directory)?);
    let made = copier.copy_by_stat(&parents.0, &parents.1, names);
    match copier.at(b"", names.to.to_bytes(), made)? {
        Made::Nothing => {}
        Made::File => copier.copied.files += 1,
        Made::Directory => {
            let opened = copier.open_both(from.directory, to.directory, names);
            let (source, target) = copier.at(b"", names.to.to_bytes(), opened)?;
            let below = (Descent::new(source.as_fd())?, Descent::new(target.as_fd())?);
            copier.copied.directories += 1;
            copier.target = file_id(&target).ok();
            if copier.target.is_some() && copier.target == file_id(&source).ok() {
                return Err(TreeError::IntoItself { path: ".".into() });
            }
            copier.copy_below(below.0, below.1, Top::Described)?;
        }
    }
    Ok(copier.copied)
}
