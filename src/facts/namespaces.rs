//! Whose the namespaces are that a container joins.
//!
//! A process in a user namespace has rights over the namespaces that this one owns, and over none
//! of the host's. So it matters for the order of joining who owns what is joined.

use std::fs::File;
use std::path::{Path, PathBuf};

use oci_spec::runtime::{LinuxNamespaceType, Spec};

use crate::sys::{namespace, path};

/// The paths of the namespaces that `spec` joins and that another user namespace than ours owns.
/// Read only where the container has a user namespace: it matters nowhere else.
pub fn foreign(spec: &Spec) -> Vec<PathBuf> {
    let namespaces = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_ref());
    let all = || namespaces.into_iter().flatten();
    if !all().any(|entry| entry.typ() == LinuxNamespaceType::User) {
        return Vec::new();
    }
    let ours = File::open("/proc/self/ns/user").ok().and_then(|file| path::node(file).ok());
    let paths = all().filter_map(|entry| entry.path().clone());
    // What cannot be read is told when it is opened to be joined.
    paths.filter(|path| owner(path).is_some_and(|place| Some(place) != ours)).collect()
}

fn owner(path: &Path) -> Option<path::Node> {
    path::node(namespace::owner(File::open(path).ok()?).ok()?).ok()
}
