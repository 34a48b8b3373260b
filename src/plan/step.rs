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
use crate::config::mount_option::Attributes;
use crate::config::path::{HostPath, RootPath};
use crate::config::propagation::Propagation;
use crate::sys::bpf::Instruction;
use crate::sys::mount::Recursion;
use crate::sys::namespace::Namespace;
use crate::sys::path::Links;
use crate::sys::scheduler::SchedulerAttributes;

/// A place in the table of open descriptors. Each is made once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct Slot(pub u32);

/// What a slot's descriptor is open on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlotKind {
    /// A place in a mount tree (O_PATH).
    Place,
    /// A mount tree, detached until it is attached.
    Tree,
    /// A file system context of fsopen.
    Context,
    /// A namespace.
    Namespace,
    /// A directory of a cgroup hierarchy.
    Cgroup,
    /// A terminal's controlling side.
    TerminalMaster,
    /// A terminal's process side.
    TerminalPeer,
    /// A file that the caller of the plan gives.
    Given,
}

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
}

/// Where a cloned tree comes from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A path of the host, looked up in the actor's own mount namespace.
    Host(HostPath),
    /// A path inside the container's root, so that earlier mounts are seen.
    InRoot {
        /// The root.
        root: Slot,
        /// The path in it.
        path: RootPath,
    },
    /// A directory that is open already, by a way that cannot leave it.
    Beneath {
        /// The directory.
        directory: HostPath,
        /// The path below it: no link, no way up.
        path: RootPath,
    },
    /// A place that is open already.
    Place(Slot),
}

/// The value of a file system parameter.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parameter {
    /// FSCONFIG_SET_FLAG.
    Flag,
    /// FSCONFIG_SET_STRING.
    Text(String),
    /// FSCONFIG_SET_STRING with the octal mode of what a place is open on; 1777 if its Pin had to
    /// make it.
    ModeOf(Slot),
    /// FSCONFIG_SET_FD with a directory of the host.
    Directory(Slot),
    /// FSCONFIG_SET_STRING with /proc/self/fd/N of a directory of the host.
    DirectoryPath(Slot),
}

/// What happens when the place to pin does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// It is an error.
    Fails,
    /// Directories are made, 0755.
    MakeDirectory,
    /// An empty file is made below made directories.
    MakeFile,
    /// A directory for a directory, an empty file for all else.
    MakeLike(Slot),
}

/// A change of mount attributes while the tree is detached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// Attributes to set and clear.
    pub attributes: Attributes,
    /// The propagation to set.
    pub propagation: Option<Propagation>,
    /// A user namespace whose mapping becomes the mount's.
    pub idmap: Option<Slot>,
}

/// A row of an id mapping: `length` ids from `inside` on are `outside` and following.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct IdRange {
    /// First id in the container.
    pub inside: u32,
    /// First id on the host.
    pub outside: u32,
    /// How many.
    pub length: u32,
}

impl IdRange {
    /// The id outside that is `inside` in here, if this row has it.
    pub fn outside_of(&self, inside: u32) -> Option<u32> {
        let offset = inside.checked_sub(self.inside).filter(|offset| *offset < self.length)?;
        self.outside.checked_add(offset)
    }
}

/// A device or fifo to make.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct NodeSpec {
    /// Its name in the directory.
    pub name: String,
    /// Its type.
    pub kind: NodeKind,
    /// Major and minor number.
    pub device: (u32, u32),
    /// Permission bits.
    pub mode: u32,
    /// Owner and group in the container.
    pub owner: (u32, u32),
}

/// The types of nodes that can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeKind {
    /// S_IFCHR.
    Character,
    /// S_IFBLK.
    Block,
    /// S_IFIFO.
    Fifo,
}

/// The one clone.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct CloneSpec {
    /// Namespaces that are made new.
    pub new: Vec<Namespace>,
    /// A user namespace to enter before the others are made.
    pub user: Option<Slot>,
    /// Namespaces that are entered before the user namespace, which has no rights over them.
    pub entered: Vec<(Namespace, Slot)>,
    /// A pid namespace that the child is to be born into.
    pub pid: Option<Slot>,
    /// A cgroup that the child is to be born into (v2).
    pub cgroup: Option<Slot>,
    /// Offsets (clock, seconds, nanoseconds) of a new time namespace.
    pub time_offsets: Vec<(String, i64, u32)>,
}

/// The capabilities of the process, each set a mask of bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct CapabilitySets {
    /// In force.
    pub effective: u64,
    /// May be put in force.
    pub permitted: u64,
    /// Kept over execve with the file's.
    pub inheritable: u64,
    /// The most that can ever be had.
    pub bounding: u64,
    /// Kept over execve of ordinary files.
    pub ambient: u64,
}

