//! How a process is scheduled: sched_setattr(2), which neither rustix nor nix has.

use super::{Result, answer};

/// `struct sched_attr`, in its first form (Linux 3.14).
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SchedulerAttributes {
    /// The struct's own size; filled in by the call.
    pub size: u32,
    /// SCHED_*.
    pub policy: u32,
    /// SCHED_FLAG_*.
    pub flags: u64,
    /// For SCHED_OTHER and SCHED_BATCH.
    pub nice: i32,
    /// For SCHED_FIFO and SCHED_RR.
    pub priority: u32,
    /// For SCHED_DEADLINE, as the two that follow, in nanoseconds.
    pub runtime: u64,
    /// See `runtime`.
    pub deadline: u64,
    /// See `runtime`.
    pub period: u64,
}

/// Sets how the calling process is scheduled (sched_setattr(2)).
pub fn set(attributes: SchedulerAttributes) -> Result<()> {
    let size = u32::try_from(size_of::<SchedulerAttributes>()).unwrap_or(0);
    let attributes = SchedulerAttributes { size, ..attributes };
    // SAFETY: the struct is of the size that it says and outlives the call.
    let returned = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    answer(returned).map(drop)
}
