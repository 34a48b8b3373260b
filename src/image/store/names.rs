//! Names in the index: which manifest has which, as a pure function of the list.
//!
//! A name is a descriptor of its own with the annotation that other tools look for; an image
//! without a name has one descriptor without it. Descriptors that mean nothing to us stay.

use std::collections::{BTreeMap, HashMap};

use oci_spec::image::{Descriptor, MediaType};

use crate::image::digest::Digest;
use crate::image::reference::Reference;

/// What `skopeo` and `umoci` look for.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// What containerd writes: the name in full.
pub const FULL_NAME: &str = "io.containerd.image.name";

/// The digest by which a registry knows the name, where that is a list of images for several
/// machines, of which this one was taken.
const LISTED: &str = "rrun.image.list-digest";

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// Does it describe one image, not a list of them or something else?
pub fn is_manifest(descriptor: &Descriptor) -> bool {
    match descriptor.media_type() {
        MediaType::ImageManifest => true,
        MediaType::Other(other) => other == DOCKER_MANIFEST,
        _ => false,
    }
}

/// The digest of a descriptor, if it is one that can be in our store.
pub fn digest(descriptor: &Descriptor) -> Option<Digest> {
    Digest::parse(descriptor.digest().as_ref()).ok()
}

/// The name that a descriptor gives.
pub fn reference(descriptor: &Descriptor) -> Option<Reference> {
    let annotations = descriptor.annotations().as_ref()?;
    let parse = |key| annotations.get(key).and_then(|t: &String| Reference::parse(t).ok());
    parse(FULL_NAME).or_else(|| parse(REF_NAME)).map(Reference::with_default_tag)
}

/// The list that a name meant when the image came from a registry.
pub fn listed(descriptor: &Descriptor) -> Option<Digest> {
    Digest::parse(descriptor.annotations().as_ref()?.get(LISTED)?).ok()
}

/// All manifests, each once, in the order of the index.
pub fn manifests(index: &[Descriptor]) -> Vec<Digest> {
    let mut seen = Vec::new();
    for found in index.iter().filter(|d| is_manifest(d)).filter_map(digest) {
        if !seen.contains(&found) {
            seen.push(found);
        }
    }
    seen
}

