//! From an image's name to the manifest of the image for one platform.

use std::io::Read;

use oci_spec::image::{Descriptor, ImageIndex, MediaType};
use ureq::http::StatusCode;
use ureq::http::header::CONTENT_TYPE;

use super::answer::{Answer, unexpected, words};
use super::client::Client;
use super::error::RegistryError;
use super::media::{self, Kind};
use crate::image::digest::Digest;
use crate::image::import::Platform;
use crate::image::reference::Reference;
use crate::image::store::descriptor;

/// Manifests are small; what is larger is an attack, or none. Docker's bound.
const MAX_MANIFEST_BYTES: u64 = 4 << 20;

/// A manifest as the registry has it.
#[derive(Debug)]
pub struct Found {
    /// Its media type.
    pub media_type: String,
    /// Its digest, computed here.
    pub digest: Digest,
    /// It.
    pub text: Vec<u8>,
}

/// The manifest of one image.
#[derive(Debug)]
pub struct Resolved {
    /// The digest by which the registry knows the name: of a list, if there is one.
    pub digest: Digest,
    /// The image's own manifest.
    pub manifest: Found,
}

/// Asks for the manifest that a name stands for, and through a list for that of a platform.
pub fn resolve(
    client: &Client,
    name: &Reference,
    platform: &Platform,
) -> Result<Resolved, RegistryError> {
    let found = get(client, name, &tag_or_digest(name))?;
    if media::kind(&found.media_type) == Some(Kind::Image) {
        return Ok(Resolved { digest: found.digest.clone(), manifest: found });
    }
    let list: ImageIndex = serde_json::from_slice(&found.text)
        .map_err(|e| RegistryError::NoImage { name: name.to_string(), why: e.to_string() })?;
    let chosen = choose(list.manifests(), platform)
        .ok_or_else(|| RegistryError::NoPlatform(platform.to_string()))?;
    let manifest = get(client, name, chosen.digest().as_ref())?;
    match media::kind(&manifest.media_type) {
        Some(Kind::Image) => Ok(Resolved { digest: found.digest, manifest }),
        _ => Err(no_image(name, "its list leads to another list")),
    }
}

impl Found {
    /// The descriptor under which a store keeps it.
    pub fn descriptor(&self) -> Result<Descriptor, RegistryError> {
        let media_type = MediaType::from(self.media_type.as_str());
        Ok(descriptor(media_type, &self.digest, self.text.len() as u64)?)
    }
}

fn tag_or_digest(name: &Reference) -> String {
    match (name.digest(), name.tag()) {
        (Some(digest), _) => digest.to_string(),
        (None, tag) => tag.unwrap_or("latest").to_owned(),
    }
}

fn no_image(name: &Reference, why: &str) -> RegistryError {
    RegistryError::NoImage { name: name.to_string(), why: why.to_owned() }
}

/// Gets one manifest; by digest it must be that one.
fn get(client: &Client, name: &Reference, which: &str) -> Result<Found, RegistryError> {
    let wanted = match which.contains(':') {
        true => Some(Digest::parse(which).map_err(|e| no_image(name, &e.to_string()))?),
        false => None,
    };
    let headers = media::ACCEPT.map(|kind| ("accept", kind.to_owned())).to_vec();
    let answer = client.get(&format!("/v2/{}/manifests/{which}", name.path()), headers)?;
    let answer = accepted(answer, name)?;
    let header = |key| {
        let value = answer.response.headers().get(key).and_then(|h| h.to_str().ok());
        value.map(str::to_owned)
    };
    let (announced, media_type) = (header("docker-content-digest"), header(CONTENT_TYPE.as_str()));
    let url = super::url::shown(&answer.url);
    let mut text = Vec::new();
    let body = answer.response.into_body().into_reader();
    body.take(MAX_MANIFEST_BYTES + 1)
        .read_to_end(&mut text)
        .map_err(|e| RegistryError::Broken { url, cause: e.to_string() })?;
    if text.len() as u64 > MAX_MANIFEST_BYTES {
        let what = format!("the manifest of {name}");
        return Err(RegistryError::Size { what, announced: MAX_MANIFEST_BYTES });
    }
    let digest = Digest::of(&text);
    // Without a digest in the name the registry's own word for it must at least be true.
    let wanted = wanted.or_else(|| announced.and_then(|text| Digest::parse(&text).ok()));
    if let Some(wanted) = wanted.filter(|wanted| *wanted != digest) {
        return Err(RegistryError::Digest { what: "manifest", wanted, actual: digest });
    }
    let media_type = media_type_of(&text, media_type.as_deref(), name)?;
    Ok(Found { media_type, digest, text })
}

