//! Which namespaces are new, which are joined, and the one clone that makes the child.

use oci_spec::runtime::{LinuxIdMapping, LinuxNamespaceType};

use super::error::CompileError;
use super::input::Input;
use super::step::IdRange;
use crate::config::path::HostPath;
use crate::sys::namespace::Namespace;

/// The namespaces of a container.
#[derive(Debug, Clone, Default)]
pub struct Namespaces {
    /// Made by the clone.
    pub new: Vec<Namespace>,
    /// Joined by path.
    pub joined: Vec<(Namespace, HostPath)>,
    /// Of those joined the ones that another user namespace than the host's owns.
    pub foreign: Vec<Namespace>,
    /// The mapping of a new user namespace.
    pub uids: Vec<IdRange>,
    /// The mapping of its groups.
    pub gids: Vec<IdRange>,
}

impl Namespaces {
    /// Is `kind` made new?
    pub fn is_new(&self, kind: Namespace) -> bool {
        self.new.contains(&kind)
    }

    /// Is `kind` not the host's?
    pub fn is_own(&self, kind: Namespace) -> bool {
        self.is_new(kind) || self.joined.iter().any(|(joined, _)| *joined == kind)
    }

    /// May mounts be made without the host seeing them?
    pub fn has_own_mounts(&self) -> bool {
        self.is_own(Namespace::Mount)
    }

    /// Would a new procfs, sysfs or message queue of `kind` be refused? The kernel gives one to
    /// who has rights over the namespace that it shows.
    pub fn shows_the_host_s(&self, kind: Namespace) -> bool {
        self.is_own(Namespace::User) && !self.is_new(kind) && !self.foreign.contains(&kind)
    }

    /// Must the host open the sources of mounts, because the child may not reach them?
    pub fn host_opens_sources(&self) -> bool {
        self.is_own(Namespace::User) || (!self.is_new(Namespace::Mount) && self.has_own_mounts())
    }
}

fn kind(typ: LinuxNamespaceType) -> Namespace {
    match typ {
        LinuxNamespaceType::Mount => Namespace::Mount,
        LinuxNamespaceType::Cgroup => Namespace::Cgroup,
        LinuxNamespaceType::Uts => Namespace::Uts,
        LinuxNamespaceType::Ipc => Namespace::Ipc,
        LinuxNamespaceType::User => Namespace::User,
        LinuxNamespaceType::Pid => Namespace::Pid,
        LinuxNamespaceType::Network => Namespace::Network,
        LinuxNamespaceType::Time => Namespace::Time,
    }
}

/// The config's word for it.
fn word(typ: LinuxNamespaceType) -> &'static str {
    match typ {
        LinuxNamespaceType::Mount => "mount",
        LinuxNamespaceType::Network => "network",
        LinuxNamespaceType::Cgroup => "cgroup",
        LinuxNamespaceType::Uts => "uts",
        LinuxNamespaceType::Ipc => "ipc",
        LinuxNamespaceType::User => "user",
        LinuxNamespaceType::Pid => "pid",
        LinuxNamespaceType::Time => "time",
    }
}

/// A mapping of the config as rows.
pub fn ranges(mappings: Option<&Vec<LinuxIdMapping>>) -> Vec<IdRange> {
    let row = |m: &LinuxIdMapping| IdRange {
        inside: m.container_id(),
        outside: m.host_id(),
        length: m.size(),
    };
    mappings.into_iter().flatten().map(row).collect()
}

/// Reads the namespaces of the config.
pub fn read(input: &Input<'_>) -> Result<Namespaces, CompileError> {
    let mut namespaces = Namespaces::default();
    let Some(linux) = input.spec.linux() else { return Ok(namespaces) };
    for (index, entry) in linux.namespaces().iter().flatten().enumerate() {
        let kind = kind(entry.typ());
        if namespaces.is_own(kind) {
            return Err(CompileError::NamespaceTwice {
                origin: format!("/linux/namespaces/{index}"),
                kind: word(entry.typ()),
            });
        }
        match entry.path() {
            Some(path) => namespaces.joined.push((kind, HostPath::new(path.clone()))),
            None => namespaces.new.push(kind),
        }
    }
    let foreign = &input.facts.foreign_namespaces;
    let of_others = namespaces
        .joined
        .iter()
        .filter(|(_, path)| foreign.iter().any(|other| other == path.as_path()));
    namespaces.foreign = of_others.map(|(kind, _)| *kind).collect();
    namespaces.new.sort();
    namespaces.joined.sort_by_key(|(kind, _)| *kind);
    namespaces.uids = ranges(linux.uid_mappings().as_ref());
    namespaces.gids = ranges(linux.gid_mappings().as_ref());
    complete_mappings(&mut namespaces)?;
    Ok(namespaces)
}

/// A user namespace without mappings is of no use: the child would have no rights in it at all.
fn complete_mappings(namespaces: &mut Namespaces) -> Result<(), CompileError> {
    let given = !namespaces.uids.is_empty() || !namespaces.gids.is_empty();
    if given && namespaces.joined.iter().any(|(kind, _)| *kind == Namespace::User) {
        return Err(CompileError::MappingOfJoined);
    }
    if namespaces.is_new(Namespace::User) {
        let identity = IdRange { inside: 0, outside: 0, length: u32::MAX };
        for mapping in [&mut namespaces.uids, &mut namespaces.gids] {
            if mapping.is_empty() {
                mapping.push(identity);
            }
        }
    }
    Ok(())
}
