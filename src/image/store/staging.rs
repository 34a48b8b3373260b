//! Where a command builds what it will add: a directory that nobody looks into.
//!
//! It is locked for as long as the command lives. Who finds one that is not locked has found what
//! a dead command left, and removes it.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, MediaType};
use rustix::fs::{FlockOperation, Mode, OFlags};

use super::image::{LayerRecord, read_layer_record};
use super::{ImageError, ImageStore};
use crate::image::archive::compression::{self, Compression, Unpacker};
use crate::image::archive::tee::{Keep, Passed, Tee};
use crate::image::archive::{ArchiveError, Reader};
use crate::image::chain;
use crate::image::digest::Digest;
use crate::image::layer::{self, LayerError, LeftOut, Target};
use crate::image::limits::Limits;
use crate::store::{self, Durability, LockKind, StoreError};
use crate::tree;

/// How such directories are called.
pub const PREFIX: &str = ".new-";

/// A command's own directory; what is left in it goes when it is dropped.
#[derive(Debug)]
pub struct Staging {
    path: PathBuf,
    /// Where layers are when they are in place.
    layers: PathBuf,
    directory: OwnedFd,
    counter: u64,
}

/// A layer that is unpacked and waits to be put in place.
#[derive(Debug, Clone)]
pub struct LayerBlob {
    /// The descriptor of its blob.
    pub descriptor: Descriptor,
    /// The digest of its blob.
    pub digest: Digest,
    /// The digest of what it unpacks to.
    pub diff_id: Digest,
    /// The id of it and all layers below it.
    pub chain_id: Digest,
    /// What could not be unpacked here.
    pub left_out: LeftOut,
}

/// Where a layer's archive is.
pub enum LayerOrigin<R> {
    /// Somewhere else; it is copied.
    Stream(R),
    /// In the staging directory; it is renamed.
    Staged(PathBuf),
}

impl ImageStore {
    /// Is a layer in place, unpacked from this very blob, which is there too?
    pub fn has_layer_of(&self, chain_id: &Digest, blob: &Digest) -> bool {
        let record = read_layer_record(&self.layer_record_path(chain_id));
        let same = record.is_some_and(|r| r.blob == *blob);
        same && self.layer_path(chain_id).is_dir() && self.blob_path(blob).exists()
    }

    /// Makes a directory for a command's work.
    pub fn stage(&self) -> Result<Staging, ImageError> {
        // Shared: the sweep must not see it between mkdir and flock.
        let _held = store::lock(&self.lock_path(), LockKind::Shared)?;
        let made = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(&self.layers)
            .map_err(|e| StoreError::io("mkdir", &self.layers, e))?;
        let directory = open_directory(made.path())?;
        rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive)
            .map_err(|e| StoreError::io("flock", made.path(), e))?;
        Ok(Staging { path: made.keep(), layers: self.layers.clone(), directory, counter: 0 })
    }
}

impl ImageStore {
    /// Unpacks an archive, packed or not, into a directory of its own, which goes with the
    /// staging. Directories that it does not describe are as those of `like`.
    pub fn unpack_aside(
        &self,
        input: impl Read,
        like: BorrowedFd<'_>,
        limits: &Limits,
    ) -> Result<(Staging, OwnedFd), ImageError> {
        let mut staging = self.stage()?;
        let root = staging.fresh_path("tree");
        fs::create_dir(&root).map_err(|e| StoreError::io("mkdir", &root, e))?;
        let directory = open_directory(&root)?;
        let below = like.try_clone_to_owned().map_err(|e| StoreError::io("dup", &root, e))?;
        let target = Target { layer: open_directory(&root)?, below: vec![below] };
        receive(input, Keep::Digest, target, limits)?;
        Ok((staging, directory))
    }
}

impl Staging {
    /// The directory's descriptor.
    pub fn directory(&self) -> &OwnedFd {
        &self.directory
    }

    /// A name that is not used yet.
    pub fn fresh_path(&mut self, what: &str) -> PathBuf {
        self.counter += 1;
        self.path.join(format!("{what}-{}", self.counter))
    }

