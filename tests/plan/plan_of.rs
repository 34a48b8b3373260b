//! A plan for a test: a config, some facts, and what differs from the usual.

use std::path::Path;

use oci_spec::runtime::Spec;
use rrun::config::path::{HostPath, RootPath};
use rrun::facts::{Facts, Kernel, SourceFact};
use rrun::plan::cgroup::CgroupRequest;
use rrun::plan::check::check;
use rrun::plan::compile::{
    Input, Lifetime, MountNote, OverlayDirectories, RootSource, Stdio, compile,
};
use rrun::plan::error::CompileError;
use rrun::plan::step::{Plan, Program};
use serde_json::{Value, json};

/// What a plan is made from.
pub struct Case {
    pub config: Value,
    pub facts: Facts,
    pub root: RootSource,
    pub notes: Vec<MountNote>,
    pub seccomp: Option<(Program, u32)>,
    pub cgroup: CgroupRequest,
}

impl Case {
    /// `runc spec`, in a bundle's directory.
    pub fn runc() -> Self {
        let config = serde_json::from_str(include_str!("runc-default.json")).unwrap();
        let root = RootSource::Directory(HostPath::new("/bundle/rootfs"));
        Self {
            config,
            facts: Facts::default(),
            root,
            notes: Vec::new(),
            seccomp: None,
            cgroup: CgroupRequest::default(),
        }
    }

    /// As [`Case::runc`], with no mounts, nothing hidden and no terminal: what is added is all.
    pub fn bare() -> Self {
        let mut case = Self::runc();
        case.config["mounts"] = json!([]);
        case.config["process"]["terminal"] = json!(false);
        case.config["linux"]["maskedPaths"] = json!([]);
        case.config["linux"]["readonlyPaths"] = json!([]);
        case
    }

    /// With the value at `pointer` of the config set; what leads there is made.
    pub fn with(mut self, pointer: &str, value: Value) -> Self {
        let mut place = &mut self.config;
        for key in pointer.split('/').skip(1) {
            place = &mut place[key];
        }
        *place = value;
        self
    }

    /// With one namespace more; `path` joins an existing one.
    pub fn with_namespace(mut self, kind: &str, path: Option<&str>) -> Self {
        let namespaces = self.config["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|namespace| namespace["type"] != kind);
        namespaces.push(match path {
            Some(path) => json!({"type": kind, "path": path}),
            None => json!({"type": kind}),
        });
        self
    }

    /// In a user namespace with one row of ids.
    pub fn in_user_namespace(self) -> Self {
        let row = json!([{"containerID": 0, "hostID": 100_000, "size": 65_536}]);
        self.with_namespace("user", None)
            .with("/linux/uidMappings", row.clone())
            .with("/linux/gidMappings", row)
    }

    /// The source of the last mount lies in the root.
    pub fn source_in_root(mut self, path: &str) -> Self {
        let count = self.config["mounts"].as_array().unwrap().len();
        self.facts.sources.resize(count, None);
        self.facts.sources[count - 1] =
            Some(SourceFact { in_root: Some(RootPath::clean(path)), ..SourceFact::default() });
        self
    }

    /// The source of the last mount is a path below a volume.
    pub fn source_beneath(mut self, volume: &str, path: &str) -> Self {
        let note = self.notes.last_mut().unwrap();
        note.beneath = Some((HostPath::new(volume), RootPath::clean(path)));
        self
    }

    /// On another kernel.
    pub fn on(mut self, version: (u32, u32)) -> Self {
        self.facts.kernel = Kernel { version, ..Kernel::default() };
        self
    }

    /// On layers of an image, as `rrun run` has them.
    pub fn on_layers(mut self, layers: &[&str]) -> Self {
        let store = HostPath::new("/store");
        self.root = RootSource::Overlay(OverlayDirectories {
            lower: layers.iter().map(|layer| store.join("layers").join(layer)).collect(),
            upper: store.join("containers/1/upper"),
            work: store.join("containers/1/work"),
        });
        self
    }

    /// With one mount more; its origin is what the user wrote.
    pub fn with_mount(mut self, origin: &str, mount: Value) -> Self {
        let mounts = self.config["mounts"].as_array_mut().unwrap();
        mounts.push(mount);
        self.notes.resize(mounts.len(), MountNote::default());
        let origin = Some(rrun::plan::Origin::new(origin));
        self.notes[mounts.len() - 1] = MountNote { origin, beneath: None };
        self
    }

    /// The plan, checked.
    pub fn plan(&self) -> Plan {
        let plan = self.try_plan().unwrap();
        check(&plan).unwrap();
        plan
    }

    /// The plan, or why there is none.
    pub fn try_plan(&self) -> Result<Plan, CompileError> {
        self.compiled(compile)
    }

    /// What `compile` makes of the case.
    pub fn compiled<T>(&self, compile: impl FnOnce(&Input<'_>) -> T) -> T {
        let text = serde_json::to_vec(&self.config).unwrap();
        let last = self.facts.kernel.last_capability;
        let config = rrun::config::oci::parse(Path::new("config.json"), &text, last).unwrap();
        let spec: Spec = config.spec;
        compile(&Input {
            spec: &spec,
            facts: &self.facts,
            root: self.root.clone(),
            mounts: &self.notes,
            seccomp: self.seccomp.clone(),
            cgroup: self.cgroup.clone(),
            stdio: Stdio::Inherited,
            lifetime: Lifetime::Supervised,
        })
    }
}
