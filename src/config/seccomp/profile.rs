//! A seccomp profile of the user's: Docker's form (`--security-opt seccomp=FILE`), or the OCI one.
//!
//! Docker's rules say for which capabilities, architectures and kernels they are; here they become
//! those of one container on one machine. A rule taken without its conditions would allow what its
//! author forbade.

use caps::Capability;
use oci_spec::runtime::LinuxSeccomp;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::config::capability::{self, CapabilitySet};

/// Why a text is no profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Not JSON, or not of the form.
    #[error("{0}")]
    Form(#[from] serde_json::Error),
    /// Two ways to say the same. The words are Docker's.
    #[error("both '{0}' and '{1}' are specified in the seccomp profile, use either '{0}' or '{1}'")]
    Both(&'static str, &'static str),
    /// A capability that does not exist.
    #[error("unknown capability: {0:?}")]
    Capability(String),
    /// A version that is none.
    #[error("invalid kernel version: {0:?}")]
    Kernel(String),
}

/// What the conditions of rules are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    /// The container's bounding set.
    pub capabilities: CapabilitySet,
    /// Major and minor version of the kernel.
    pub kernel: (u32, u32),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a seccomp profile")]
struct Profile {
    #[serde(default)]
    arch_map: Vec<ArchMap>,
    #[serde(default)]
    architectures: Option<Vec<String>>,
    #[serde(default)]
    syscalls: Option<Vec<Rule>>,
    /// What both forms have alike, checked by the OCI type.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchMap {
    architecture: String,
    #[serde(default)]
    sub_architectures: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Rule {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    names: Option<Vec<String>>,
    #[serde(default)]
    includes: Option<Condition>,
    #[serde(default)]
    excludes: Option<Condition>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(default)]
    caps: Option<Vec<String>>,
    #[serde(default)]
    arches: Option<Vec<String>>,
    #[serde(default)]
    min_kernel: Option<String>,
}

/// The profile in `text` as it is for a container on `host`.
pub fn parse(text: &str, host: Host) -> Result<LinuxSeccomp, ProfileError> {
    let profile: Profile = serde_json::from_str(text)?;
    let mut oci = profile.rest;
    if let Some(architectures) = profile.architectures.filter(|list| !list.is_empty()) {
        if !profile.arch_map.is_empty() {
            return Err(ProfileError::Both("architectures", "archMap"));
        }
        oci.insert("architectures".into(), architectures.into());
    }
    if let Some(own) = profile.arch_map.into_iter().find(|map| map.architecture == OWN.seccomp) {
        let mut architectures = vec![own.architecture];
        architectures.extend(own.sub_architectures.unwrap_or_default());
        oci.insert("architectures".into(), architectures.into());
    }
    let mut syscalls: Vec<Value> = Vec::new();
    for rule in profile.syscalls.unwrap_or_default() {
        syscalls.extend(rule.applied(host)?);
    }
    oci.insert("syscalls".into(), syscalls.into());
    // Docker writes what it does not use as null or empty.
    oci.retain(|_, value| !value.is_null());
    Ok(serde_json::from_value(oci.into())?)
}

impl Rule {
    /// The rule in OCI's form; `None` where it does not apply.
    fn applied(self, host: Host) -> Result<Option<Value>, ProfileError> {
        let names = match (self.name.filter(|name| !name.is_empty()), self.names) {
            (Some(_), Some(names)) if !names.is_empty() => {
                return Err(ProfileError::Both("name", "names"));
            }
            (Some(name), _) => vec![name],
            (None, names) => names.unwrap_or_default(),
        };
        let included = self.includes.map_or(Ok(true), |condition| condition.all_hold(host))?;
        let excluded = self.excludes.map_or(Ok(false), |condition| condition.one_holds(host))?;
        if !included || excluded {
            return Ok(None);
        }
        let mut rule = self.rest;
        rule.insert("names".into(), names.into());
        rule.retain(|_, value| !value.is_null());
        Ok(Some(rule.into()))
    }
}

impl Condition {
    /// As an `includes`: every part that is there must hold.
    fn all_hold(&self, host: Host) -> Result<bool, ProfileError> {
        let (caps, arches) = (given(&self.caps), given(&self.arches));
        let held = caps.iter().map(|name| holds(name, host)).collect::<Result<Vec<_>, _>>()?;
        Ok(held.into_iter().all(|held| held)
            && (arches.is_empty() || arches.iter().any(|arch| arch == OWN.go))
            && self.kernel()?.is_none_or(|least| host.kernel >= least))
    }

    /// As an `excludes`: one part is enough.
    fn one_holds(&self, host: Host) -> Result<bool, ProfileError> {
        let (caps, arches) = (given(&self.caps), given(&self.arches));
        let held = caps.iter().map(|name| holds(name, host)).collect::<Result<Vec<_>, _>>()?;
        Ok(held.into_iter().any(|held| held)
            || arches.iter().any(|arch| arch == OWN.go)
            || self.kernel()?.is_some_and(|least| host.kernel >= least))
    }

