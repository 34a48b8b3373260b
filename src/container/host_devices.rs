//! The devices of the host, for a privileged container.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use oci_spec::runtime::{LinuxDevice, LinuxDeviceBuilder, LinuxDeviceType};

/// Directories of /dev that a container has of its own.
const OWN: [&str; 4] = ["/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/fd"];

/// All device nodes below the host's /dev.
pub fn all() -> Vec<LinuxDevice> {
    let mut devices = Vec::new();
    collect(Path::new("/dev"), &mut devices);
    devices
}

fn collect(directory: &Path, devices: &mut Vec<LinuxDevice>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(seen) = entry.metadata() else { continue };
        if seen.is_dir() && !OWN.iter().any(|own| path == Path::new(own)) {
            collect(&path, devices);
        }
        let kind = match seen.file_type() {
            kind if kind.is_char_device() => LinuxDeviceType::C,
            kind if kind.is_block_device() => LinuxDeviceType::B,
            _ => continue,
        };
        if path == Path::new("/dev/console") || path == Path::new("/dev/ptmx") {
            continue;
        }
        let number = seen.rdev();
        let device = LinuxDeviceBuilder::default()
            .path(path)
            .typ(kind)
            .major(i64::from(rustix::fs::major(number)))
            .minor(i64::from(rustix::fs::minor(number)))
            .file_mode(seen.mode() & 0o7777)
            .uid(seen.uid())
            .gid(seen.gid())
            .build();
        devices.extend(device);
    }
}