    /// Where a blob waits.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.path.join(format!("blob.{}", digest.hex()))
    }

    /// Where a layer waits.
    pub fn layer_path(&self, chain_id: &Digest) -> PathBuf {
        self.path.join(format!("layer.{}", chain_id.hex()))
    }

    /// Where a layer's record waits.
    pub fn record_path(&self, chain_id: &Digest) -> PathBuf {
        self.path.join(format!("layer.{}.json", chain_id.hex()))
    }

    /// Adds a small blob.
    pub fn add_blob(&self, bytes: &[u8]) -> Result<Digest, ImageError> {
        let digest = Digest::of(bytes);
        let path = self.blob_path(&digest);
        fs::write(&path, bytes).map_err(|e| StoreError::io("write", path, e))?;
        Ok(digest)
    }

    /// Is a layer staged already, unpacked from this very blob?
    pub fn has_layer(&self, chain_id: &Digest, blob: &Digest) -> bool {
        read_layer_record(&self.record_path(chain_id)).is_some_and(|r| r.blob == *blob)
    }

    /// Reads a layer's archive, packed or not: keeps it as a blob and unpacks it, in one pass.
    /// `below` are the layers under it, the lowest first.
    pub fn add_layer(
        &mut self,
        origin: LayerOrigin<impl Read>,
        below: &[Digest],
        limits: &Limits,
    ) -> Result<LayerBlob, ImageError> {
        let root = self.fresh_path("layer");
        fs::create_dir(&root).map_err(|e| StoreError::io("mkdir", &root, e))?;
        let target = Target { layer: open_directory(&root)?, below: self.open_layers(below)? };
        let (blob, layer) = match origin {
            LayerOrigin::Stream(stream) => {
                let blob = self.fresh_path("blob");
                let file = File::create_new(&blob).map_err(|e| StoreError::io("open", &blob, e))?;
                (blob, receive(stream, Keep::In(file), target, limits)?)
            }
            LayerOrigin::Staged(blob) => {
                let file = File::open(&blob).map_err(|e| StoreError::io("open", &blob, e))?;
                (blob, receive(file, Keep::Digest, target, limits)?)
            }
        };
        let digest = layer.blob.digest;
        rename(&blob, &self.blob_path(&digest))?;
        let chain_id = chain::on_top(below, &layer.diff_id);
        let place = self.layer_path(&chain_id);
        if place.exists() {
            remove_directory(&root)?;
        } else {
            rename(&root, &place)?;
        }
        let record = LayerRecord {
            size_bytes: layer.unpacked.size_bytes,
            entries: layer.unpacked.entries,
            blob: digest.clone(),
        };
        // The sync of all at the end makes it durable.
        store::write_record(&self.record_path(&chain_id), &record, Durability::Passing)?;
        let media_type = media_type(layer.compression);
        Ok(LayerBlob {
            descriptor: descriptor(media_type, &digest, layer.blob.size_bytes)?,
            digest,
            diff_id: layer.diff_id,
            chain_id,
            left_out: layer.unpacked.left_out,
        })
    }

    /// Opens layers that are staged or in place; the topmost comes first.
    fn open_layers(&self, chain_ids: &[Digest]) -> Result<Vec<OwnedFd>, ImageError> {
        let open = |chain_id: &Digest| {
            let staged = self.layer_path(chain_id);
            let place = self.layers.join(chain_id.hex());
            Ok(open_directory(if staged.exists() { &staged } else { &place })?)
        };
        chain_ids.iter().rev().map(open).collect()
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed now is swept by the next command.
        let _ = remove_directory(&self.path);
    }
}

struct Received {
    blob: Passed,
    diff_id: Digest,
    compression: Compression,
    unpacked: layer::Unpacked,
}

/// The two streams of a layer: what came in, and what it unpacks to, which is the same stream if
/// it is not packed. Both are hashed to their very ends, past the end of the archive.
fn receive(
    input: impl Read,
    keep: Keep,
    target: Target,
    limits: &Limits,
) -> Result<Received, ImageError> {
    let read = |e| ImageError::Layer(LayerError::Archive(ArchiveError::Read(e)));
    let (compression, input) = compression::look(input).map_err(read)?;
    let tee = Tee::new(input, keep, limits.bytes).map_err(read)?;
    if compression == Compression::None {
        let mut archive = Reader::new(tee);
        let unpacked = layer::unpack(&mut archive, target, limits)?;
        let blob = archive.into_inner().finish().map_err(read)?;
        return Ok(Received { diff_id: blob.digest.clone(), blob, compression, unpacked });
    }
    let taken = tee.taken();
    let unpacker = Unpacker::new(tee, compression, taken, limits).map_err(read)?;
    let inner = Tee::new(unpacker, Keep::Digest, limits.bytes).map_err(read)?;
    let mut archive = Reader::new(inner);
    let unpacked = layer::unpack(&mut archive, target, limits)?;
    let (diff, unpacker) = archive.into_inner().finish_with_input().map_err(read)?;
    let blob = unpacker.into_inner().finish().map_err(read)?;
    Ok(Received { blob, diff_id: diff.digest, compression, unpacked })
}

fn media_type(compression: Compression) -> MediaType {
    match compression {
        Compression::None => MediaType::ImageLayer,
        Compression::Gzip => MediaType::ImageLayerGzip,
        Compression::Zstd => MediaType::ImageLayerZstd,
    }
}

/// A descriptor of a blob of ours.
pub fn descriptor(
    media_type: MediaType,
    digest: &Digest,
    size_bytes: u64,
) -> Result<Descriptor, ImageError> {
    let digest: oci_spec::image::Digest =
        digest.to_string().parse().map_err(|e| ImageError::build("descriptor", Box::new(e)))?;
    Ok(Descriptor::new(media_type, size_bytes, digest))
}

/// Opens a directory of ours.
pub fn open_directory(path: &Path) -> Result<OwnedFd, StoreError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|e| StoreError::io("open", path, e))
}

/// Renames within the store.
pub fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(|e| StoreError::io("rename", to, e))
}

/// Removes a directory of the store with all that is in it.
pub fn remove_directory(path: &Path) -> Result<(), StoreError> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let failed = |e| StoreError::io("remove", path, io::Error::other(e));
    let parent = open_directory(parent)?;
    let name = CString::new(name.as_encoded_bytes())
        .map_err(|e| StoreError::io("remove", path, io::Error::other(e)))?;
    tree::remove(parent.as_fd(), &name).map_err(failed)
}
