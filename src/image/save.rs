//! Images packed for other tools: Docker's archive with an OCI layout inside.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read, Write};

use oci_spec::image::{Descriptor, ImageIndexBuilder, ImageManifest, OciLayoutBuilder};
use serde::Serialize;

use super::digest::Digest;
use super::reference::Reference;
use super::store::{FULL_NAME, Image, ImageError, ImageStore, REF_NAME, canonical};
use crate::facts::file;

/// Why nothing was saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The store.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A blob could not be read.
    #[error("cannot read blob {digest}: {source}")]
    Read {
        /// Which blob.
        digest: Digest,
        /// Why.
        source: io::Error,
    },
    /// The archive could not be written.
    #[error("cannot write the archive: {0}")]
    Write(io::Error),
}

/// One image, and the names that are saved with it.
struct Chosen {
    image: Image,
    descriptor: Descriptor,
    references: Vec<Reference>,
}

/// One image in `manifest.json`. The names and their order are Docker's.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
    layer_sources: BTreeMap<String, Descriptor>,
}

impl ImageStore {
    /// Writes images to `out`. A name without a tag means all tags, as with Docker; an id none.
    pub fn save(&self, wanted: &[String], out: &mut File) -> Result<(), SaveError> {
        let _held = self.hold()?;
        let chosen = self.choose(wanted)?;
        let mut archive = Writer { out };
        archive.directory("blobs/")?;
        archive.directory("blobs/sha256/")?;
        let mut blobs = BTreeSet::new();
        for item in &chosen {
            blobs.extend([&item.image.manifest, &item.image.id]);
            blobs.extend(&item.image.blobs);
        }
        for digest in blobs {
            self.write_blob(&mut archive, digest)?;
        }
        archive.file("index.json", &index(&chosen)?)?;
        archive.file("manifest.json", &self.manifest_json(&chosen)?)?;
        let layout = OciLayoutBuilder::default()
            .image_layout_version("1.0.0")
            .build()
            .map_err(|e| ImageError::build("layout", e))?;
        archive.file("oci-layout", &canonical("layout", &layout)?)?;
        let names = repositories(&chosen);
        if !names.is_empty() {
            archive.file("repositories", &canonical("list of names", &names)?)?;
        }
        archive.end()
    }

    fn choose(&self, wanted: &[String]) -> Result<Vec<Chosen>, ImageError> {
        let all = self.list()?.images;
        let mut chosen: Vec<Chosen> = Vec::new();
        for text in wanted {
            let mut found = Vec::new();
            if let Ok(name) = Reference::parse(text) {
                let bare = name.tag().is_none() && name.digest().is_none();
                let full = name.with_default_tag();
                let fits = |r: &&Reference| **r == full || (bare && r.same_repository(&full));
                for image in &all {
                    let names: Vec<_> = image.references.iter().filter(fits).cloned().collect();
                    if !names.is_empty() {
                        found.push((image.clone(), names));
                    }
                }
            }
            if found.is_empty() {
                found.push((self.get(text)?, Vec::new()));
            }
            for (image, names) in found {
                self.add_choice(&mut chosen, image, names)?;
            }
        }
        Ok(chosen)
    }

    fn add_choice(
        &self,
        chosen: &mut Vec<Chosen>,
        image: Image,
        names: Vec<Reference>,
    ) -> Result<(), ImageError> {
        if let Some(known) = chosen.iter_mut().find(|c| c.image.manifest == image.manifest) {
            known.references.extend(names);
            known.references.sort();
            known.references.dedup();
            return Ok(());
        }
        let descriptor = self.descriptor(&image.manifest)?;
        chosen.push(Chosen { image, descriptor, references: names });
        Ok(())
    }

