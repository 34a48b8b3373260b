//! A container's files while it does not run: its layers as one tree, read-only and detached.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::io::Errno;

use super::error::ContainerError;
use crate::config::path::RootPath;
use crate::facts::Kernel;
use crate::plan::input::OVERLAY_FEATURES;
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
    pub fn open(layers: &[PathBuf], kernel: Kernel) -> Result<Self, ContainerError> {
        match layers {
            // Overlay takes no single directory without an upper one (EINVAL, Linux 6.18).
            [layer] => {
                let root =
                    open_place(CWD, layer).map_err(|e| ContainerError::io("open", layer, e))?;
                Ok(Self { root, kind: SourceKind::Layer })
            }
            _ => {
                let root = overlay(layers, kernel).map_err(|e| {
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

fn overlay(layers: &[PathBuf], kernel: Kernel) -> Result<OwnedFd, Errno> {
    let context = mount::fsopen("overlay")?;
    for layer in layers {
        let directory = open_place(CWD, layer)?;
        if kernel.overlay_by_descriptor() {
            mount::fsconfig_fd(&context, "lowerdir+", &directory)?;
        } else {
            // Text of more than 255 bytes is refused; this has so many at most.
            let number = directory.as_raw_fd();
            mount::fsconfig_string(&context, "lowerdir+", &format!("/proc/self/fd/{number}"))?;
        }
    }
    for feature in OVERLAY_FEATURES {
        mount::fsconfig_string(&context, feature, "off")?;
    }
    mount::fsconfig_create(&context)?;
    mount::fsmount(&context, crate::config::mount_option::attribute::RDONLY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{Mode, OFlags};

    /// More layers with longer paths than one text could name, by descriptor and as an older
    /// kernel takes them: the topmost layer wins, and all are seen.
    #[test]
    fn many_layers_with_long_paths() -> Result<(), Box<dyn std::error::Error>> {
        if !crate::tree::testing::is_root("many_layers_with_long_paths") {
            return Ok(());
        }
        let scratch = tempfile::tempdir()?;
        let layers: Vec<PathBuf> = (0..14)
            .map(|number| scratch.path().join("deep".repeat(60)).join(format!("layer-{number}")))
            .collect();
        for (number, layer) in layers.iter().enumerate() {
            std::fs::create_dir_all(layer)?;
            std::fs::write(layer.join("name"), number.to_string())?;
            std::fs::write(layer.join(format!("only-{number}")), "")?;
        }
        for version in [(6, 18), (6, 8)] {
            let view = View::open(&layers, Kernel { version, ..Kernel::default() })?;
            let read = |path: &str| rustix::fs::openat(&view, path, OFlags::RDONLY, Mode::empty());
            let mut text = [0; 8];
            let length = rustix::io::read(read("name")?, &mut text)?;
            assert_eq!(&text[..length], b"0");
            for number in 0..layers.len() {
                let path = RootPath::clean(&format!("/only-{number}"));
                assert!(view.lookup(&path)?.is_some(), "{version:?} {number}");
            }
        }
        Ok(())
    }
}
