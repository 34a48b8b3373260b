//! The data of a plan: slots, steps, and the operations that a step can be.
//!
//! An operation is one request to the kernel, named as the kernel names it, or a closed set of
//! alternatives that are all written down here (a mask is a file or a directory; an absent path
//! is skipped). `apply` carries operations out and decides nothing.
//!
//! Only the operations that open something carry a path; from [`Op::Pin`] on everything is a slot.

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

use crate::config::cgroup::limits::CgroupWrite;
use crate::config::cgroup::site::Site;
use crate::config::path::{HostPath, RootPath};
use crate::sys::mount::Recursion;
use crate::sys::namespace::Namespace;
use crate::sys::path::Links;
use crate::sys::process::SchedulerAttributes;

pub use super::operand::{
    Ambient, CapabilitySets, Change, CloneSpec, Denied, DeviceProgram, ExecSpec, HookSpec, IdRange,
    LineEnds, Missing, NodeKind, NodeSpec, Parameter, Program, SetGroups, Source, TerminalSpec,
};
pub use super::slot::{Slot, SlotKind};

/// Who carries a step out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Actor {
    /// The parent, with the host's rights, in the host's namespaces.
    Host,
    /// The child, in the container's namespaces.
    Child,
}

/// What asked for a step: `-v data:/data:ro`, or `/mounts/7` of the config.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin(Rc<str>);

impl Origin {
    /// An origin in the words of whoever asked.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for Origin {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Step {
    /// What is done.
    pub op: Op,
    /// Who does it.
    pub actor: Actor,
    /// What asked for it.
    pub origin: Origin,
    /// Why: the user's wish or a kernel fact, never the operation in other words.
    pub because: &'static str,
}

/// A plan: what will be asked of the kernel, in order, with the reason for each step.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Plan {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What each slot is, by its number.
    pub slots: Vec<SlotKind>,
    /// What the config asks for and the plan leaves out, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Plan {
    /// Does the process get a terminal?
    pub fn has_terminal(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.op, Op::SendTerminal { .. }))
    }

    /// Does the child send the host a descriptor?
    pub fn sends_descriptor(&self) -> bool {
        let sends = |op: &Op| matches!(op, Op::SendTerminal { .. } | Op::SendTree { .. });
        self.steps.iter().any(|step| sends(&step.op))
    }
}

