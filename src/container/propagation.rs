//! Whether the host's mounts allow the propagation that a bind asks for (V1.11).

use std::path::{Path, PathBuf};

use super::error::ContainerError;
use crate::config::propagation::Propagation;

/// `shared` needs a source on a shared mount, `slave` one on a shared or slave mount.
pub fn check(source: &Path, wanted: Option<Propagation>) -> Result<(), ContainerError> {
    let Some(wanted) = wanted.filter(|p| p.is_shared() || p.is_slave()) else { return Ok(()) };
    let path = source.canonicalize().map_err(|e| ContainerError::io("realpath", source, e))?;
    let text = std::fs::read_to_string("/proc/self/mountinfo")
        .map_err(|e| ContainerError::io("open", "/proc/self/mountinfo", e))?;
    let (mount, fields) = mount_of(&text, &path);
    let shared = fields.contains("shared:");
    let allowed = shared || (wanted.is_slave() && fields.contains("master:"));
    if allowed {
        return Ok(());
    }
    Err(ContainerError::Propagation {
        path: source.display().to_string(),
        mount: mount.display().to_string(),
        wanted: if wanted.is_shared() { "shared" } else { "shared or slave" },
    })
}

/// The mount that `path` is on, and its optional fields.
fn mount_of(mountinfo: &str, path: &Path) -> (PathBuf, String) {
    let mut best = (PathBuf::from("/"), String::new());
    for line in mountinfo.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let Some(point) = fields.get(4).map(|point| PathBuf::from(unescape(point))) else {
            continue;
        };
        // Of mounts on one place the last one is on top.
        if path.starts_with(&point) && point.components().count() >= best.0.components().count() {
            let optional = fields[6..].iter().take_while(|field| **field != "-");
            best = (point, optional.copied().collect::<Vec<_>>().join(" "));
        }
    }
    best
}

/// mountinfo writes blanks, tabs, newlines and backslashes as three octal digits.
fn unescape(text: &str) -> String {
    let octal = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    octal.iter().fold(text.to_owned(), |text, (code, plain)| text.replace(code, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The deepest mount counts, and of several at one place the last.
    #[test]
    fn the_mount_of_a_path() {
        let text = "1 0 8:1 / / rw shared:1 - ext4 a rw\n\
                    2 1 8:2 / /mnt rw - ext4 b rw\n\
                    3 1 8:2 / /mnt rw master:7 - ext4 b rw\n\
                    4 1 8:3 / /with\\040blank rw shared:9 - tmpfs c rw\n";
        let of = |path: &str| mount_of(text, Path::new(path)).1;
        assert_eq!(of("/etc"), "shared:1");
        assert_eq!(of("/mnt/x"), "master:7");
        assert_eq!(of("/mntx"), "shared:1");
        assert_eq!(of("/with blank/x"), "shared:9");
    }
}
