//! A container's files while it does not run: its layers as one tree, read-only and detached.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::io::Errno;

use super::error::ContainerError;
use crate::config::path::RootPath;
use crate::sys::mount;
use crate::sys::path::{Links, open_in_root, open_place};
use crate::tree::SourceKind;

/// The merged tree of some directories.
#[derive(Debug)]
pub struct View {
    root: OwnedFd,
    /// Is it merged, or one layer as it is?
    pub kind: SourceKind,
}

impl View {
    /// The tree of `layers`, the topmost first. Nothing is attached: the mount is gone with the
    /// last descriptor.
    pub fn open(layers: &[PathBuf]) -> Result<Self, ContainerError> {
        match layers {
            // Overlay takes no single directory without an upper one (EINVAL, Linux 6.18).
            [layer] => {
                let root =
                    open_place(CWD, layer).map_err(|e| ContainerError::io("open", layer, e))?;
                Ok(Self { root, kind: SourceKind::Layer })
            }
            _ => {
                let root = overlay(layers).map_err(|e| {
                    ContainerError::io(
                        "fsopen(overlay)",
                        layers.first().cloned().unwrap_or_default(),
                        e,
                    )
                })?;
                Ok(Self { root, kind: SourceKind::Tree })
            }
        }
    }

    /// What is at `path`; links lead inside only. `None` if there is nothing.
    pub fn lookup(&self, path: &RootPath) -> Result<Option<OwnedFd>, Errno> {
        match open_in_root(&self.root, Path::new(path.as_str()), Links::InRoot) {
            Ok(place) => Ok(Some(place)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(errno),
        }
    }
}

impl AsFd for View {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.root.as_fd()
    }
}

fn overlay(layers: &[PathBuf]) -> Result<OwnedFd, Errno> {
    let context = mount::fsopen("overlay")?;
    for layer in layers {
        let directory = open_place(CWD, layer)?;
        if mount::fsconfig_fd(&context, "lowerdir+", &directory).is_err() {
            // Before Linux 6.18 a directory goes in as text; this one has no length problem.
            let number = std::os::fd::AsRawFd::as_raw_fd(&directory);
            mount::fsconfig_string(&context, "lowerdir+", &format!("/proc/self/fd/{number}"))?;
        }
    }
    mount::fsconfig_create(&context)?;
    mount::fsmount(&context, crate::config::mount_option::attribute::RDONLY)
}