/// One operation.
#[expect(missing_docs, reason = "the fields are the arguments of the call that the variant names")]
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// open(O_PATH) on the host.
    OpenPlace { place: Slot, path: HostPath },
    /// fstat: it must be this device.
    ExpectDevice { place: Slot, kind: NodeKind, device: (u32, u32) },
    /// fstatfs: it must be on this file system.
    ExpectFilesystem { place: Slot, magic: u64, name: &'static str },
    /// open of a namespace file, checked to be of the kind.
    OpenNamespace { namespace: Slot, kind: Namespace, path: HostPath },
    /// A user namespace that nobody lives in, for its mapping.
    NewIdmap { namespace: Slot, uids: Vec<IdRange>, gids: Vec<IdRange> },
    /// open_tree(OPEN_TREE_CLONE).
    CloneTree { tree: Slot, source: Source, recursion: Recursion },
    /// open_tree of `/`, not cloned: the way to all mounts of the child's namespace.
    OpenMounts { tree: Slot },
    /// fsopen.
    NewFilesystem { context: Slot, kind: String },
    /// fsconfig(FSCONFIG_SET_*).
    Configure { context: Slot, key: String, value: Parameter },
    /// fsconfig(FSCONFIG_CMD_CREATE).
    CreateFilesystem { context: Slot },
    /// fsmount.
    MountDetached { context: Slot, tree: Slot, attributes: u64 },
    /// mount_setattr.
    SetAttributes { tree: Slot, change: Change, recursion: Recursion },
    /// Copies what a place holds into a tree.
    CopyUp { from: Slot, tree: Slot },
    /// openat2(RESOLVE_IN_ROOT).
    Pin { place: Slot, root: Slot, path: RootPath, links: Links, missing: Missing },
    /// move_mount, both ends descriptors.
    Attach { tree: Slot, place: Slot },
    /// mknodat.
    MakeNode { directory: Slot, node: NodeSpec },
    /// An empty file in a directory of ours, to mount on.
    MakeFile { directory: Slot, place: Slot, name: String },
    /// symlinkat.
    MakeLink { directory: Slot, name: String, target: String },
    /// A path hidden by /dev/null (file) or an empty directory (directory); absent ones skipped.
    Mask { root: Slot, path: RootPath, null: Slot, empty: Slot },
    /// A path made read-only by a clone of itself; absent ones skipped.
    ReadOnlyPath { root: Slot, path: RootPath },
    /// A cgroup directory, made with its parents.
    MakeCgroup { cgroup: Slot, site: Box<Site> },
    /// A cgroup that is there already.
    OpenCgroup { cgroup: Slot, path: HostPath },
    /// A limit written to a file of a cgroup.
    WriteCgroup { cgroup: Slot, limit: Box<CgroupWrite> },
    /// Which devices the cgroup's processes may use: a program for bpf(2).
    CgroupDevices { cgroup: Slot, program: DeviceProgram },
    /// The child moved into a cgroup (v1).
    JoinCgroup { cgroup: Slot },
    /// clone3.
    Clone(Box<CloneSpec>),
    /// uid_map of the child.
    WriteUidMap { ranges: Vec<IdRange> },
    /// gid_map of the child.
    WriteGidMap { ranges: Vec<IdRange> },
    /// One actor waits until the other has come this far.
    Sync { waits: Actor, until: &'static str },
    /// A program of the user's.
    RunHook(Box<HookSpec>),
    /// prctl(PR_SET_PDEATHSIG, SIGKILL); a parent that is gone already is an error.
    DieWithParent,
    /// setsid.
    NewSession,
    /// A session keyring of its own.
    NewSessionKeyring,
    /// setns.
    JoinNamespace { namespace: Slot, kind: Namespace },
    /// setns with a pidfd: all these namespaces of one process at once.
    JoinProcess { process: Slot, kinds: Vec<Namespace> },
    /// unshare.
    Unshare { kind: Namespace },
    /// setresgid, setresuid in the user namespace, before there are any limits.
    BecomeUser { uid: u32, gid: u32 },
    /// A pty of the container's devpts: its two ends.
    OpenTerminal { devpts: Slot, master: Slot, peer: Slot, terminal: TerminalSpec },
    /// A descriptor handed from the child to the host.
    SendTerminal { master: Slot },
    /// A tree handed from the child to the host.
    SendTree { tree: Slot },
    /// The child only waits until the host has no more use for its namespaces.
    AwaitEnd,
    /// open_tree of the terminal's process side, for /dev/console.
    CloneTerminal { peer: Slot, tree: Slot },
    /// ioctl(TIOCSCTTY).
    ControllingTerminal { peer: Slot },
    /// dup2.
    Duplicate { file: Slot, number: i32 },
    /// The owner of stdin, stdout and stderr, where they are not /dev/null.
    OwnStdio { owner: (u32, u32) },
    /// fchdir.
    EnterDirectory { place: Slot },
    /// pivot_root(".", ".").
    PivotRoot,
    /// umount2(".", MNT_DETACH) of what lies on top of the old root.
    DetachCover,
    /// umount2(".", MNT_DETACH) of the old root, then chdir("/").
    DetachOldRoot,
    /// chroot("."), where the mount namespace is not ours to change.
    ChangeRoot,
    /// ioctl(SIOCSIFFLAGS) on `lo`.
    LoopbackUp,
    /// sethostname.
    SetHostname { name: String },
    /// setdomainname.
    SetDomainname { name: String },
    /// A write below /proc/sys of a procfs of the host's.
    SetSysctl { procfs: Slot, key: String, value: String },
    /// A write to the process's own oom_score_adj.
    SetOomScore { procfs: Slot, value: i32 },
    /// prlimit.
    SetLimit { name: &'static str, resource: u32, soft: u64, hard: u64 },
    /// umask.
    SetUmask { mask: u32 },
    /// personality.
    SetPersonality { persona: u64 },
    /// sched_setattr.
    SetScheduler(SchedulerAttributes),
    /// ioprio_set.
    SetIoPriority { class_and_level: i32 },
    /// prctl(PR_SET_DUMPABLE, 0).
    NotDumpable,
    /// prctl(PR_CAPBSET_DROP) for each one not in the set.
    DropBounding { keep: u64, last: u8 },
    /// setgroups, setresgid, setresuid; the permitted capabilities are kept meanwhile.
    SetUser { uid: u32, gid: u32, groups: Cow<'static, [u32]>, set_groups: SetGroups },
    /// capset; with `also` on top of the final sets for the steps that still need it.
    SetCapabilities { sets: CapabilitySets, also: u64, ambient: Ambient },
    /// chdir, checked to be inside the root.
    SetWorkingDirectory { path: RootPath, denied: Denied },
    /// prctl(PR_SET_NO_NEW_PRIVS).
    NoNewPrivileges,
    /// seccomp(SECCOMP_SET_MODE_FILTER).
    LoadSeccomp { program: Program, flags: u32 },
    /// The program looked up, and memfd_create of the sealed stub that executes it.
    MakeStub,
    /// execveat of the stub.
    Exec(ExecSpec),
}
