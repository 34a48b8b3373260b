//! The OCI config of a container: what `run`'s options mean to a runtime.
//!
//! The config says it all but two things: what the user typed for each mount, and which sources
//! must not leave a directory. These go along as notes.

use std::path::Path;

use oci_spec::OciSpecError;
use oci_spec::runtime::{
    BoxBuilder, LinuxBuilder, LinuxCapabilitiesBuilder, LinuxCpuBuilder, LinuxMemoryBuilder,
    LinuxNamespaceBuilder, LinuxNamespaceType, LinuxPidsBuilder, LinuxResources,
    LinuxResourcesBuilder, PosixRlimit, PosixRlimitBuilder, Process, ProcessBuilder, RootBuilder,
    Spec, SpecBuilder, UserBuilder,
};

use super::error::ContainerError;
use super::mounts::{self, Noted};
use super::options::{Limits, NetworkMode};
use super::record::ContainerRecord;
use super::surroundings::Surroundings;
use crate::config::capability::{self, CapabilitySet};
use crate::config::default_spec::{MASKED_PATHS, READONLY_PATHS};
use crate::config::path::HostPath;
use crate::config::seccomp::profile::{self, Host};
use crate::plan::compile::{MountNote, OverlayDirectories, RootSource};

/// A container's config and what goes along with it.
#[derive(Debug)]
pub struct ContainerSpec {
    /// The config.
    pub spec: Spec,
    /// A note for each of its mounts.
    pub notes: Vec<MountNote>,
    /// Its root file system.
    pub root: RootSource,
}

/// Writes the config of a container.
pub fn spec(
    record: &ContainerRecord,
    around: &Surroundings<'_>,
) -> Result<ContainerSpec, ContainerError> {
    let noted = mounts::all(record, around)?;
    let (mounts, notes) = noted.into_iter().map(|Noted { mount, note }| (mount, note)).unzip();
    let spec = build(record, around, mounts)?;
    let path = |name: &str| HostPath::new(around.directory.join(name));
    let root = RootSource::Overlay(OverlayDirectories {
        lower: record.layers.iter().map(HostPath::new).collect(),
        upper: path("upper"),
        work: path("work"),
    });
    Ok(ContainerSpec { spec, notes, root })
}

fn build(
    record: &ContainerRecord,
    around: &Surroundings<'_>,
    mounts: Vec<oci_spec::runtime::Mount>,
) -> Result<Spec, OciSpecError> {
    let limits = &record.options.limits;
    let root = RootBuilder::default().path("rootfs").readonly(limits.read_only_root).build()?;
    let capabilities = capabilities(limits, around.kernel.last_capability)?;
    let mut linux =
        LinuxBuilder::default().namespaces(namespaces(record, around.network.as_deref())?);
    if limits.privileged {
        linux = linux.masked_paths(Vec::new()).readonly_paths(Vec::new());
        linux = linux.devices(super::host_devices::all());
    } else {
        linux = linux
            .masked_paths(masked_paths())
            .readonly_paths(READONLY_PATHS.map(String::from).to_vec());
        let host = Host { capabilities, kernel: around.kernel.version };
        if let Some(profile) = seccomp(limits, host)? {
            linux = linux.seccomp(profile);
        }
    }
    linux = linux.resources(resources(limits)?);
    let mut spec = SpecBuilder::default()
        .version("1.2.0")
        .root(root)
        .process(process(record, around, capabilities)?)
        .mounts(mounts)
        .linux(linux.build()?);
    if record.options.network.mode != NetworkMode::Host || record.options.network.hostname.is_some()
    {
        spec = spec.hostname(super::identity::hostname(record));
    }
    if let Some(name) = &record.options.network.domainname {
        spec = spec.domainname(name.clone());
    }
    let mut spec = spec.build()?;
    // The builders fill in defaults of their own where nothing is set.
    if record.options.limits.privileged
        && let Some(linux) = spec.linux_mut()
    {
        linux.set_masked_paths(None).set_readonly_paths(None);
    }
    Ok(spec)
}

/// Paths that the machine has many of are listed as they are here.
pub(super) fn masked_paths() -> Vec<String> {
    let mut paths = MASKED_PATHS.map(String::from).to_vec();
    let cpus = std::fs::read_dir("/sys/devices/system/cpu").into_iter().flatten().flatten();
    for cpu in cpus.filter(|cpu| cpu.file_name().to_string_lossy().starts_with("cpu")) {
        let path = cpu.path().join("thermal_throttle");
        if path.exists() {
            paths.push(path.display().to_string());
        }
    }
    paths
}

fn namespaces(
    record: &ContainerRecord,
    joined: Option<&Path>,
) -> Result<Vec<oci_spec::runtime::LinuxNamespace>, OciSpecError> {
    use LinuxNamespaceType as N;
    let network = &record.options.network.mode;
    [N::Pid, N::Ipc, N::Uts, N::Mount, N::Cgroup, N::Network]
        .into_iter()
        .filter(|kind| *kind != N::Network || *network != NetworkMode::Host)
        .map(|kind| match joined.filter(|_| kind == N::Network) {
            Some(path) => LinuxNamespaceBuilder::default().typ(kind).path(path).build(),
            None => LinuxNamespaceBuilder::default().typ(kind).build(),
        })
        .collect()
}

