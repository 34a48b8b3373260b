//! Where a container's cgroup is made in each hierarchy of the host, and what has to be on there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::layout::{CgroupHost, Hierarchy, Kind, Version};
use super::limits::CgroupWrite;
use super::path::CgroupPath;

/// Controllers that are switched on below a pure v2 mount also where no limit asks for them: they
/// count what the container uses. On a hybrid host only what is asked for.
const COUNTED: [&str; 5] = ["cpu", "cpuset", "io", "memory", "pids"];

/// One hierarchy, and what is to be made in it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Site {
    /// Where the hierarchy is mounted.
    pub mount: PathBuf,
    /// Its interface.
    pub version: Version,
    /// The controllers of a v1 hierarchy.
    pub controllers: Vec<String>,
    /// From the first below the mount down to the container's.
    pub directories: Vec<PathBuf>,
    /// How many of them, from the end, go when they are empty, whoever made them.
    pub ours: usize,
    /// The controllers that limits are written to here.
    pub needed: BTreeSet<String>,
    /// v2: the controllers that are switched on if that is possible.
    pub counted: Vec<String>,
}

impl Site {
    /// The container's own directory.
    pub fn directory(&self) -> &Path {
        self.directories.last().map_or(&self.mount, PathBuf::as_path)
    }

    /// The name that the hierarchy's mount has, as `memory` or `cpu,cpuacct`; none for one that
    /// is mounted at the top.
    pub fn name(&self) -> &str {
        self.mount.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default()
    }

    /// Is `limit` written here?
    pub fn takes(&self, limit: &CgroupWrite) -> bool {
        let has = |name: &String| *name == limit.controller;
        self.version == limit.version
            && (self.version == Version::V2 || self.controllers.iter().any(has))
    }
}

/// The container's place in every hierarchy of `host`, for `limits`.
pub fn sites(host: &CgroupHost, path: &CgroupPath, limits: &[CgroupWrite]) -> Vec<Site> {
    let mut v1: BTreeMap<&Path, (&Hierarchy, Vec<String>)> = BTreeMap::new();
    for (controller, hierarchy) in &host.v1 {
        let shared = v1.entry(&hierarchy.mount).or_insert_with(|| (hierarchy, Vec::new()));
        shared.1.push(controller.clone());
    }
    let unified = host.unified.iter().map(|it| (&it.hierarchy, Vec::new(), Version::V2));
    let v1 = v1.into_values().map(|(hierarchy, names)| (hierarchy, names, Version::V1));
    let here = host.unified.as_ref().filter(|_| host.kind() == Kind::V2);
    let counted = |name: &&&str| here.is_some_and(|unified| unified.controllers.contains(**name));
    let counted: Vec<String> =
        COUNTED.iter().filter(counted).map(|name| (*name).to_owned()).collect();
    v1.chain(unified)
        .map(|(hierarchy, controllers, version)| {
            let mut site = Site {
                mount: hierarchy.mount.clone(),
                version,
                controllers,
                directories: path.directories(hierarchy, version),
                ours: path.own_levels(),
                needed: BTreeSet::new(),
                counted: counted.clone(),
            };
            let here = limits.iter().filter(|limit| site.takes(limit));
            site.needed = here.map(|limit| limit.controller.clone()).collect();
            site
        })
        .collect()
}
