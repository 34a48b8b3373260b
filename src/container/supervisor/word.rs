//! What a supervisor says to who started it, once.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

use crate::say::failure::{Failure, Status};

/// The container's process is there, or why it is not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Why there is no process.
    pub failure: Option<Failure>,
}

impl Word {
    /// There is no process.
    pub fn failed(failure: Failure) -> Self {
        Self { failure: Some(failure) }
    }

    /// Says it. Nobody may listen any more.
    pub fn write(&self, pipe: &OwnedFd) -> std::io::Result<()> {
        let mut file = File::from(pipe.try_clone()?);
        file.write_all(&serde_json::to_vec(self)?)
    }

    /// Waits for it. A supervisor that ends without a word was killed.
    pub fn read(pipe: &OwnedFd) -> Self {
        let mut text = Vec::new();
        let read = pipe.try_clone().and_then(|pipe| File::from(pipe).read_to_end(&mut text));
        let word = read.ok().and_then(|_| serde_json::from_slice(&text).ok());
        word.unwrap_or_else(|| {
            let cause = "the process that was to watch over it was killed";
            Self::failed(Failure::new("start the container", cause).status(Status::NotStarted))
        })
    }
}
