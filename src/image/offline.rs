//! Images for a machine without a network: archives that came with rrun.
//!
//! `scripts/install` puts them into PREFIX/share/rrun/images; `RRUN_OFFLINE_IMAGES` names another
//! directory. They stand in for `alpine` and `busybox` where their registry cannot be reached.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::config::ImageConfig;
use super::digest::Digest;
use super::import::{Import, Platform};
use super::limits::Limits;
use super::reference::Reference;
use super::store::{ImageError, ImageStore};
use crate::store::StoreError;

/// The images, and what they run.
const KNOWN: [(&str, &str); 2] = [("alpine", "/bin/sh"), ("busybox", "sh")];
/// By this the stand-in is told from the image itself.
const COMMENT: &str = "an offline image that was installed with rrun";

/// An image that can stand in for one of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandIn {
    archive: PathBuf,
    command: &'static str,
    name: Reference,
}

/// The image that stands in for `name`, if it was installed.
pub fn stand_in(name: &Reference) -> Option<StandIn> {
    let directory = directory()?;
    let (familiar, command) = KNOWN.into_iter().find(|(known, _)| {
        Reference::parse(known).is_ok_and(|known| known.with_default_tag() == *name)
    })?;
    let archive = directory.join(format!("{familiar}.tar.gz"));
    archive.is_file().then(|| StandIn { archive, command, name: name.clone() })
}

fn directory() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("RRUN_OFFLINE_IMAGES").filter(|path| !path.is_empty()) {
        return Some(path.into());
    }
    let program = std::env::current_exe().ok()?;
    Some(program.parent()?.parent()?.join("share/rrun/images"))
}

impl StandIn {
    /// The archive that it is made of.
    pub fn archive(&self) -> &Path {
        &self.archive
    }

    /// Makes the image, unless its name stands for another one: that stays. Was it made?
    pub fn take(&self, store: &ImageStore) -> Result<Option<Digest>, ImageError> {
        let before = store.find(&self.name.to_string())?;
        if before.is_some_and(|image| image.comment != COMMENT) {
            return Ok(None);
        }
        let failed = |e| StoreError::io("open", &self.archive, e);
        let file = File::open(&self.archive).map_err(failed)?;
        // The same archive is the same image, whenever it is taken.
        let modified = file.metadata().and_then(|m| m.modified()).map_err(failed)?;
        let created = jiff::Timestamp::try_from(modified).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let wanted = Import {
            config: ImageConfig { cmd: vec![self.command.into()], ..ImageConfig::default() },
            comment: COMMENT.into(),
            platform: Platform::host(),
            reference: Some(self.name.clone()),
            created: created.to_string(),
        };
        let imported = store.import(file, &wanted, &Limits::default())?;
        Ok(Some(imported.id))
    }
}
