//! HostConfig of `inspect`: what the user asked for, in Docker's shape and order.

use serde_json::{Map, Value, json};

use super::mounts::SHM_BYTES;
use super::options::{Limits, NetworkMode, RunOptions, Ulimit};
use super::ports;
use super::restart::RestartPolicy;
use super::spec::masked_paths;
use crate::config::default_spec::READONLY_PATHS;
use crate::config::request::{
    BindRequest, CopyUp, ImageRequest, MissingSource, MountKind, MountRequest, ReadOnly, Recursion,
    Style, TmpfsRequest, VolumeRequest,
};
use crate::config::secret::masked;

/// HostConfig of a container with these options.
pub fn host_config(options: &RunOptions) -> Value {
    let RunOptions { limits, log, .. } = options;
    let host = options.network.mode == NetworkMode::Host;
    let mut config = json!({
        "Binds": list(options.mounts.iter().filter_map(MountRequest::bind_text).collect()),
        "ContainerIDFile": "",
        "LogConfig": {"Type": log.driver.word(), "Config": log.options},
        "NetworkMode": options.network.mode.word(),
        "PortBindings": ports::bindings(&options.network.ports),
        "RestartPolicy": restart_policy(options.restart),
        "AutoRemove": options.remove,
        "VolumeDriver": options.volume_driver,
        "VolumesFrom": list(options.volumes_from.iter().map(|from| from.text.clone()).collect()),
        "ConsoleSize": [0, 0],
        "CapAdd": capabilities(&limits.cap_add),
        "CapDrop": capabilities(&limits.cap_drop),
        "CgroupnsMode": "private",
        "Dns": [],
        "DnsOptions": [],
        "DnsSearch": [],
        "ExtraHosts": null,
        "GroupAdd": null,
        "IpcMode": "private",
        "Cgroup": "",
        "Links": null,
        "OomScoreAdj": 0,
        "PidMode": "",
        "Privileged": limits.privileged,
        "PublishAllPorts": false,
        "ReadonlyRootfs": limits.read_only_root,
        "SecurityOpt": list(limits.security.clone()),
        "Tmpfs": tmpfs(&options.mounts),
        "UTSMode": if host { "host" } else { "" },
        "UsernsMode": "",
        "ShmSize": limits.shm_size.unwrap_or(SHM_BYTES),
        "Runtime": "rrun",
        "Isolation": "",
        "Mounts": list_of(options.mounts.iter().filter_map(mount).collect()),
    });
    if let Some(fields) = config.as_object_mut() {
        let rare = |name: &str| matches!(name, "Tmpfs" | "Mounts");
        fields.retain(|name, value| !(rare(name) && value.is_null()));
        // What a host has to give stands between Isolation and Mounts.
        let mounts = fields.shift_remove("Mounts");
        fields.append(&mut resources(limits));
        fields.extend(mounts.map(|mounts| ("Mounts".into(), mounts)));
        fields.append(&mut hidden_paths(limits));
    }
    config
}

fn restart_policy(policy: RestartPolicy) -> Value {
    json!({"Name": policy.word(), "MaximumRetryCount": policy.retries()})
}