/// The names of a manifest, sorted.
pub fn references(index: &[Descriptor], manifest: &Digest) -> Vec<Reference> {
    let mut names: Vec<Reference> = index
        .iter()
        .filter(|d| digest(d).as_ref() == Some(manifest))
        .filter_map(reference)
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The lists that a manifest's names meant.
pub fn lists(index: &[Descriptor], manifest: &Digest) -> BTreeMap<Reference, Digest> {
    let own = index.iter().filter(|d| digest(d).as_ref() == Some(manifest));
    own.filter_map(|d| Some((reference(d)?, listed(d)?))).collect()
}

/// The manifest that a name stands for. With a digest that must be the manifest's, or that of the
/// list that it was taken from, under any tag.
pub fn find(index: &[Descriptor], wanted: &Reference) -> Option<Digest> {
    let fits = |d: &&Descriptor| {
        let Some(name) = reference(d) else { return false };
        let Some(own) = wanted.digest() else { return name == *wanted };
        // What was fetched by its digest has no tag.
        let tag_fits = wanted.tag().is_none() || name.tag().is_none() || wanted.tag() == name.tag();
        let digest_fits = digest(d).as_ref() == Some(own) || listed(d).as_ref() == Some(own);
        name.same_repository(wanted) && tag_fits && digest_fits
    };
    index.iter().filter(|d| is_manifest(d)).find(fits).and_then(digest)
}

/// Adds an image, without a name if it has none yet.
pub fn add(index: &mut Vec<Descriptor>, descriptor: &Descriptor) {
    if !index.iter().any(|d| d.digest() == descriptor.digest()) {
        let mut bare = descriptor.clone();
        bare.set_annotations(None);
        index.push(bare);
    }
}

/// Gives a name to an image of the index. Who had it before loses it, and is returned.
pub fn name(
    index: &mut Vec<Descriptor>,
    manifest: &Digest,
    (reference, list): (&Reference, Option<&Digest>),
) -> Option<Digest> {
    let has_it = |d: &&Descriptor| is_manifest(d) && self::reference(d).as_ref() == Some(reference);
    let holder = index.iter().find(has_it);
    let before = holder.and_then(digest);
    if before.as_ref() == Some(manifest) && holder.and_then(listed).as_ref() == list {
        return None;
    }
    unname(index, reference);
    let own = |d: &Descriptor| is_manifest(d) && digest(d).as_ref() == Some(manifest);
    let mut named = index.iter().find(|d| own(d))?.clone();
    let mut annotations = HashMap::new();
    annotations.insert(REF_NAME.into(), reference.to_string());
    annotations.insert(FULL_NAME.into(), reference.full());
    if let Some(list) = list {
        annotations.insert(LISTED.into(), list.to_string());
    }
    named.set_annotations(Some(annotations));
    index.retain(|d| !own(d) || self::reference(d).is_some());
    index.push(named);
    before.filter(|before| before != manifest)
}

/// Takes a name away; its image stays, without a name if it was the last.
pub fn unname(index: &mut Vec<Descriptor>, name: &Reference) -> Option<Digest> {
    let at = index.iter().position(|d| is_manifest(d) && reference(d).as_ref() == Some(name))?;
    let removed = index.remove(at);
    add(index, &removed);
    digest(&removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(content: &str) -> (Descriptor, Digest) {
        let digest = Digest::of(content.as_bytes());
        let text = digest.to_string();
        let parsed: oci_spec::image::Digest = text.parse().unwrap();
        (Descriptor::new(MediaType::ImageManifest, 1, parsed), digest)
    }

    fn named(text: &str) -> Reference {
        Reference::parse(text).unwrap().with_default_tag()
    }

    /// A name moves from image to image; an image that loses its last one stays.
    #[test]
    fn names_move() {
        let ((a, first), (b, second)) = (image("a"), image("b"));
        let mut index = Vec::new();
        add(&mut index, &a);
        add(&mut index, &a);
        add(&mut index, &b);
        assert_eq!(index.len(), 2);
        assert_eq!(name(&mut index, &first, (&named("x"), None)), None);
        assert_eq!(name(&mut index, &first, (&named("x"), None)), None);
        assert_eq!(name(&mut index, &first, (&named("y:1"), None)), None);
        assert_eq!(references(&index, &first), [named("x"), named("y:1")]);
        assert_eq!(index.len(), 3);
        assert_eq!(name(&mut index, &second, (&named("x"), None)), Some(first.clone()));
        assert_eq!(references(&index, &first), [named("y:1")]);
        assert_eq!(unname(&mut index, &named("y:1")), Some(first.clone()));
        assert_eq!((references(&index, &first).len(), index.len()), (0, 2));
        assert_eq!(find(&index, &named("x")), Some(second));
        assert_eq!(manifests(&index).len(), 2);
    }

    /// A digest in the name must be the image's own, in the same repository.
    #[test]
    fn by_digest() {
        let (a, first) = image("a");
        let mut index = vec![a];
        name(&mut index, &first, (&named("host:5000/x:1"), None));
        let cases = [
            (format!("host:5000/x@{first}"), true),
            (format!("host:5000/x:1@{first}"), true),
            (format!("host:5000/x:2@{first}"), false),
            (format!("x@{first}"), false),
            (format!("host:5000/x@{}", Digest::of(b"b")), false),
        ];
        for (text, found) in cases {
            assert_eq!(find(&index, &named(&text)).is_some(), found, "{text}");
        }
        // The digest of the list does as well, and another image's list does not.
        let list = Digest::of(b"list");
        let by_list = named(&format!("y@{list}"));
        assert_eq!(name(&mut index, &first, (&named("y"), Some(&list))), None);
        assert_eq!(find(&index, &by_list), Some(first.clone()));
        assert_eq!(find(&index, &named(&format!("host:5000/x@{list}"))), None);
        // Fetched by the digest it has no tag, and any tag fits.
        assert_eq!(name(&mut index, &first, (&named("y"), None)), None);
        assert_eq!(find(&index, &by_list), None);
        assert_eq!(name(&mut index, &first, (&by_list, Some(&list))), None);
        assert_eq!(find(&index, &named(&format!("y:7@{list}"))), Some(first));
    }
}
