//! Who may run containers: told before anything is made, and once.

use caps::{CapSet, Capability};

use crate::say::failure::{Failure, Status};

/// What every message about missing rights ends with.
pub const AS_ROOT: &str = "as root: sudo rrun …";

/// Namespaces and mounts need CAP_SYS_ADMIN; what has it need not be called root.
pub fn require(wanted: &str) -> Result<(), Failure> {
    // Where it cannot be asked, the kernel will tell.
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_ADMIN).unwrap_or(true) {
        return Ok(());
    }
    let cause = "permission denied: namespaces and mounts need root's rights (CAP_SYS_ADMIN)";
    Err(Failure::new(wanted, cause).hint(AS_ROOT).status(Status::NotStarted))
}
