//! A container in Docker's shape, as `inspect` prints it: record and state as JSON. The order of
//! the keys is Docker's.
//!
//! What rrun does not have is left out, unless scripts rely on the key: then it has the value that
//! says so.

#[cfg(test)]
mod tests;

use std::path::Path;

use serde_json::{Map, Value, json};

use super::freezer::status_word;
use super::host_config::host_config;
use super::identity::hostname;
use super::log::Form;
use super::options::LogDriver;
use super::ports;
use super::record::{ContainerRecord, ContainerState, Listed, Mounted, ResolvedMount, Status};
use super::store::Container;
use crate::config::request::ReadOnly;
use crate::volume::store::VolumeStore;

/// What a time that never was is called.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// What `inspect` prints for a container (V12.23).
pub fn inspect(container: &Container, volumes: &VolumeStore) -> Value {
    let Container { record, state, directory } = container;
    let etc = |name: &str| directory.join("etc").join(name).display().to_string();
    let mut argv = record.process.entrypoint.iter().chain(&record.process.command);
    json!({
        "Id": record.id,
        "Created": record.created,
        "Path": argv.next(),
        "Args": argv.collect::<Vec<_>>(),
        "State": state_of(container),
        "Image": record.image_id,
        "ResolvConfPath": etc("resolv.conf"),
        "HostnamePath": etc("hostname"),
        "HostsPath": etc("hosts"),
        "LogPath": log_path(container),
        "Name": format!("/{}", record.name),
        "RestartCount": state.restarts,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": null,
        "HostConfig": host_config(&record.options),
        "GraphDriver": graph_driver(record, directory),
        "Mounts": mounts(&record.mounts, volumes),
        "Config": config(record),
        "NetworkSettings": network(record, state),
    })
}

fn state_of(container: &Container) -> Value {
    let state = &container.state;
    let word = status_word(container);
    let paused = word == "paused";
    let time = |text: &str| if text.is_empty() { NEVER.to_owned() } else { text.to_owned() };
    json!({
        "Status": word,
        "Running": state.status.has_supervisor(),
        "Paused": paused,
        "Restarting": state.status == Status::Restarting,
        "OOMKilled": false,
        "Dead": false,
        "Pid": state.pid,
        "ExitCode": state.exit_code,
        "Error": state.error,
        "StartedAt": time(&state.started),
        "FinishedAt": time(&state.finished),
    })
}

/// Where Docker's readers find the output; empty where there is nothing for them.
fn log_path(container: &Container) -> String {
    let json = container.record.options.log.driver == LogDriver::JsonFile;
    match json && !container.state.started.is_empty() {
        true => container.directory.join(Form::Json.file_name()).display().to_string(),
        false => String::new(),
    }
}

fn graph_driver(record: &ContainerRecord, directory: &Path) -> Value {
    let lower: Vec<String> = record.layers.iter().map(|path| path.display().to_string()).collect();
    json!({
        "Data": {
            "ID": record.id,
            "LowerDir": lower.join(":"),
            "UpperDir": directory.join("upper"),
            "WorkDir": directory.join("work"),
        },
        "Name": "overlay2",
    })
}

/// V10: a line for each mount but those of `--tmpfs`, by destination.
fn mounts(mounts: &[ResolvedMount], volumes: &VolumeStore) -> Vec<Value> {
    let mut shown: Vec<&ResolvedMount> = mounts.iter().filter(|mount| is_listed(mount)).collect();
    shown.sort_by(|a, b| a.target.cmp(&b.target));
    shown.into_iter().map(|mount| mount_point(mount, volumes)).collect()
}

fn is_listed(mount: &ResolvedMount) -> bool {
    !matches!(mount.what, Mounted::Tmpfs { listed: Listed::InHostConfig, .. })
}

