//! Why an image could not be fetched, or sent.

use std::io;

use super::credential::CredentialError;
use super::host::Host;
use crate::image::digest::Digest;
use crate::image::load::LoadError;
use crate::image::store::ImageError;
use crate::store::StoreError;

/// Why an image could not be fetched, or sent. Where Docker has words, they are its.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Nobody could be reached.
    #[error("Get {url:?}: {cause}")]
    NoConnection {
        /// What was asked for.
        url: String,
        /// Why.
        cause: String,
    },
    /// The server's certificate is none that is trusted.
    #[error("Get {url:?}: {cause}")]
    Certificate {
        /// What was asked for.
        url: String,
        /// The registry.
        host: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The connection broke, or the server does not speak HTTP.
    #[error("Get {url:?}: {cause}")]
    Broken {
        /// What was asked for.
        url: String,
        /// How.
        cause: String,
    },
    /// An answer that means nothing here.
    #[error("{url:?} answered {status}{detail}")]
    Answer {
        /// What was asked for.
        url: String,
        /// The status.
        status: u16,
        /// The server's own words, with a colon before them.
        detail: String,
    },
    /// A redirect to where nothing may be fetched from.
    #[error("{url:?} redirects to {target:?}, which is not followed: {why}")]
    Redirect {
        /// What was asked for.
        url: String,
        /// Where it leads.
        target: String,
        /// Why not.
        why: &'static str,
    },
    /// The registry wants a name and a password, and there are none.
    #[error("Get {0:?}: no basic auth credentials")]
    NoPassword(String),
    /// Name and password are wrong, or do not suffice.
    #[error("Get {url:?}: unauthorized: {cause}")]
    Unauthorized {
        /// What was asked for.
        url: String,
        /// The server's words.
        cause: String,
    },
    /// Not to be had, or not without a password; which one is not told.
    #[error(
        "pull access denied for {name}, repository does not exist or may require \
         'docker login': {cause}"
    )]
    Denied {
        /// The image's name.
        name: String,
        /// The server's words.
        cause: String,
    },
    /// Sending is not allowed.
    #[error("denied: {0}")]
    PushDenied(String),
    /// There is no such image.
    #[error("manifest for {name} not found: {cause}")]
    NotFound {
        /// The image's name.
        name: String,
        /// The server's words.
        cause: String,
    },
    /// The image is there, but not for this machine.
    #[error("no matching manifest for {0} in the manifest list entries")]
    NoPlatform(String),
    /// The image is for another machine than the one asked for.
    #[error(
        "image with reference {name} was found but its platform ({actual}) does not match the \
         specified platform ({wanted})"
    )]
    OtherPlatform {
        /// The image's name.
        name: String,
        /// The platform that was asked for.
        wanted: String,
        /// Its own.
        actual: String,
    },
    /// A manifest of a kind that is none of images.
    #[error("{name} is no image: {why}")]
    NoImage {
        /// Its name.
        name: String,
        /// What it is.
        why: String,
    },
    /// What came is not what was asked for.
    #[error("{what} verification failed for digest {wanted}: it is {actual}")]
    Digest {
        /// What it should be.
        what: &'static str,
        /// The digest that was asked for.
        wanted: Digest,
        /// That of what came.
        actual: Digest,
    },
    /// More, or less, than was announced.
    #[error("{what} has another size than was announced, {announced} bytes")]
    Size {
        /// What it is.
        what: String,
        /// The bytes that were announced, or that are allowed.
        announced: u64,
    },
    /// There is nothing to send.
    #[error("An image does not exist locally with the tag: {0}")]
    NothingToPush(String),
    /// A file.
    #[error("{0}: {1}")]
    File(String, io::Error),
    /// Certificates that cannot be read.
    #[error("the certificate {0:?} cannot be used: {1}")]
    CertificateFile(String, String),
    /// Where passwords are kept.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The image store.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// What was fetched is no valid image.
    #[error(transparent)]
    Load(LoadError),
}

impl RegistryError {
    /// Is it only that the network is not there?
    pub fn is_offline(&self) -> bool {
        matches!(self, Self::NoConnection { .. })
    }

    /// May trying again help?
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::NoConnection { .. } | Self::Broken { .. } => true,
            Self::Answer { status, .. } => *status >= 500 || *status == 429 || *status == 408,
            _ => false,
        }
    }

    /// What to do about it.
    pub fn hint(&self, host: &Host) -> Option<String> {
        match self {
            Self::Certificate { host, .. } => Some(format!(
                "a certificate authority of your own goes into /etc/docker/certs.d/{host}/ca.crt"
            )),
            Self::Denied { .. }
            | Self::Unauthorized { .. }
            | Self::NoPassword(_)
            | Self::PushDenied(_) => {
                let name = if host.is_default() { String::new() } else { format!(" {host}") };
                Some(format!("`rrun login{name}` gives the registry your name and password"))
            }
            Self::NoPlatform(_) => {
                Some("--platform os/architecture asks for the image of another machine".into())
            }
            _ => None,
        }
    }
}

impl From<StoreError> for RegistryError {
    fn from(error: StoreError) -> Self {
        Self::Image(error.into())
    }
}

/// What came through the loader is told as it was.
impl From<LoadError> for RegistryError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Image(error) => Self::Image(error),
            LoadError::Fetch(error) => match error.downcast::<Self>() {
                Ok(own) => *own,
                Err(other) => Self::Load(LoadError::Fetch(other)),
            },
            error => Self::Load(error),
        }
    }
}
