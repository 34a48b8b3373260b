//! What can go wrong with an encrypted volume.

use std::io;
use std::path::{Path, PathBuf};

/// Why an encrypted volume could not be made or mounted. No key is ever in it.
#[derive(Debug, thiserror::Error)]
pub enum EncryptedError {
    /// An option that the driver does not know.
    #[error("invalid option: {0:?}")]
    Unknown(String),
    /// Two ways to the key.
    #[error("conflicting options: key-file and key-command")]
    TwoKeys,
    /// A key file that depends on the current directory.
    #[error("invalid key-file: '{0}' path must be absolute")]
    RelativeKeyFile(String),
    /// The key could not be had.
    #[error("no key from {from}: {reason}")]
    Key {
        /// Where it was to come from.
        from: String,
        /// Why not.
        reason: String,
    },
    /// The program is missing.
    #[error("gocryptfs is not installed")]
    NoProgram,
    /// The key is that of another volume.
    #[error("the key is wrong")]
    WrongKey,
    /// The program failed.
    #[error("gocryptfs: {0}")]
    Failed(String),
    /// A file of the volume.
    #[error("{call}({path:?}): {source}")]
    Io {
        /// What was tried.
        call: &'static str,
        /// On what.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl EncryptedError {
    /// What may help.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoProgram => Some(
                "the driver encrypted needs the program gocryptfs, of the package gocryptfs".into(),
            ),
            Self::Unknown(_) => Some("options are key-file=/PATH and key-command=COMMAND".into()),
            Self::Key { from, .. } if from == "terminal" => {
                Some("--opt key-file=/PATH or --opt key-command=COMMAND need no terminal".into())
            }
            Self::Failed(words) if words.contains("fuse") && !Path::new("/dev/fuse").exists() => {
                Some("there is no /dev/fuse: the kernel needs its module fuse".into())
            }
            _ => None,
        }
    }
}
