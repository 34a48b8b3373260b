//! Users, groups, capabilities, and what else a process may be allowed.

use super::{Result, answer};

/// The sets of capabilities that capset(2) takes, each a mask of bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// In force.
    pub effective: u64,
    /// May be put in force.
    pub permitted: u64,
    /// Kept over execve, with the file's inheritable set.
    pub inheritable: u64,
}

/// _LINUX_CAPABILITY_VERSION_3, since Linux 2.6.26: two words of 32 bits a set.
const CAPABILITY_VERSION: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// The low and the high half of a mask.
fn halves(mask: u64) -> [u32; 2] {
    let bytes = mask.to_le_bytes();
    let word =
        |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    [word(0), word(4)]
}

/// Sets the three sets of the calling process.
pub fn set_capabilities(sets: Capabilities) -> Result<()> {
    let header = Header { version: CAPABILITY_VERSION, pid: 0 };
    let (effective, permitted, inheritable) =
        (halves(sets.effective), halves(sets.permitted), halves(sets.inheritable));
    let half = |i: usize| Half {
        effective: effective[i],
        permitted: permitted[i],
        inheritable: inheritable[i],
    };
    let data = [half(0), half(1)];
    // SAFETY: header and data have the layout of version 3 and outlive the call.
    let returned = unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) };
    answer(returned).map(drop)
}

/// Reads the three sets of the calling process.
pub fn capabilities() -> Result<Capabilities> {
    let header = Header { version: CAPABILITY_VERSION, pid: 0 };
    let mut data = [Half::default(); 2];
    // SAFETY: header and data have the layout of version 3 and outlive the call.
    let returned = unsafe { libc::syscall(libc::SYS_capget, &raw const header, data.as_mut_ptr()) };
    answer(returned)?;
    let join = |pick: fn(&Half) -> u32| u64::from(pick(&data[0])) | u64::from(pick(&data[1])) << 32;
    Ok(Capabilities {
        effective: join(|h| h.effective),
        permitted: join(|h| h.permitted),
        inheritable: join(|h| h.inheritable),
    })
}

fn prctl(option: libc::c_int, first: libc::c_ulong, second: libc::c_ulong) -> Result<i64> {
    // SAFETY: the options used here take integers only.
    let returned =
        unsafe { libc::prctl(option, first, second, 0 as libc::c_ulong, 0 as libc::c_ulong) };
    answer(returned.into())
}

/// Removes one capability from the bounding set.
pub fn drop_from_bounding_set(capability: u32) -> Result<()> {
    prctl(libc::PR_CAPBSET_DROP, capability.into(), 0).map(drop)
}

/// Does the kernel know this capability? For one that it does not, reading the bounding set is
/// EINVAL.
pub fn is_capability(capability: u32) -> bool {
    prctl(libc::PR_CAPBSET_READ, capability.into(), 0).is_ok()
}

/// Raises one capability in the ambient set.
pub fn raise_ambient(capability: u32) -> Result<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as libc::c_ulong, capability.into())
        .map(drop)
}

/// Empties the ambient set.
pub fn clear_ambient() -> Result<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong, 0).map(drop)
}

/// Keeps the permitted set over a change of user (PR_SET_KEEPCAPS).
pub fn keep_capabilities() -> Result<()> {
    prctl(libc::PR_SET_KEEPCAPS, 1, 0).map(drop)
}

/// A change of user clears the permitted set again.
pub fn drop_capabilities_with_user() -> Result<()> {
    prctl(libc::PR_SET_KEEPCAPS, 0, 0).map(drop)
}

/// Nobody but root may attach to this process or look into it (PR_SET_DUMPABLE 0).
pub fn set_not_dumpable() -> Result<()> {
    prctl(libc::PR_SET_DUMPABLE, 0, 0).map(drop)
}

/// No execve gives more rights from here on.
pub fn set_no_new_privileges() -> Result<()> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0).map(drop)
}

/// Sets real, effective and saved user id.
pub fn set_user(uid: u32) -> Result<()> {
    // SAFETY: a raw call with three integers; there is one thread, so no other has to follow.
    answer(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) }).map(drop)
}

/// Sets real, effective and saved group id.
pub fn set_group(gid: u32) -> Result<()> {
    // SAFETY: as for setresuid.
    answer(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) }).map(drop)
}

/// Sets the supplementary groups.
pub fn set_groups(groups: &[u32]) -> Result<()> {
    // SAFETY: pointer and length are those of the slice.
    answer(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) }).map(drop)
}