/// V10.08: Name and Driver are missing where there is none.
fn mount_point(mount: &ResolvedMount, volumes: &VolumeStore) -> Value {
    let propagation = mount.propagation.map_or("rprivate", |propagation| propagation.word());
    let (kind, name, source, driver, propagation) = match &mount.what {
        Mounted::Volume { name, driver, .. } => {
            let source = volumes.data_path(name).display().to_string();
            ("volume", Some(name.to_string()), source, Some(driver.clone()), "")
        }
        Mounted::Bind { source, .. } => ("bind", None, source.to_string(), None, propagation),
        Mounted::Tmpfs { .. } => ("tmpfs", None, String::new(), None, ""),
        Mounted::Image { reference, layers, .. } => {
            let source = layers.first().map(|top| top.display().to_string()).unwrap_or_default();
            ("image", Some(reference.clone()), source, None, "rprivate")
        }
    };
    let mut point = Map::new();
    point.insert("Type".into(), kind.into());
    point.extend(name.map(|name| ("Name".into(), name.into())));
    point.insert("Source".into(), source.into());
    point.insert("Destination".into(), mount.target.as_str().into());
    point.extend(driver.map(|driver| ("Driver".into(), driver.into())));
    point.insert("Mode".into(), mount.mode.as_str().into());
    // An image's files are never written, whatever the request says.
    let writable = mount.read_only == ReadOnly::No && !matches!(mount.what, Mounted::Image { .. });
    point.insert("RW".into(), writable.into());
    point.insert("Propagation".into(), propagation.into());
    point.into()
}

fn config(record: &ContainerRecord) -> Value {
    let ContainerRecord { options, process, .. } = record;
    let attached = options.interactive;
    let mut config = json!({
        "Hostname": hostname(record),
        "Domainname": options.network.domainname.as_deref().unwrap_or_default(),
        "User": process.user,
        "AttachStdin": attached,
        "AttachStdout": true,
        "AttachStderr": true,
        "ExposedPorts": set(&process.exposed_ports),
        "Tty": options.terminal,
        "OpenStdin": attached,
        "StdinOnce": attached,
        "Env": process.env,
        "Cmd": list(&process.command),
        "Image": options.image,
        "Volumes": set(&process.volumes),
        "WorkingDir": process.working_dir,
        "Entrypoint": list(&process.entrypoint),
        "OnBuild": null,
        "Labels": process.labels,
        "StopSignal": process.stop_signal,
    });
    if let Some(fields) = config.as_object_mut() {
        let rare = |name: &str| matches!(name, "ExposedPorts" | "StopSignal");
        fields.retain(|name, value| !(rare(name) && value.is_null()));
    }
    config
}

/// Go's nil for an empty list.
fn list(words: &[String]) -> Value {
    if words.is_empty() { Value::Null } else { words.into() }
}

/// Go's set: an object with empty objects, its keys in order; nil where it is empty.
fn set(names: &[String]) -> Value {
    let mut set: Map<String, Value> = names.iter().map(|name| (name.clone(), json!({}))).collect();
    set.sort_keys();
    if set.is_empty() { Value::Null } else { set.into() }
}

fn network(record: &ContainerRecord, state: &ContainerState) -> Value {
    let mode = record.options.network.mode.word();
    json!({
        "Bridge": "",
        "SandboxID": "",
        "SandboxKey": "",
        "Ports": ports::settings(record, state),
        // Of the default network: no longer Docker's, but what scripts ask for.
        "EndpointID": "",
        "Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "IPAddress": "",
        "IPPrefixLen": 0,
        "IPv6Gateway": "",
        "MacAddress": "",
        "Networks": {
            mode: {
                "IPAMConfig": null,
                "Links": null,
                "Aliases": null,
                "MacAddress": "",
                "DriverOpts": null,
                "NetworkID": "",
                "EndpointID": "",
                "Gateway": "",
                "IPAddress": "",
                "IPPrefixLen": 0,
                "IPv6Gateway": "",
                "GlobalIPv6Address": "",
                "GlobalIPv6PrefixLen": 0,
                "DNSNames": null,
            },
        },
    })
}
