//! Architectures: the specification's and libseccomp's.

use libseccomp::ScmpArch;
use oci_spec::runtime::Arch;

use super::SeccompError;

/// An architecture that can be sorted, by the kernel's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OciArch(pub(super) Arch);

impl OciArch {
    pub(super) fn native() -> Self {
        Self(match std::env::consts::ARCH {
            "x86_64" => Arch::ScmpArchX86_64,
            "x86" => Arch::ScmpArchX86,
            "aarch64" => Arch::ScmpArchAarch64,
            "arm" => Arch::ScmpArchArm,
            "s390x" => Arch::ScmpArchS390x,
            "riscv64" => Arch::ScmpArchRiscv64,
            "loongarch64" => Arch::ScmpArchLoongarch64,
            _ => Arch::ScmpArchNative,
        })
    }

    /// libseccomp's type, by the name that both sides share.
    pub(super) fn to_scmp(self) -> Result<ScmpArch, SeccompError> {
        let name = self.0.to_string();
        name.parse().map_err(|source| SeccompError::Architecture { name, source })
    }
}

impl Ord for OciArch {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0 as u32).cmp(&(other.0 as u32))
    }
}

impl PartialOrd for OciArch {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
