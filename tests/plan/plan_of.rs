//! A plan for a test: a config, some facts, and what differs from the usual.

use std::path::Path;

use oci_spec::runtime::Spec;
use rrun::config::path::HostPath;
use rrun::facts::{Facts, Kernel};
use rrun::plan::cgroup::CgroupRequest;
use rrun::plan::check::check;
use rrun::plan::compile::{
    Input, Lifetime, MountNote, OverlayDirectories, RootSource, Stdio, compile,
};
use rrun::plan::step::Plan;
use serde_json::Value;

/// What a plan is made from.
pub struct Case {
    pub config: Value,
    pub facts: Facts,
    pub root: RootSource,
    pub notes: Vec<MountNote>,
}

impl Case {
    /// `runc spec`, in a bundle's directory.
    pub fn runc() -> Self {
        let config = serde_json::from_str(include_str!("runc-default.json")).unwrap();
        let root = RootSource::Directory(HostPath::new("/bundle/rootfs"));
        Self { config, facts: Facts::default(), root, notes: Vec::new() }
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
        let text = serde_json::to_vec(&self.config).unwrap();
        let last = self.facts.kernel.last_capability;
        let config = rrun::config::oci::parse(Path::new("config.json"), &text, last).unwrap();
        let spec: Spec = config.spec;
        let plan = compile(&Input {
            spec: &spec,
            facts: &self.facts,
            root: self.root.clone(),
            mounts: &self.notes,
            seccomp: None,
            cgroup: CgroupRequest::default(),
            stdio: Stdio::Inherited,
            lifetime: Lifetime::Supervised,
        })
        .unwrap();
        check(&plan).unwrap();
        plan
    }
}