    fn kernel(&self) -> Result<Option<(u32, u32)>, ProfileError> {
        let Some(text) = self.min_kernel.as_deref().filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let version = text
            .split_once('.')
            .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
        version.map(Some).ok_or_else(|| ProfileError::Kernel(text.into()))
    }
}

fn given(list: &Option<Vec<String>>) -> &[String] {
    list.as_deref().unwrap_or_default()
}

fn holds(name: &str, host: Host) -> Result<bool, ProfileError> {
    let capability: Capability =
        capability::by_name(name).ok_or_else(|| ProfileError::Capability(name.into()))?;
    Ok(host.capabilities.contains(capability))
}

/// This machine's architecture in the two spellings of a profile.
struct Spelling {
    go: &'static str,
    seccomp: &'static str,
}

const OWN: Spelling = if cfg!(target_arch = "x86_64") {
    Spelling { go: "amd64", seccomp: "SCMP_ARCH_X86_64" }
} else if cfg!(target_arch = "aarch64") {
    Spelling { go: "arm64", seccomp: "SCMP_ARCH_AARCH64" }
} else if cfg!(target_arch = "s390x") {
    Spelling { go: "s390x", seccomp: "SCMP_ARCH_S390X" }
} else if cfg!(target_arch = "riscv64") {
    Spelling { go: "riscv64", seccomp: "SCMP_ARCH_RISCV64" }
} else if cfg!(target_arch = "powerpc64") {
    Spelling { go: "ppc64le", seccomp: "SCMP_ARCH_PPC64LE" }
} else {
    Spelling { go: std::env::consts::ARCH, seccomp: "" }
};

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKER: &str = r#"{
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
        "archMap": [
            {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
            {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}
        ],
        "syscalls": [
            {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": null, "comment": "",
             "includes": {}, "excludes": {}},
            {"name": "write", "action": "SCMP_ACT_ALLOW"},
            {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
            {"names": ["newer"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "7.0"}},
            {"names": ["mount"], "action": "SCMP_ACT_ALLOW",
             "includes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["chown"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_CHOWN"]}},
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 0, "value": 2114060288, "valueTwo": 0,
                       "op": "SCMP_CMP_MASKED_EQ"}],
             "excludes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["s390"]}},
            {"names": ["hidden"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CHOWN"]}},
            {"names": ["sync_file_range2"], "action": "SCMP_ACT_ALLOW",
             "includes": {"arches": ["mips"]}}
        ]
    }"#;

    fn host() -> Host {
        Host { capabilities: CapabilitySet::docker_default(), kernel: (6, 18) }
    }

    /// Docker's form: what applies to this container on this machine is left.
    #[test]
    fn conditions() {
        let profile = parse(DOCKER, host()).unwrap();
        let names: Vec<&str> =
            profile.syscalls().iter().flatten().map(|rule| rule.names()[0].as_str()).collect();
        assert_eq!(names, ["read", "write", "ptrace", "chown", "clone"]);
        assert_eq!(profile.default_errno_ret(), Some(1));
        let all = Host { capabilities: CapabilitySet::all(40), kernel: (7, 0) };
        let count = parse(DOCKER, all).unwrap().syscalls().as_ref().map(Vec::len);
        assert_eq!(count, Some(6));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn architectures() {
        let words = |text: &str| {
            let profile = parse(text, host()).unwrap();
            serde_json::to_value(profile.architectures()).unwrap()
        };
        assert_eq!(words(DOCKER), serde_json::json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]));
        let oci = r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"]}"#;
        assert_eq!(words(oci), serde_json::json!(["SCMP_ARCH_X86_64"]));
    }

    /// What is no profile, and why.
    #[test]
    fn refusals() {
        let cases = [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("[]", "invalid type: sequence, expected a seccomp profile"),
            ("{}", "missing field `defaultAction`"),
            (r#"{"defaultAction": "NO"}"#, "unknown variant `NO`"),
            (
                r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"],
                    "archMap": [{"architecture": "SCMP_ARCH_X86_64"}]}"#,
                "both 'architectures' and 'archMap' are specified",
            ),
            (
                r#"{"defaultAction": "SCMP_ACT_ALLOW",
                    "syscalls": [{"name": "a", "names": ["b"], "action": "SCMP_ACT_KILL"}]}"#,
                "both 'name' and 'names' are specified",
            ),
            (
                r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["b"],
                    "action": "SCMP_ACT_KILL", "includes": {"caps": ["NOPE"]}}]}"#,
                "unknown capability: \"NOPE\"",
            ),
            (
                r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["b"],
                    "action": "SCMP_ACT_KILL", "excludes": {"minKernel": "five"}}]}"#,
                "invalid kernel version: \"five\"",
            ),
        ];
        for (text, want) in cases {
            let words = parse(text, host()).map_err(|e| e.to_string()).unwrap_err();
            assert!(words.contains(want), "{text}: {words}");
        }
    }
}
