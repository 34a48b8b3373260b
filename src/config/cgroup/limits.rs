//! `linux.resources` into writes: which file of which controller gets what.
//!
//! A limit that is asked for is written or refused, never lost: the only error is a set limit
//! without a controller on this host (or, for a few of v1's, without any counterpart on v2).
//! Devices are not files of limits: see `device`.

use oci_spec::runtime::{LinuxCpu, LinuxMemory, LinuxResources};

use super::layout::{CgroupHost, Version};

/// A limit that this host cannot keep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// The controller is not there.
    #[error("{limit} needs the cgroup controller {controller}, which this host does not have")]
    NoController {
        /// The limit, as in the config.
        limit: String,
        /// Its controller.
        controller: String,
    },
    /// `unified` is for the unified hierarchy.
    #[error("unified {file}: this host has no cgroup2 hierarchy with the controller {controller}")]
    NotUnified {
        /// The file asked for.
        file: String,
        /// Its controller.
        controller: String,
    },
    /// The controller is there, and cannot do it.
    #[error("{limit} is not supported on cgroup v2")]
    NotOnV2 {
        /// The limit, as in the config.
        limit: String,
    },
    /// memory+swap is a sum, of which the memory must be known.
    #[error("memory.swap {swap} needs a memory.limit that is not larger")]
    SwapWithoutLimit {
        /// The sum asked for.
        swap: i64,
    },
    /// A name that would leave the cgroup's directory, or end the line.
    #[error("{limit}: malformed name {name:?}")]
    MalformedName {
        /// The limit, as in the config.
        limit: String,
        /// The name given.
        name: String,
    },
}

/// One write into the container's cgroup.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CgroupWrite {
    /// The controller, which says the hierarchy; `cgroup` for the core files of v2.
    pub controller: String,
    /// The interface that the file belongs to.
    pub version: Version,
    /// The file's name.
    pub file: String,
    /// What is written, in one write(2).
    pub value: String,
    /// What to do where the file is missing.
    pub if_absent: IfAbsent,
}

/// A kernel may be built without a file, also where its controller is there.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum IfAbsent {
    /// The limit cannot be kept: fail.
    Refuse,
    /// Nothing is lost: go on.
    Skip,
    /// The same limit has another file.
    Instead {
        /// That file.
        file: String,
        /// And its value.
        value: String,
    },
}

impl CgroupWrite {
    /// Must it wait until the container's process is in the cgroup? A limit of no processes at
    /// all also refuses the clone into the cgroup.
    pub fn waits_for_process(&self) -> bool {
        self.file == "pids.max" && self.value == "0"
    }

    /// The same, with another answer to a missing file.
    #[must_use]
    pub(super) fn if_absent(mut self, what: IfAbsent) -> Self {
        self.if_absent = what;
        self
    }
}

/// A negative limit is none.
pub(super) fn or_max(limit: i64) -> String {
    if limit < 0 { "max".into() } else { limit.to_string() }
}

/// v1 knows "none" as -1.
fn or_minus_one(limit: i64) -> String {
    limit.max(-1).to_string()
}

/// Shares (2 to 262144, 1024 the default) as a weight (1 to 10000), by the line that runc and
/// crun draw between the ends. 0 means not set.
pub fn weight_of_shares(shares: u64) -> Option<u64> {
    let within = shares.clamp(2, 262_144);
    (shares > 0).then(|| 1 + (within - 2) * 9999 / 262_142)
}

/// The writes, as they are found.
pub(super) struct Writer<'a> {
    pub(super) host: &'a CgroupHost,
    pub(super) writes: Vec<CgroupWrite>,
}