/// A program to start for a hook.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct HookSpec {
    /// The phase's name in the specification.
    pub phase: &'static str,
    /// Its number in the phase, from 0.
    pub index: usize,
    /// The program.
    pub path: HostPath,
    /// Its argument list.
    pub args: Vec<String>,
    /// Its environment, exactly.
    pub env: Vec<String>,
    /// After how many seconds it is killed.
    pub timeout_s: Option<u64>,
}

/// The program to execute.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ExecSpec {
    /// Its argument list; the first is what is looked up.
    pub args: Vec<String>,
    /// Its environment.
    pub env: Vec<String>,
    /// The root below which HOME is looked up, where the environment has none.
    pub home_of: Option<u32>,
    /// How many descriptors from 3 on it keeps.
    pub preserved_fds: u32,
}

/// One operation.
#[expect(missing_docs, reason = "the fields are the arguments of the call that the variant names")]
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// open(O_PATH) on the host.
    OpenPlace { place: Slot, path: HostPath },
    /// fstat: it must be this character device.
    ExpectDevice { place: Slot, device: (u32, u32) },
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
    /// A limit written to a file of a cgroup.
    WriteCgroup { cgroup: Slot, limit: Box<CgroupWrite> },
    /// Which devices the cgroup's processes may use: a program for bpf(2).
    CgroupDevices { cgroup: Slot, program: DeviceProgram },
    /// The child moved into a cgroup (v1).
    JoinCgroup { cgroup: Slot },
    /// clone3.
    Clone(CloneSpec),
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
    /// unshare.
    Unshare { kind: Namespace },
    /// setresgid, setresuid in the user namespace, before there are any limits.
    BecomeUser { uid: u32, gid: u32 },
    /// A pty of the container's devpts: its two ends.
    OpenTerminal { devpts: Slot, master: Slot, peer: Slot, terminal: TerminalSpec },
    /// A descriptor handed from the child to the host.
    SendTerminal { master: Slot },
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
    SetScheduler(Box<SchedulerAttributes>),
    /// ioprio_set.
    SetIoPriority { class_and_level: i32 },
    /// prctl(PR_SET_DUMPABLE, 0).
    NotDumpable,
    /// prctl(PR_CAPBSET_DROP) for each one not in the set.
    DropBounding { keep: u64, last: u8 },
    /// setgroups, setresgid, setresuid; the permitted capabilities are kept meanwhile.
    SetUser { uid: u32, gid: u32, groups: Cow<'static, [u32]>, set_groups: SetGroups },
    /// capset; with `also` on top of the final sets for the steps that still need it.
    SetCapabilities { sets: CapabilitySets, also: u64 },
    /// chdir, checked to be inside the root.
    SetWorkingDirectory { path: RootPath, denied: Denied },
    /// prctl(PR_SET_NO_NEW_PRIVS).
    NoNewPrivileges,
    /// seccomp(SECCOMP_SET_MODE_FILTER).
    LoadSeccomp { program: Program, flags: u32 },
    /// execveat of the sealed stub, which executes the program.
    Exec(ExecSpec),
}

/// How a terminal is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct TerminalSpec {
    /// Rows and columns.
    pub size: Option<(u16, u16)>,
    /// Owner and group in the container.
    pub owner: (u32, u32),
    /// What becomes of a line's end.
    pub line_ends: LineEnds,
}

/// Does the container's terminal write `\r\n` for a `\n`?
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineEnds {
    /// As a new terminal does it (ONLCR), and as Docker's users see it.
    Converted,
    /// Left to the outer terminal, as engines expect it.
    Plain,
}

/// What follows when the working directory may not be searched?
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Denied {
    /// It is tried again later, as another user.
    TriedLater,
    /// It is an error, unless an earlier step has gone there already.
    Fails,
}

/// May the supplementary groups be set? In a user namespace that others made they may be denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SetGroups {
    /// setgroups is called.
    Allowed,
    /// setgroups is called; EPERM is no failure if there are none to set.
    Perhaps,
}

/// Device rules as a program for bpf(2).
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceProgram(pub Rc<Vec<Instruction>>);

impl fmt::Debug for DeviceProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} instructions]", self.0.len())
    }
}

impl serde::Serialize for DeviceProgram {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{} instructions", self.0.len()))
    }
}

/// A compiled seccomp filter.
#[derive(Clone, PartialEq, Eq)]
pub struct Program(pub Rc<Vec<[u8; 8]>>);

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} instructions]", self.0.len())
    }
}

impl serde::Serialize for Program {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{} instructions", self.0.len()))
    }
}