fn resources(limits: &Limits) -> Map<String, Value> {
    let pairs = [
        ("CpuShares", json!(0)),
        ("Memory", json!(limits.memory.unwrap_or(0))),
        ("NanoCpus", json!(limits.nano_cpus.unwrap_or(0))),
        ("CgroupParent", json!("")),
        ("CpusetCpus", json!("")),
        ("CpusetMems", json!("")),
        ("Devices", json!([])),
        ("DeviceCgroupRules", Value::Null),
        ("DeviceRequests", Value::Null),
        ("MemoryReservation", json!(0)),
        // As much swap as memory, together twice: what Docker gives where only memory is limited.
        ("MemorySwap", json!(limits.memory.unwrap_or(0).saturating_mul(2))),
        ("OomKillDisable", Value::Null),
        ("PidsLimit", json!(limits.pids)),
        ("Ulimits", limits.ulimits.iter().map(ulimit).collect()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn ulimit(limit: &Ulimit) -> Value {
    // -1 is no limit.
    let number = |n: u64| if n == u64::MAX { json!(-1) } else { json!(n) };
    json!({"Name": limit.name, "Hard": number(limit.hard), "Soft": number(limit.soft)})
}

fn hidden_paths(limits: &Limits) -> Map<String, Value> {
    let (masked, read_only) = match limits.privileged {
        true => (Value::Null, Value::Null),
        false => (json!(masked_paths()), json!(READONLY_PATHS)),
    };
    let pairs = [("MaskedPaths", masked), ("ReadonlyPaths", read_only)];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Go's nil for an empty list.
fn list(words: Vec<String>) -> Value {
    list_of(words.into_iter().map(Value::from).collect())
}

fn list_of(values: Vec<Value>) -> Value {
    if values.is_empty() { Value::Null } else { values.into() }
}

/// Docker writes the kernel's names.
fn capabilities(names: &[String]) -> Value {
    let canonical = |name: &String| match name.to_ascii_uppercase() {
        name if name == "ALL" || name.starts_with("CAP_") => name,
        name => format!("CAP_{name}"),
    };
    list(names.iter().map(canonical).collect())
}

/// `--tmpfs` (V10.07); null where there is none.
fn tmpfs(mounts: &[MountRequest]) -> Value {
    let pairs = mounts
        .iter()
        .filter(|mount| mount.style == Style::Tmpfs)
        .map(|mount| (mount.target_text.clone(), Value::from(mount.mode.as_str())));
    let mut map: Map<String, Value> = pairs.collect();
    map.sort_keys();
    if map.is_empty() { Value::Null } else { map.into() }
}

/// A request of `--mount` (V10.08).
fn mount(request: &MountRequest) -> Option<Value> {
    if request.style != Style::Mount {
        return None;
    }
    let (kind, source, options) = match &request.kind {
        MountKind::Volume(volume) => {
            let name = volume.source.as_ref().map(ToString::to_string);
            ("volume", name, ("VolumeOptions", volume_options(volume)))
        }
        MountKind::Bind(bind) => {
            let source = Some(bind.source_text.clone());
            ("bind", source, ("BindOptions", bind_options(bind, request.read_only)))
        }
        MountKind::Tmpfs(tmpfs) => ("tmpfs", None, ("TmpfsOptions", tmpfs_options(tmpfs))),
        MountKind::Image(image) => {
            let source = Some(image.reference.clone());
            ("image", source, ("ImageOptions", image_options(image)))
        }
    };
    let mut shown = Map::new();
    shown.insert("Type".into(), kind.into());
    shown.extend(source.map(|source| ("Source".into(), source.into())));
    shown.insert("Target".into(), request.target_text.as_str().into());
    if request.read_only != ReadOnly::No {
        shown.insert("ReadOnly".into(), true.into());
    }
    let (name, options) = options;
    if !options.is_empty() {
        shown.insert(name.into(), options.into());
    }
    Some(shown.into())
}

/// Go's omitempty: what is null, false or empty is left out.
fn present<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::String(text) => text.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    let pairs = pairs.into_iter().filter(|(_, value)| !empty(value));
    pairs.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn volume_options(volume: &VolumeRequest) -> Map<String, Value> {
    let options = masked(&volume.driver_options);
    let driver = present([("Name", json!(volume.driver)), ("Options", json!(options))]);
    present([
        ("NoCopy", json!(volume.copy_up == CopyUp::No)),
        ("Labels", json!(volume.labels)),
        ("Subpath", json!(volume.subpath)),
        ("DriverConfig", driver.into()),
    ])
}

fn bind_options(bind: &BindRequest, read_only: ReadOnly) -> Map<String, Value> {
    let top_only = read_only == ReadOnly::TopOnly;
    present([
        ("Propagation", json!(bind.propagation)),
        ("NonRecursive", json!(bind.recursion == Recursion::Disabled)),
        ("CreateMountpoint", json!(bind.missing == MissingSource::Create)),
        ("ReadOnlyNonRecursive", json!(top_only && bind.recursion == Recursion::Enabled)),
        ("ReadOnlyForceRecursive", json!(read_only == ReadOnly::RecursiveStrict)),
    ])
}

fn tmpfs_options(tmpfs: &TmpfsRequest) -> Map<String, Value> {
    present([("SizeBytes", json!(tmpfs.size_bytes)), ("Mode", json!(tmpfs.mode))])
}

fn image_options(image: &ImageRequest) -> Map<String, Value> {
    present([("Subpath", json!(image.subpath))])
}