impl Writer<'_> {
    /// Where the controller of a limit is.
    pub(super) fn find(&self, controller: &str, limit: &str) -> Result<Version, LimitError> {
        self.host.controller(controller).ok_or_else(|| LimitError::NoController {
            limit: limit.into(),
            controller: controller.into(),
        })
    }

    pub(super) fn add(&mut self, write: CgroupWrite) {
        self.writes.push(write);
    }

    pub(super) fn push(
        &mut self,
        (controller, version): (&str, Version),
        file: &str,
        value: String,
    ) {
        self.add(write(controller, version, file, value));
    }

    pub(super) fn memory(&mut self, memory: &LinuxMemory) -> Result<(), LimitError> {
        let set = [memory.limit(), memory.swap(), memory.reservation(), memory.kernel_tcp()];
        let asked = set.iter().flatten().any(|value| *value != 0)
            || memory.swappiness().is_some()
            || memory.disable_oom_killer() == Some(true);
        if !asked {
            return Ok(());
        }
        match self.find("memory", "memory")? {
            Version::V1 => self.memory_v1(memory),
            Version::V2 => self.memory_v2(memory)?,
        }
        Ok(())
    }

    fn memory_v1(&mut self, memory: &LinuxMemory) {
        let set = |value: Option<i64>| value.filter(|value| *value != 0);
        // The sum may never be below the limit: a new cgroup has none of both, so limit first.
        // Without a limit the sum must go as well, for the same reason.
        let swap = set(memory.swap()).or(memory.limit().filter(|limit| *limit < 0));
        if let Some(limit) = set(memory.limit()) {
            self.push(("memory", Version::V1), "memory.limit_in_bytes", or_minus_one(limit));
        }
        if let Some(swap) = swap {
            // A kernel that does not count swap has no file: "no limit" is what it does anyway.
            let absent = if swap < 0 { IfAbsent::Skip } else { IfAbsent::Refuse };
            let file = "memory.memsw.limit_in_bytes";
            self.add(write("memory", Version::V1, file, or_minus_one(swap)).if_absent(absent));
        }
        if let Some(reservation) = set(memory.reservation()) {
            let value = or_minus_one(reservation);
            self.push(("memory", Version::V1), "memory.soft_limit_in_bytes", value);
        }
        if let Some(tcp) = set(memory.kernel_tcp()) {
            let file = "memory.kmem.tcp.limit_in_bytes";
            self.push(("memory", Version::V1), file, or_minus_one(tcp));
        }
        if let Some(swappiness) = memory.swappiness() {
            self.push(("memory", Version::V1), "memory.swappiness", swappiness.to_string());
        }
        if memory.disable_oom_killer() == Some(true) {
            self.push(("memory", Version::V1), "memory.oom_control", "1".into());
        }
    }

    /// Swappiness, the OOM killer's switch and TCP's memory have no file of v2; as in runc and
    /// crun they are hints there.
    fn memory_v2(&mut self, memory: &LinuxMemory) -> Result<(), LimitError> {
        let set = |value: Option<i64>| value.filter(|value| *value != 0);
        let limit = set(memory.limit());
        if let Some(limit) = limit {
            self.push(("memory", Version::V2), "memory.max", or_max(limit));
        }
        let swap = match (set(memory.swap()), limit) {
            (Some(swap), _) if swap < 0 => Some(-1),
            (Some(swap), Some(limit)) if limit > 0 && swap >= limit => Some(swap - limit),
            (Some(swap), _) => return Err(LimitError::SwapWithoutLimit { swap }),
            (None, Some(limit)) if limit < 0 => Some(-1),
            (None, _) => None,
        };
        if let Some(swap) = swap {
            // Without the file there is no swap: none and no limit are then both true.
            let absent = if swap <= 0 { IfAbsent::Skip } else { IfAbsent::Refuse };
            let file = "memory.swap.max";
            self.add(write("memory", Version::V2, file, or_max(swap)).if_absent(absent));
        }
        if let Some(reservation) = set(memory.reservation()) {
            self.push(("memory", Version::V2), "memory.low", or_max(reservation));
        }
        Ok(())
    }

    pub(super) fn cpu(&mut self, cpu: &LinuxCpu) -> Result<(), LimitError> {
        let shares = cpu.shares().filter(|shares| *shares != 0);
        let quota = cpu.quota().filter(|quota| *quota != 0);
        let period = cpu.period().filter(|period| *period != 0);
        let realtime = cpu.realtime_runtime().is_some_and(|value| value != 0)
            || cpu.realtime_period().is_some_and(|value| value != 0);
        let asked = shares.is_some() || quota.is_some() || period.is_some() || realtime;
        if !asked && cpu.burst().is_none() && cpu.idle().is_none() {
            return Ok(());
        }
        let version = self.find("cpu", "cpu")?;
        if version == Version::V1 {
            self.cpu_v1(cpu);
            return Ok(());
        }
        if realtime {
            return Err(LimitError::NotOnV2 { limit: "cpu.realtimeRuntime".into() });
        }
        if let Some(idle) = cpu.idle() {
            self.push(("cpu", version), "cpu.idle", idle.to_string());
        }
        // The weight of an idle cgroup is fixed: writing it would be refused.
        if let Some(weight) = shares.and_then(weight_of_shares).filter(|_| cpu.idle() != Some(1)) {
            self.push(("cpu", version), "cpu.weight", weight.to_string());
        }
        if quota.is_some() || period.is_some() {
            let quota = quota.map_or("max".into(), or_max);
            let value = format!("{quota} {}", period.unwrap_or(100_000));
            self.push(("cpu", version), "cpu.max", value);
        }
        if let Some(burst) = cpu.burst() {
            self.push(("cpu", version), "cpu.max.burst", burst.to_string());
        }
        Ok(())
    }

    fn cpu_v1(&mut self, cpu: &LinuxCpu) {
        // The period first: a quota is judged by the period that is there. Burst after the quota
        // that it must not exceed; real time needs its period before its share of it.
        let values = [
            ("cpu.shares", cpu.shares().filter(|value| *value != 0).map(|value| value.to_string())),
            ("cpu.cfs_period_us", non_zero(cpu.period())),
            ("cpu.cfs_quota_us", cpu.quota().filter(|value| *value != 0).map(or_minus_one)),
            ("cpu.cfs_burst_us", cpu.burst().map(|value| value.to_string())),
            ("cpu.rt_period_us", non_zero(cpu.realtime_period())),
            ("cpu.rt_runtime_us", cpu.realtime_runtime().filter(|v| *v != 0).map(or_minus_one)),
            ("cpu.idle", cpu.idle().map(|value| value.to_string())),
        ];
        for (file, value) in values {
            if let Some(value) = value {
                self.push(("cpu", Version::V1), file, value);
            }
        }
    }

    pub(super) fn cpuset(&mut self, cpu: &LinuxCpu) -> Result<(), LimitError> {
        for (file, value) in [("cpuset.cpus", cpu.cpus()), ("cpuset.mems", cpu.mems())] {
            if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
                let version = self.find("cpuset", file)?;
                self.push(("cpuset", version), file, value.clone());
            }
        }
        Ok(())
    }

    pub(super) fn hugetlb(&mut self, resources: &LinuxResources) -> Result<(), LimitError> {
        for limit in resources.hugepage_limits().iter().flatten() {
            let (size, value) = (limit.page_size(), limit.limit());
            let version = self.find("hugetlb", "hugepageLimits")?;
            file_name("hugepageLimits", size)?;
            let (end, value) = match version {
                Version::V1 => ("limit_in_bytes", or_minus_one(value)),
                Version::V2 => ("max", or_max(value)),
            };
            self.push(("hugetlb", version), &format!("hugetlb.{size}.{end}"), value.clone());
            // Reservations are counted since 5.7.
            let file = format!("hugetlb.{size}.rsvd.{end}");
            self.add(write("hugetlb", version, &file, value).if_absent(IfAbsent::Skip));
        }
        Ok(())
    }

    pub(super) fn network(&mut self, resources: &LinuxResources) -> Result<(), LimitError> {
        let Some(network) = resources.network() else { return Ok(()) };
        if let Some(class) = network.class_id().filter(|class| *class != 0) {
            let version = self.find("net_cls", "network.classID")?;
            self.push(("net_cls", version), "net_cls.classid", class.to_string());
        }
        for priority in network.priorities().iter().flatten() {
            let version = self.find("net_prio", "network.priorities")?;
            file_name("network.priorities", priority.name())?;
            let value = format!("{} {}", priority.name(), priority.priority());
            self.push(("net_prio", version), "net_prio.ifpriomap", value);
        }
        Ok(())
    }

    pub(super) fn rdma(&mut self, resources: &LinuxResources) -> Result<(), LimitError> {
        let mut devices: Vec<_> = resources.rdma().iter().flatten().collect();
        devices.sort_by_key(|(device, _)| device.as_str());
        for (device, limit) in devices {
            let version = self.find("rdma", "rdma")?;
            file_name("rdma", device)?;
            let amount = |amount: Option<u32>| amount.map_or("max".into(), |n| n.to_string());
            let (handles, objects) = (amount(limit.hca_handles()), amount(limit.hca_objects()));
            let value = format!("{device} hca_handle={handles} hca_object={objects}");
            self.push(("rdma", version), "rdma.max", value);
        }
        Ok(())
    }

    pub(super) fn unified(&mut self, resources: &LinuxResources) -> Result<(), LimitError> {
        let mut files: Vec<_> = resources.unified().iter().flatten().collect();
        files.sort_by_key(|(file, _)| file.as_str());
        for (file, value) in files {
            file_name("unified", file)?;
            let controller = file.split('.').next().unwrap_or_default();
            let here = self.host.unified.as_ref().is_some_and(|unified| {
                controller == "cgroup" || unified.controllers.contains(controller)
            });
            if !here {
                let (file, controller) = (file.clone(), controller.to_owned());
                return Err(LimitError::NotUnified { file, controller });
            }
            self.push((controller, Version::V2), file, value.clone());
        }
        Ok(())
    }
}

fn non_zero(value: Option<u64>) -> Option<String> {
    value.filter(|value| *value != 0).map(|value| value.to_string())
}

pub(super) fn write(controller: &str, version: Version, file: &str, value: String) -> CgroupWrite {
    CgroupWrite {
        controller: controller.into(),
        version,
        file: file.into(),
        value,
        if_absent: IfAbsent::Refuse,
    }
}

/// A name from the config that becomes a part of a file name or of a line.
fn file_name(limit: &str, name: &str) -> Result<(), LimitError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':');
    if name.is_empty() || name.starts_with('.') || !name.bytes().all(allowed) {
        return Err(LimitError::MalformedName { limit: limit.into(), name: name.into() });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
