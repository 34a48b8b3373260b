//! Copying between a container's files and the host's.
//!
//! Which entry goes where is decided from what is known of both ends (`decide`), then it is copied
//! by descriptor (`tree`). On the container's side every path is resolved as if the container's
//! root were `/`; only the caller's own paths are looked up on the host. Nothing of the container's
//! is executed or loaded (CVE-2019-14271), and a file that is moved meanwhile leads nowhere else
//! (CVE-2018-15664).

mod decide;
mod error;
mod place;
mod side;

use std::ffi::CString;
use std::os::fd::AsFd;

use super::files::Files;
use super::record::ContainerRecord;
use super::store::Container;
use crate::config::path::RootPath;
use crate::image::limits::Limits;
use crate::image::{ImageError, ImageStore};
use crate::plan::files::Reach;
use crate::store::Store;
use crate::tree::{
    Copied, Entry, Existing, Manner, Mounts, Owners, SourceKind, copy_contents, copy_entry,
};
use decide::{Source, Target, Where, decide};
pub use error::CopyError;
use place::Place;
pub use place::{Ending, Follow, Named};
use side::Side;

/// A container that is copied from or to, as it was named.
#[derive(Debug, Clone, Copy)]
pub struct Peer<'a> {
    /// The store.
    pub store: &'a Store,
    /// The container.
    pub container: &'a Container,
    /// Its name on the command line.
    pub named: &'a str,
}

impl Peer<'_> {
    fn files(&self) -> Result<Files<'_>, CopyError> {
        Ok(Files::open(self.store, self.container, Reach::AllMounts)?)
    }
}

/// Copies out of a container, to the host's `to`.
pub fn copy_out(
    peer: Peer<'_>,
    (from, follow): (&Named, Follow),
    (to, owners): (&Named, Owners),
) -> Result<Copied, CopyError> {
    let files = peer.files()?;
    let (inside, outside) = (Side::of_container(files.as_fd(), peer.named), Side::of_host()?);
    copy((&inside, from, follow), (&outside, to), owners)
}

/// Copies into a container, from the host's `from`.
pub fn copy_in(
    peer: Peer<'_>,
    (from, follow): (&Named, Follow),
    to: &Named,
) -> Result<Copied, CopyError> {
    let outside = Side::of_host()?;
    // What is missing here need not disturb the container.
    place::source(&outside, from, follow)?;
    let files = peer.files()?;
    let inside = Side::of_container(files.as_fd(), peer.named);
    let copied = copy((&outside, from, follow), (&inside, to), Owners::Kept);
    copied.map_err(|error| read_only(error, &peer.container.record, to))
}

/// Writes what is at `from` as a tar stream.
pub fn archive_out(
    peer: Peer<'_>,
    (from, follow): (&Named, Follow),
    out: impl std::io::Write,
) -> Result<(), CopyError> {
    let files = peer.files()?;
    let inside = Side::of_container(files.as_fd(), peer.named);
    let source = place::source(&inside, from, follow)?;
    let name = if from.ending == Ending::Contents { b".".to_vec() } else { from.name() };
    let manner = manner(Owners::Kept);
    let mut archive = crate::tree::archive::Archive::new(out, manner);
    archive.add(source.entry(), &name)?;
    archive.finish()?;
    Ok(())
}

/// Unpacks a tar stream, plain or compressed, into the directory `to`.
///
/// First aside, where no process of the container's is: so an archive that is damaged, or names
/// what is outside, changes nothing.
pub fn archive_in(
    peer: Peer<'_>,
    archive: impl std::io::Read,
    to: &Named,
) -> Result<(), CopyError> {
    let files = peer.files()?;
    let inside = Side::of_container(files.as_fd(), peer.named);
    let not_one = || CopyError::NotADirectory(format!("{}:{}", peer.named, to.text));
    let target = place::target(&inside, to)?;
    if !target.is_directory() {
        return Err(not_one());
    }
    let directory = target.open_directory()?;
    let images = ImageStore::open(peer.store).map_err(unpack_failed)?;
    let aside = images.unpack_aside(archive, directory.as_fd(), &Limits::default());
    let (_aside, unpacked) = aside.map_err(unpack_failed)?;
    // A whiteout means nothing here.
    let manner =
        Manner { kind: SourceKind::Layer, mounts: Mounts::Refused, ..manner(Owners::Kept) };
    let copied = copy_contents(unpacked.as_fd(), directory.as_fd(), manner);
    copied.map(drop).map_err(|error| read_only(error.into(), &peer.container.record, to))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unpack_failed(error: ImageError) -> CopyError {
    CopyError::Unpack(error.to_string())
}

fn manner(owners: Owners) -> Manner {
    Manner { kind: SourceKind::Tree, existing: Existing::Merged, owners, mounts: Mounts::Crossed }
}

fn copy(
    (from_side, from, follow): (&Side<'_>, &Named, Follow),
    (to_side, to): (&Side<'_>, &Named),
    owners: Owners,
) -> Result<Copied, CopyError> {
    let source = place::source(from_side, from, follow)?;
    let target = place::target(to_side, to)?;
    let contents = from.ending == Ending::Contents || from.name().is_empty();
    let goes = decide(
        Source { is_directory: source.is_directory(), contents },
        Target {
            exists: target.exists(),
            is_directory: target.is_directory(),
            asserts_directory: to.ending != Ending::Name,
        },
    )?;
    let manner = manner(owners);
    match goes {
        Where::As => Ok(copy_entry(source.entry(), target.entry(), manner)?),
        Where::Contents => {
            let (source, target) = (source.open_directory()?, target.open_directory()?);
            Ok(copy_contents(source.as_fd(), target.as_fd(), manner)?)
        }
        Where::Below => {
            let directory = target.open_directory()?;
            let name = c_name(&from.name(), &source)?;
            let below = Entry { directory: directory.as_fd(), name: &name };
            Ok(copy_entry(source.entry(), below, manner)?)
        }
    }
}

fn c_name(name: &[u8], place: &Place) -> Result<CString, CopyError> {
    CString::new(name).map_err(|_| place.failed("open", rustix::io::Errno::INVAL))
}

/// EROFS in Docker's words: a volume's, or the root's.
fn read_only(error: CopyError, record: &ContainerRecord, to: &Named) -> CopyError {
    const EROFS: i32 = rustix::io::Errno::ROFS.raw_os_error();
    let errno = match &error {
        CopyError::Tree(error) => error.errno(),
        CopyError::Call { cause, .. } => cause.raw_os_error(),
        _ => None,
    };
    if errno != Some(EROFS) {
        return error;
    }
    let path = RootPath::clean(&String::from_utf8_lossy(&to.path));
    let on_mount = record.mounts.iter().any(|m| !m.target.is_root() && path.is_under(&m.target));
    if on_mount { CopyError::ReadOnlyVolume } else { CopyError::ReadOnlyRoot }
}