/// The capabilities that the options leave.
pub fn capability_set(limits: &Limits, last: u8) -> Result<CapabilitySet, ContainerError> {
    let all = CapabilitySet::all(last);
    if limits.privileged {
        return Ok(all);
    }
    Ok(capability::adjust(&limits.cap_add, &limits.cap_drop, all)?)
}

fn capabilities(limits: &Limits, last: u8) -> Result<CapabilitySet, OciSpecError> {
    capability_set(limits, last).map_err(|e| OciSpecError::Other(e.to_string()))
}

fn seccomp(
    limits: &Limits,
    host: Host,
) -> Result<Option<oci_spec::runtime::LinuxSeccomp>, OciSpecError> {
    let wanted = limits.security.iter().find_map(|option| option.strip_prefix("seccomp="));
    match wanted {
        Some("unconfined") => Ok(None),
        // The text of the profile: its file may have changed since.
        Some(text) => {
            let parsed = profile::parse(text, host);
            parsed.map(Some).map_err(|e| OciSpecError::Other(format!("seccomp profile: {e}")))
        }
        None => crate::config::seccomp::default_profile(host.capabilities).map(Some),
    }
}

pub(super) fn process(
    record: &ContainerRecord,
    around: &Surroundings<'_>,
    capabilities: CapabilitySet,
) -> Result<Process, OciSpecError> {
    let (process, options) = (&record.process, &record.options);
    let identity = &around.identity;
    let user = UserBuilder::default()
        .uid(identity.uid)
        .gid(identity.gid)
        .additional_gids(identity.groups.clone())
        .build()?;
    let held = capabilities.to_oci();
    let mut sets = LinuxCapabilitiesBuilder::default()
        .bounding(held.clone())
        .permitted(held.clone())
        .effective(held)
        .inheritable(CapabilitySet::EMPTY.to_oci())
        .ambient(CapabilitySet::EMPTY.to_oci());
    if identity.uid != 0 {
        // A user other than root has what its programs give it, within the bounding set.
        let none = CapabilitySet::EMPTY.to_oci();
        sets = sets.permitted(none.clone()).effective(none);
    }
    let args = process.entrypoint.iter().chain(&process.command).cloned().collect::<Vec<_>>();
    let no_new = options.limits.security.iter().any(|option| option == "no-new-privileges");
    let mut built = ProcessBuilder::default()
        .terminal(options.terminal)
        .user(user)
        .args(args)
        .env(environment(record, &identity.home))
        .cwd(process.working_dir.clone())
        .capabilities(sets.build()?)
        .rlimits(rlimits(&options.limits)?)
        .no_new_privileges(no_new);
    if let Some((rows, columns)) = around.terminal_size.filter(|_| options.terminal) {
        let size =
            BoxBuilder::default().height(u64::from(rows)).width(u64::from(columns)).build()?;
        built = built.console_size(size);
    }
    built.build()
}

/// PATH, HOSTNAME, TERM and HOME beside what image and user say (V11.13).
fn environment(record: &ContainerRecord, home: &str) -> Vec<String> {
    let mut env = vec![format!("HOSTNAME={}", super::identity::hostname(record))];
    if record.options.terminal {
        env.push("TERM=xterm".into());
    }
    env.push(format!("HOME={home}"));
    env.extend(record.process.env.iter().cloned());
    env
}

fn rlimits(limits: &Limits) -> Result<Vec<PosixRlimit>, OciSpecError> {
    limits
        .ulimits
        .iter()
        .map(|limit| {
            let name = format!("RLIMIT_{}", limit.name.to_uppercase());
            let typ: oci_spec::runtime::PosixRlimitType =
                serde_json::from_value(serde_json::Value::String(name))?;
            PosixRlimitBuilder::default().typ(typ).soft(limit.soft).hard(limit.hard).build()
        })
        .collect()
}

/// How long a period of the scheduler's accounting is, as Docker has it.
const CPU_PERIOD_US: u64 = 100_000;

fn resources(limits: &Limits) -> Result<LinuxResources, OciSpecError> {
    let mut resources = LinuxResourcesBuilder::default();
    if let Some(bytes) = limits.memory {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        // As much swap again as memory, which is Docker's default.
        let memory = LinuxMemoryBuilder::default().limit(bytes).swap(bytes.saturating_mul(2));
        resources = resources.memory(memory.build()?);
    }
    if let Some(nano) = limits.nano_cpus {
        let quota = i64::try_from(nano / (1_000_000_000 / CPU_PERIOD_US)).unwrap_or(i64::MAX);
        let cpu = LinuxCpuBuilder::default().period(CPU_PERIOD_US).quota(quota);
        resources = resources.cpu(cpu.build()?);
    }
    if let Some(pids) = limits.pids.filter(|pids| *pids > 0) {
        resources = resources.pids(LinuxPidsBuilder::default().limit(pids).build()?);
    }
    if limits.privileged {
        let all = oci_spec::runtime::LinuxDeviceCgroupBuilder::default().allow(true).access("rwm");
        resources = resources.devices(vec![all.build()?]);
    }
    resources.build()
}
