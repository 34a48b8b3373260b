//! The operands of operations: sources, parameters, nodes, ids, programs.

use std::fmt;
use std::rc::Rc;

use super::slot::Slot;
use crate::config::mount_option::Attributes;
use crate::config::path::{HostPath, RootPath};
use crate::config::propagation::Propagation;
use crate::facts::Seen;
use crate::sys::bpf::Instruction;
use crate::sys::namespace::Namespace;
use crate::sys::stub::Executor;

/// Where a cloned tree comes from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A path of the host, looked up in the actor's own mount namespace.
    Host(HostPath),
    /// A path of the host that has been looked at: it must lead to the same.
    Seen {
        /// The path.
        path: HostPath,
        /// What was there.
        seen: Seen,
    },
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

/// When does the process get its ambient capabilities?
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ambient {
    /// Later: the hooks in the container are executed without them.
    Later,
    /// Now: what follows is the execution of the program.
    Raised,
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
    /// Which process executes it.
    pub executor: Executor,
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