    fn write_blob(&self, archive: &mut Writer<'_>, digest: &Digest) -> Result<(), SaveError> {
        let read = |source| SaveError::Read { digest: digest.clone(), source };
        let blob = file::open(&self.blob_path(digest)).map_err(read)?;
        let size = blob.metadata().map_err(read)?.len();
        archive.header(&format!("blobs/sha256/{}", digest.hex()), tar::EntryType::Regular, size)?;
        // Both ends are files, so the kernel copies.
        let copied = io::copy(&mut blob.take(size), archive.out).map_err(SaveError::Write)?;
        if copied != size {
            return Err(read(io::ErrorKind::UnexpectedEof.into()));
        }
        archive.pad(size)
    }

    fn manifest_json(&self, chosen: &[Chosen]) -> Result<Vec<u8>, SaveError> {
        let path = |d: &Digest| format!("blobs/sha256/{}", d.hex());
        let mut items = Vec::new();
        for Chosen { image, references, .. } in chosen {
            let manifest: ImageManifest = self.read_manifest(&image.manifest)?;
            let names: Vec<String> = references.iter().map(ToString::to_string).collect();
            items.push(Item {
                config: path(&image.id),
                repo_tags: (!names.is_empty()).then_some(names),
                layers: image.blobs.iter().map(path).collect(),
                layer_sources: image
                    .diff_ids
                    .iter()
                    .map(ToString::to_string)
                    .zip(manifest.layers().iter().cloned())
                    .collect(),
            });
        }
        Ok(serde_json::to_vec(&items).map_err(|e| ImageError::build("list of images", e))?)
    }
}

/// As Docker writes it: the full name in one annotation, the tag alone in the other.
fn index(chosen: &[Chosen]) -> Result<Vec<u8>, ImageError> {
    let mut manifests = Vec::new();
    for Chosen { descriptor, references, .. } in chosen {
        let mut bare = descriptor.clone();
        bare.set_annotations(None);
        for name in references {
            let mut named = bare.clone();
            let tag = name.tag().unwrap_or_default().to_string();
            let annotations =
                HashMap::from([(FULL_NAME.to_string(), name.full()), (REF_NAME.into(), tag)]);
            named.set_annotations(Some(annotations));
            manifests.push(named);
        }
        if references.is_empty() {
            manifests.push(bare);
        }
    }
    let index = ImageIndexBuilder::default()
        .schema_version(2u32)
        .media_type("application/vnd.oci.image.index.v1+json")
        .manifests(manifests)
        .build()
        .map_err(|e| ImageError::build("index", e))?;
    canonical("index", &index)
}

/// The oldest form: repository → tag → the topmost layer.
fn repositories(chosen: &[Chosen]) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut all: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for Chosen { image, references, .. } in chosen {
        let top = image.blobs.last().map(|d| d.hex().to_string()).unwrap_or_default();
        for name in references {
            let tags = all.entry(name.familiar_repository()).or_default();
            tags.insert(name.tag().unwrap_or_default().into(), top.clone());
        }
    }
    all
}

/// Writes members with fixed owners and times: the same images give the same archive.
struct Writer<'a> {
    out: &'a mut File,
}

impl Writer<'_> {
    fn header(&mut self, path: &str, kind: tar::EntryType, size: u64) -> Result<(), SaveError> {
        let mut header = tar::Header::new_ustar();
        header.set_path(path).map_err(SaveError::Write)?;
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(if kind.is_dir() { 0o755 } else { 0o644 });
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        self.write(header.as_bytes())
    }

    fn directory(&mut self, path: &str) -> Result<(), SaveError> {
        self.header(path, tar::EntryType::Directory, 0)
    }

    fn file(&mut self, path: &str, content: &[u8]) -> Result<(), SaveError> {
        let size = content.len() as u64;
        self.header(path, tar::EntryType::Regular, size)?;
        self.write(content)?;
        self.pad(size)
    }

    fn pad(&mut self, size: u64) -> Result<(), SaveError> {
        let rest = usize::try_from(size % 512).unwrap_or_default();
        if rest == 0 { Ok(()) } else { self.write(&[0; 512][rest..]) }
    }

    fn end(&mut self) -> Result<(), SaveError> {
        self.write(&[0; 1024])
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), SaveError> {
        self.out.write_all(bytes).map_err(SaveError::Write)
    }
}