/// The manifest's own word counts, then the header's. One that fits both kinds is refused: two
/// readers could see two images in it (CVE-2021-41190).
fn media_type_of(
    text: &[u8],
    header: Option<&str>,
    name: &Reference,
) -> Result<String, RegistryError> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Shape {
        media_type: Option<String>,
        config: Option<serde_json::Value>,
        layers: Option<serde_json::Value>,
        manifests: Option<serde_json::Value>,
    }
    let shape: Shape =
        serde_json::from_slice(text).map_err(|e| no_image(name, &format!("its manifest: {e}")))?;
    let header = header.map(|value| value.split(';').next().unwrap_or_default().trim());
    let media_type = shape.media_type.as_deref().or(header).unwrap_or(media::OCI_MANIFEST);
    let is_list = shape.manifests.is_some();
    let is_image = shape.config.is_some() || shape.layers.is_some();
    match media::kind(media_type) {
        Some(Kind::List) if is_list && !is_image => Ok(media_type.to_owned()),
        Some(Kind::Image) if is_image && !is_list => Ok(media_type.to_owned()),
        Some(_) => Err(no_image(name, "its manifest is not of the kind that it says")),
        None => Err(no_image(name, &format!("its manifest is of type {media_type}"))),
    }
}

/// A registry tells nobody whether an image is not there or not for him.
fn accepted(answer: Answer, name: &Reference) -> Result<Answer, RegistryError> {
    let denied = "denied: requested access to the resource is denied";
    match answer.response.status() {
        StatusCode::OK => Ok(answer),
        StatusCode::NOT_FOUND => {
            let cause = words(answer.response, "manifest unknown: manifest unknown");
            Err(RegistryError::NotFound { name: name.to_string(), cause })
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let cause = words(answer.response, denied);
            Err(RegistryError::Denied { name: name.familiar_repository(), cause })
        }
        _ => Err(unexpected(answer)),
    }
}

/// The manifest for a platform: exact, or one whose variant does not matter.
fn choose<'a>(manifests: &'a [Descriptor], wanted: &Platform) -> Option<&'a Descriptor> {
    let variant = |d: &Descriptor| d.platform().as_ref().and_then(|p| p.variant().clone());
    let fits = |d: &&Descriptor| {
        d.platform().as_ref().is_some_and(|p| {
            p.os().to_string() == wanted.os && p.architecture().to_string() == wanted.architecture
        })
    };
    let fitting: Vec<&Descriptor> = manifests.iter().filter(fits).collect();
    match &wanted.variant {
        Some(_) => {
            let exact = fitting.iter().find(|d| variant(d) == wanted.variant);
            // arm64 is v8 whether it says so or not.
            exact.or_else(|| fitting.iter().find(|d| variant(d).is_none())).copied()
        }
        None => fitting.iter().find(|d| variant(d).is_none()).or(fitting.first()).copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[(&str, &str, Option<&str>)]) -> Vec<Descriptor> {
        let one = |(n, (os, architecture, variant)): (usize, &(&str, &str, Option<&str>))| {
            let mut platform = serde_json::json!({"os": os, "architecture": architecture});
            if let Some(variant) = variant {
                platform["variant"] = (*variant).into();
            }
            serde_json::from_value(serde_json::json!({
                "mediaType": media::OCI_MANIFEST, "size": n,
                "digest": Digest::of(&[]).to_string(), "platform": platform,
            }))
            .unwrap()
        };
        entries.iter().enumerate().map(one).collect()
    }

    /// Which entry of a list is taken for which platform.
    #[test]
    fn platforms() {
        let entries = list(&[
            ("unknown", "unknown", None),
            ("linux", "arm", Some("v6")),
            ("linux", "arm", Some("v7")),
            ("linux", "arm64", Some("v8")),
            ("windows", "amd64", None),
            ("linux", "amd64", Some("v3")),
            ("linux", "amd64", None),
            ("linux", "s390x", None),
        ]);
        let cases = [
            ("linux/amd64", Some(6)),
            ("linux/amd64/v3", Some(5)),
            ("linux/amd64/v2", Some(6)),
            ("linux/arm", Some(1)),
            ("linux/arm/v7", Some(2)),
            ("linux/arm/v5", None),
            ("linux/arm64", Some(3)),
            ("linux/s390x/z", Some(7)),
            ("linux/riscv64", None),
        ];
        for (platform, wanted) in cases {
            let found = choose(&entries, &Platform::parse(platform).unwrap());
            assert_eq!(found.map(Descriptor::size), wanted, "{platform}");
        }
    }

    /// What a manifest says of itself, the header, and a manifest that is two things at once.
    #[test]
    fn kinds() {
        let name = Reference::parse("x").unwrap();
        let kind = |text: &str, header| media_type_of(text.as_bytes(), header, &name);
        let docker = "application/vnd.docker.distribution.manifest.v2+json";
        let index = "application/vnd.oci.image.index.v1+json";
        assert_eq!(kind(r#"{"config": {}, "layers": []}"#, None).unwrap(), media::OCI_MANIFEST);
        let header = format!("{docker}; charset=utf-8");
        assert_eq!(kind(r#"{"config": {}, "layers": []}"#, Some(&header)).unwrap(), docker);
        assert_eq!(kind(r#"{"manifests": []}"#, Some(index)).unwrap(), index);
        for (text, header) in [
            (r#"{"manifests": []}"#, None),
            (r#"{"manifests": [], "layers": []}"#, Some(index)),
            (r#"{"manifests": [], "layers": []}"#, Some(docker)),
            (
                r#"{"schemaVersion": 1}"#,
                Some("application/vnd.docker.distribution.manifest.v1+json"),
            ),
            (r#"{}"#, Some(index)),
            ("[", Some(docker)),
        ] {
            assert!(matches!(kind(text, header), Err(RegistryError::NoImage { .. })), "{text}");
        }
    }
}
