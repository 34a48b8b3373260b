//! What a config asks of the host beside mounts: a cgroup with limits and device rules, and a
//! filter of system calls. They become values that a plan is compiled from.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use oci_spec::runtime::Spec;

use super::seccomp::SeccompError;
use super::seccomp::cache::compile_cached;
use crate::config::cgroup::device::{self, DeviceRuleError};
use crate::config::cgroup::layout::{CgroupHost, Version};
use crate::config::cgroup::limits::{CgroupWrite, LimitError};
use crate::config::cgroup::path::{CgroupPath, CgroupPathError};
use crate::config::cgroup::resources::writes;
use crate::config::cgroup::site::{Site, sites};
use crate::facts::cgroup::may_make;
use crate::plan::compile::Input;
use crate::plan::input::{CgroupDirectory, CgroupRequest};
use crate::plan::step::{DeviceProgram, Program};

/// Why a config asks for what this host cannot give.
#[derive(Debug, thiserror::Error)]
pub enum ResourceError {
    /// The cgroup's path.
    #[error("/linux/cgroupsPath: {0}")]
    Path(#[from] CgroupPathError),
    /// A limit.
    #[error("/linux/resources: {0}")]
    Limit(#[from] LimitError),
    /// A device rule.
    #[error("/linux/resources/devices: {0}")]
    DeviceRule(#[from] DeviceRuleError),
    /// A limit for a hierarchy in which we may make no cgroup.
    #[error("/linux/resources: {file} cannot be set: no cgroup can be made at {directory:?}")]
    NoCgroup {
        /// The limit's file.
        file: String,
        /// Where the cgroup would be.
        directory: PathBuf,
    },
    /// The filter of system calls.
    #[error("/linux/seccomp: {0}")]
    Seccomp(#[from] SeccompError),
    /// Somebody would have to answer the notifications.
    #[error("/linux/seccomp: SCMP_ACT_NOTIFY needs an agent, which rrun does not talk to yet")]
    Notify,
}

/// The container's cgroup: at the config's `cgroupsPath`, or at `default` where it has none.
///
/// A hierarchy in which we may make no cgroup is left out, unless a limit needs it. Device rules
/// alone do not, but they are not dropped in silence: engines put some into every config, so that
/// to refuse them would refuse every container on a host without cgroups, or without rights there.
/// (runc passes over them without rights, crun without a cgroup.)
pub fn cgroup(
    spec: &Spec,
    host: &CgroupHost,
    default: CgroupPath,
) -> Result<CgroupRequest, ResourceError> {
    let linux = spec.linux().as_ref();
    let given = linux.and_then(|linux| linux.cgroups_path().as_deref()).and_then(Path::to_str);
    let path = match given {
        Some(text) if !text.is_empty() => CgroupPath::parse(text)?,
        _ => default,
    };
    let resources = linux.and_then(|linux| linux.resources().as_ref());
    let limits = match resources {
        Some(resources) => writes(resources, host)?,
        None => Vec::new(),
    };
    let mut directories = Vec::new();
    for site in sites(host, &path, &limits) {
        let limits: Vec<CgroupWrite> =
            limits.iter().filter(|limit| site.takes(limit)).cloned().collect();
        if may_make(site.directory()) {
            directories.push(CgroupDirectory { site, limits, devices: None });
        } else if let Some(limit) = limits.into_iter().next() {
            let directory = site.directory().to_owned();
            return Err(ResourceError::NoCgroup { file: limit.file, directory });
        }
    }
    let left_out = match device_rules(spec, &mut directories)? {
        DeviceRules::Held => Vec::new(),
        DeviceRules::LeftOut => vec![LEFT_OUT.to_owned()],
    };
    Ok(CgroupRequest { directories, left_out })
}

/// What becomes of the device rules.
enum DeviceRules {
    /// A cgroup holds to them, or they allow everything.
    Held,
    /// There is no cgroup that could.
    LeftOut,
}

const LEFT_OUT: &str = "the device rules are not enforced: no cgroup can be made for them; without \
                        the capability MKNOD a container has only the devices that it is given";

/// Adds the device rules: lines where v1 has the controller, else a program on v2.
fn device_rules(
    spec: &Spec,
    directories: &mut [CgroupDirectory],
) -> Result<DeviceRules, ResourceError> {
    let linux = spec.linux().as_ref();
    let listed = linux.and_then(|linux| linux.devices().as_deref()).unwrap_or_default();
    let resources = linux.and_then(|linux| linux.resources().as_ref());
    let configured = resources.and_then(|it| it.devices().as_deref()).unwrap_or_default();
    let rules = device::rules(listed, configured)?;
    if device::allows_everything(&rules) {
        return Ok(DeviceRules::Held);
    }
    let on_v1 = |site: &Site| site.controllers.iter().any(|name| name == "devices");
    if let Some(directory) = directories.iter_mut().find(|it| on_v1(&it.site)) {
        directory.limits.extend(device::v1_writes(&rules)?);
    } else if let Some(directory) = directories.iter_mut().find(|it| it.site.version == Version::V2)
    {
        directory.devices = Some(DeviceProgram(Rc::new(device::program(&rules)?)));
    } else {
        return Ok(DeviceRules::LeftOut);
    }
    Ok(DeviceRules::Held)
}

/// The config's filter of system calls, with the flags to load it with; programs that were made
/// before are kept in the directory `cache`.
pub fn seccomp(spec: &Spec, cache: &Path) -> Result<Option<(Program, u32)>, ResourceError> {
    let Some(profile) = Input::seccomp_config(spec) else { return Ok(None) };
    let program = compile_cached(profile, cache)?;
    if program.notifies() {
        return Err(ResourceError::Notify);
    }
    Ok(Some((Program(Rc::new(program.instructions())), program.flags)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::name::ContainerId;
    use serde_json::json;

    /// Without a cgroup device rules are left out, which is told; those that allow everything, and
    /// a config without any where nothing is denied, lose nothing.
    #[test]
    fn device_rules_are_not_dropped_in_silence() -> Result<(), Box<dyn std::error::Error>> {
        let cases = [
            (json!([{"allow": false, "access": "rwm"}]), true),
            (json!([{"allow": true, "access": "rwm"}]), false),
        ];
        for (rules, told) in cases {
            let mut config = crate::config::default_spec::json();
            config["linux"]["resources"] = json!({"devices": rules});
            let spec: Spec = serde_json::from_value(config)?;
            let id: ContainerId = "box".parse()?;
            let request = cgroup(&spec, &CgroupHost::default(), CgroupPath::of_oci_id(&id))?;
            let words = request.left_out.first().map(String::as_str).unwrap_or_default();
            assert_eq!(words.starts_with("the device rules are not enforced"), told, "{words}");
        }
        Ok(())
    }
}
