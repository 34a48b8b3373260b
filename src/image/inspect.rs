//! An image in Docker's shape, as `inspect` prints it. The order of the fields is Docker's.

use std::collections::BTreeMap;

use serde::Serialize;

use super::store::Image;

/// What `image inspect` prints for one image.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Inspect {
    id: String,
    repo_tags: Vec<String>,
    repo_digests: Vec<String>,
    parent: &'static str,
    comment: String,
    created: String,
    docker_version: &'static str,
    author: String,
    config: InspectConfig,
    architecture: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
    os: String,
    size: u64,
    graph_driver: GraphDriver,
    #[serde(rename = "RootFS")]
    root_fs: RootFs,
}

/// The part that containers inherit.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct InspectConfig {
    user: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    exposed_ports: Option<BTreeMap<String, Empty>>,
    env: Vec<String>,
    cmd: Option<Vec<String>>,
    volumes: Option<BTreeMap<String, Empty>>,
    working_dir: String,
    entrypoint: Option<Vec<String>>,
    on_build: Option<Vec<String>>,
    labels: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_signal: Option<String>,
}

/// `{}`, Go's set.
#[derive(Debug, Clone, Copy, Serialize)]
struct Empty {}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct GraphDriver {
    data: BTreeMap<&'static str, String>,
    name: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RootFs {
    #[serde(rename = "Type")]
    kind: &'static str,
    layers: Vec<String>,
}

impl Inspect {
    /// Describes an image.
    pub fn new(image: &Image) -> Self {
        let mut digests: Vec<String> = image
            .references
            .iter()
            .map(|name| format!("{}@{}", name.familiar_repository(), image.digest_as(name)))
            .collect();
        digests.dedup();
        let tagged = image.references.iter().filter(|name| name.tag().is_some());
        let mut directories = image.layers.iter().map(|path| path.display().to_string());
        let mut data = BTreeMap::new();
        if let Some(top) = directories.next() {
            data.insert("UpperDir", top);
        }
        let lower = directories.collect::<Vec<_>>().join(":");
        if !lower.is_empty() {
            data.insert("LowerDir", lower);
        }
        Self {
            id: image.id.to_string(),
            repo_tags: tagged.map(ToString::to_string).collect(),
            repo_digests: digests,
            parent: "",
            comment: image.comment.clone(),
            created: image.created.clone(),
            docker_version: "",
            author: image.author.clone(),
            config: InspectConfig::new(image),
            architecture: image.architecture.clone(),
            variant: image.variant.clone(),
            os: image.os.clone(),
            size: image.size_bytes,
            graph_driver: GraphDriver { data, name: "overlay2" },
            root_fs: RootFs {
                kind: "layers",
                layers: image.diff_ids.iter().map(ToString::to_string).collect(),
            },
        }
    }
}

impl InspectConfig {
    fn new(image: &Image) -> Self {
        let config = &image.config;
        let set = |names: &std::collections::BTreeSet<String>| {
            let all: BTreeMap<_, _> = names.iter().map(|n| (n.clone(), Empty {})).collect();
            (!all.is_empty()).then_some(all)
        };
        let list = |words: &Vec<String>| (!words.is_empty()).then(|| words.clone());
        Self {
            user: config.user.clone(),
            exposed_ports: set(&config.exposed_ports),
            env: config.env.clone(),
            cmd: list(&config.cmd),
            volumes: set(&config.volumes),
            working_dir: config.working_dir.clone(),
            entrypoint: list(&config.entrypoint),
            on_build: None,
            labels: (!config.labels.is_empty()).then(|| config.labels.clone()),
            stop_signal: config.stop_signal.clone(),
        }
    }
}
