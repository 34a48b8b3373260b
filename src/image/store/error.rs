//! What can go wrong with the image store.

use crate::image::digest::Digest;
use crate::image::layer::LayerError;
use crate::image::reference::ReferenceError;
use crate::store::StoreError;

/// What can go wrong with the image store.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A call on the store's files.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A name that is none.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// A layer that cannot be unpacked.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// There is no such image. The words are Docker's.
    #[error("No such image: {0}")]
    NotFound(String),
    /// The beginning of several ids.
    #[error("image ID prefix {0:?} is ambiguous: several images begin with it")]
    Ambiguous(String),
    /// A file of an image is not what its digest says, or not what the format allows.
    #[error("the image's {what} {digest} is damaged: {why}")]
    Damaged {
        /// Which part of the image.
        what: &'static str,
        /// Its digest.
        digest: String,
        /// What is wrong with it.
        why: String,
    },
    /// A part of an image was removed by another command before it could be used.
    #[error("layer {0} was removed by another command in the meantime")]
    Vanished(Digest),
    /// An image whose layer is not unpacked.
    #[error("layer {0} of the image is not unpacked")]
    NotUnpacked(Digest),
    /// An image must not be removed. The words are Docker's.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The specification's library refused what was built.
    #[error("cannot write the image's {what}: {source}")]
    Build {
        /// Which part.
        what: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ImageError {
    /// What may help.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Layer(LayerError::Archive(error)) => error.hint(),
            Self::Layer(LayerError::Owner { source, .. })
                if source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                Some("to give files to their owners needs root's rights: sudo rrun …".into())
            }
            _ => None,
        }
    }

    /// A part of an image that is not as it should be.
    pub fn damaged(
        what: &'static str,
        digest: &impl ToString,
        why: &(impl ToString + ?Sized),
    ) -> Self {
        Self::Damaged { what, digest: digest.to_string(), why: why.to_string() }
    }

    /// A part that could not be written down.
    pub fn build(
        what: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Build { what, source: source.into() }
    }
}
