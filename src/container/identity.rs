//! The files that tell a container who and where it is: hostname, hosts, resolv.conf (V11.08).

use std::fs;
use std::path::Path;

use super::error::ContainerError;
use super::options::NetworkMode;
use super::record::ContainerRecord;

/// The files, by their name in the container's directory and their place in the container.
pub const FILES: [(&str, &str); 3] =
    [("resolv.conf", "/etc/resolv.conf"), ("hostname", "/etc/hostname"), ("hosts", "/etc/hosts")];

/// The name of the host that a container is for its processes.
pub fn hostname(record: &ContainerRecord) -> String {
    match (&record.options.network.hostname, &record.options.network.mode) {
        (Some(name), _) => name.clone(),
        (None, NetworkMode::Host) => {
            rustix::system::uname().nodename().to_string_lossy().into_owned()
        }
        (None, _) => record.id[..12].into(),
    }
}

/// Writes the files below `directory`/etc.
pub fn write(directory: &Path, record: &ContainerRecord) -> Result<(), ContainerError> {
    let etc = directory.join("etc");
    fs::create_dir(&etc).map_err(|e| ContainerError::io("mkdir", &etc, e))?;
    let name = hostname(record);
    let hosts = match &record.options.network.mode {
        NetworkMode::Host => fs::read_to_string("/etc/hosts").unwrap_or_default(),
        _ => hosts(&name),
    };
    let resolv = match &record.options.network.mode {
        NetworkMode::Host | NetworkMode::Pasta => {
            fs::read_to_string("/etc/resolv.conf").unwrap_or_default()
        }
        // Nobody can be asked without a network.
        NetworkMode::None | NetworkMode::Container(_) => String::new(),
    };
    for (file, text) in
        [("hostname", format!("{name}\n")), ("hosts", hosts), ("resolv.conf", resolv)]
    {
        let path = etc.join(file);
        fs::write(&path, text).map_err(|e| ContainerError::io("write", &path, e))?;
    }
    Ok(())
}

fn hosts(name: &str) -> String {
    format!(
        "127.0.0.1\tlocalhost {name}\n\
         ::1\tlocalhost ip6-localhost ip6-loopback {name}\n\
         fe00::\tip6-localnet\n\
         ff00::\tip6-mcastprefix\n\
         ff02::1\tip6-allnodes\n\
         ff02::2\tip6-allrouters\n"
    )
}
