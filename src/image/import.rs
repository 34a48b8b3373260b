//! A root file system's archive becomes an image of one layer.

use std::io::Read;

use oci_spec::image::{
    Arch, HistoryBuilder, ImageConfiguration, ImageConfigurationBuilder, Os, RootFsBuilder,
};

use super::config::ImageConfig;
use super::digest::Digest;
use super::layer::LeftOut;
use super::limits::Limits;
use super::reference::Reference;
use super::store::{ImageError, ImageStore, LayerBlob, LayerOrigin, stage_image};

/// The machine that an image is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// The operating system.
    pub os: String,
    /// The processor, in Go's words.
    pub architecture: String,
    /// The processor's variant.
    pub variant: Option<String>,
}

/// A platform that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid platform {0:?}: it must be os[/architecture[/variant]], and the os linux")]
pub struct PlatformError(String);

impl Platform {
    /// This machine.
    pub fn host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "powerpc64" => "ppc64le",
            "loongarch64" => "loong64",
            other => other,
        };
        Self { os: "linux".into(), architecture: architecture.into(), variant: None }
    }

    /// Parses `linux/arm64/v8`.
    pub fn parse(text: &str) -> Result<Self, PlatformError> {
        let word =
            |t: &&str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let parts: Vec<&str> = text.split('/').collect();
        if parts.len() > 3 || parts[0] != "linux" || !parts.iter().all(word) {
            return Err(PlatformError(text.into()));
        }
        let host = Self::host();
        Ok(Self {
            os: host.os,
            architecture: parts.get(1).map_or(host.architecture, |a| (*a).into()),
            variant: parts.get(2).map(|v| (*v).into()),
        })
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

/// What is to be imported.
#[derive(Debug)]
pub struct Import {
    /// What the image says about its containers.
    pub config: ImageConfig,
    /// The comment of its history.
    pub comment: String,
    /// What it is for.
    pub platform: Platform,
    /// Its name, if it gets one.
    pub reference: Option<Reference>,
    /// When it is made, RFC 3339.
    pub created: String,
}

/// What became of it.
#[derive(Debug)]
pub struct Imported {
    /// The new image's id.
    pub id: Digest,
    /// What could not be unpacked here.
    pub left_out: LeftOut,
}

impl ImageStore {
    /// Reads an archive, packed or not, and makes an image of it.
    pub fn import(
        &self,
        input: impl Read,
        wanted: &Import,
        limits: &Limits,
    ) -> Result<Imported, ImageError> {
        let mut staging = self.stage()?;
        let layer = staging.add_layer(LayerOrigin::Stream(input), &[], limits)?;
        let left_out = layer.left_out;
        let config = configuration(wanted, &layer)?;
        let mut image = stage_image(&staging, &config, &[layer])?;
        image.references.extend(wanted.reference.clone());
        let id = image.id.clone();
        self.publish(&staging, vec![image])?;
        Ok(Imported { id, left_out })
    }
}

fn configuration(wanted: &Import, layer: &LayerBlob) -> Result<ImageConfiguration, ImageError> {
    let build = |e| ImageError::build("configuration", e);
    let history = HistoryBuilder::default()
        .created(wanted.created.as_str())
        .comment(wanted.comment.as_str())
        .build()
        .map_err(build)?;
    let rootfs = RootFsBuilder::default()
        .typ("layers")
        .diff_ids(vec![layer.diff_id.to_string()])
        .build()
        .map_err(build)?;
    let mut builder = ImageConfigurationBuilder::default()
        .created(wanted.created.as_str())
        .architecture(Arch::from(wanted.platform.architecture.as_str()))
        .os(Os::from(wanted.platform.os.as_str()))
        .config(wanted.config.to_oci().map_err(build)?)
        .rootfs(rootfs)
        .history(vec![history]);
    if let Some(variant) = &wanted.platform.variant {
        builder = builder.variant(variant.as_str());
    }
    builder.build().map_err(build)
}
