//! Names of images: `alpine`, `rr/nocmd:latest`, `host:5000/x/y@sha256:…`.
//!
//! A reference is kept in full (`docker.io`, `library/alpine`) and shown in the familiar form, as
//! Docker does. The grammar is that of the distribution project; the error texts are Docker's.

use std::fmt;

use super::digest::Digest;

/// Why a text is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Outside the grammar.
    #[error("invalid reference format: {0:?}")]
    Format(String),
    /// A repository name with capital letters.
    #[error("invalid reference format: repository name ({0}) must be lowercase")]
    Lowercase(String),
    /// A repository name that looks like an id.
    #[error("invalid repository name ({0}), cannot specify 64-byte hexadecimal strings")]
    LooksLikeId(String),
    /// A repository name that is too long.
    #[error("repository name must not be more than 255 characters: {0:?}")]
    TooLong(String),
    /// A digest that is none.
    #[error("invalid reference format: {0}")]
    Digest(#[from] super::digest::DigestError),
}

/// The registry that a name without one means.
const DEFAULT_DOMAIN: &str = "docker.io";
/// The prefix of the default registry's names without a slash.
const OFFICIAL: &str = "library/";
/// The tag that a name without one means.
const DEFAULT_TAG: &str = "latest";

/// An image's name in full.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Parses a name as a user writes it.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let bad = || ReferenceError::Format(text.into());
        if text.len() == 64 && Digest::from_hex(text).is_some() {
            return Err(ReferenceError::LooksLikeId(text.into()));
        }
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(Digest::parse(digest)?)),
            None => (text, None),
        };
        let (domain, rest) = split_domain(name);
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (rest, None),
        };
        if !tag.is_none_or(is_tag) || !is_domain(domain) {
            return Err(bad());
        }
        let mut full = path.to_string();
        if domain == DEFAULT_DOMAIN && !path.contains('/') {
            full.insert_str(0, OFFICIAL);
        }
        if path.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(ReferenceError::Lowercase(full));
        }
        if !full.split('/').all(is_path_part) {
            return Err(bad());
        }
        if domain.len() + 1 + full.len() > 255 {
            return Err(ReferenceError::TooLong(text.into()));
        }
        Ok(Self { domain: domain.into(), path: full, tag: tag.map(Into::into), digest })
    }

    /// The same name with the tag `latest` where it has neither tag nor digest.
    #[must_use]
    pub fn with_default_tag(mut self) -> Self {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some(DEFAULT_TAG.into());
        }
        self
    }

    /// The registry: `docker.io`, `host:5000`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository within the registry: `library/alpine`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same repository with this tag, and no digest; if it can be one.
    pub fn tagged(&self, tag: &str) -> Option<Self> {
        let tag = is_tag(tag).then(|| tag.to_owned())?;
        Some(Self { tag: Some(tag), digest: None, ..self.clone() })
    }

    /// The same name by its digest alone, where it has one.
    #[must_use]
    pub fn without_tag_beside_digest(mut self) -> Self {
        if self.digest.is_some() {
            self.tag = None;
        }
        self
    }

    /// The tag, if it has one.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if it has one.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The name without tag and digest, as Docker shows it: `alpine`, `host:5000/x/y`.
    pub fn familiar_repository(&self) -> String {
        if self.domain != DEFAULT_DOMAIN {
            return format!("{}/{}", self.domain, self.path);
        }
        match self.path.strip_prefix(OFFICIAL) {
            Some(short) if !short.contains('/') => short.into(),
            _ => self.path.clone(),
        }
    }

    /// Nothing hidden: `docker.io/library/alpine:latest`.
    pub fn full(&self) -> String {
        format!("{}/{}{}", self.domain, self.path, self.suffix())
    }

    /// Do both name the same repository?
    pub fn same_repository(&self, other: &Reference) -> bool {
        self.domain == other.domain && self.path == other.path
    }

    fn suffix(&self) -> String {
        let tag = self.tag.as_ref().map(|t| format!(":{t}")).unwrap_or_default();
        let digest = self.digest.as_ref().map(|d| format!("@{d}")).unwrap_or_default();
        tag + &digest
    }
}

/// The familiar form with tag and digest: `alpine:latest`.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.familiar_repository(), self.suffix())
    }
}

impl std::str::FromStr for Reference {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        Self::parse(text)
    }
}

/// The first part is a registry only if it looks like a host: a dot, a port, or `localhost`.
fn split_domain(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':'])
                || first == "localhost"
                || first.bytes().any(|b| b.is_ascii_uppercase()) =>
        {
            (if first == "index.docker.io" { DEFAULT_DOMAIN } else { first }, rest)
        }
        _ => (DEFAULT_DOMAIN, name),
    }
}

/// Is it a registry's `host[:port]`?
pub fn is_domain(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port_fits = port.is_none_or(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    if let Some(inner) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return port_fits && inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let label = |l: &str| {
        !l.is_empty()
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    port_fits && host.split('.').all(label)
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let mut bytes = text.bytes();
    bytes.next().is_some_and(word)
        && text.len() <= 128
        && bytes.all(|b| word(b) || matches!(b, b'.' | b'-'))
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_part(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    if !bytes.first().is_some_and(|b| letter(*b)) || !bytes.last().is_some_and(|b| letter(*b)) {
        return false;
    }
    bytes.split(|b| letter(*b)).all(|between| {
        matches!(between, b"" | b"." | b"_" | b"__") || between.iter().all(|b| *b == b'-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /// What users write, in full and as it is shown again.
    #[test]
    fn names() {
        let digested = format!("host:5000/x/y@sha256:{HEX}");
        let cases = [
            ("alpine", "docker.io/library/alpine:latest", "alpine:latest"),
            ("alpine:3", "docker.io/library/alpine:3", "alpine:3"),
            ("docker.io/library/alpine:3", "docker.io/library/alpine:3", "alpine:3"),
            ("index.docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest"),
            ("rr/nocmd:latest", "docker.io/rr/nocmd:latest", "rr/nocmd:latest"),
            ("localhost/a", "localhost/a:latest", "localhost/a:latest"),
            ("host:5000/x/y:v1", "host:5000/x/y:v1", "host:5000/x/y:v1"),
            ("[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"),
            ("a__b--c.d", "docker.io/library/a__b--c.d:latest", "a__b--c.d:latest"),
            (&digested, &digested, &digested),
        ];
        for (text, full, familiar) in cases {
            let parsed = Reference::parse(text).unwrap().with_default_tag();
            assert_eq!(parsed.full(), full, "{text}");
            assert_eq!(parsed.to_string(), familiar, "{text}");
            assert_eq!(Reference::parse(&parsed.to_string()).unwrap(), parsed, "{text}");
        }
    }

    /// What is no name: the text never reaches a path or an annotation.
    #[test]
    fn refused() {
        let long = "a/".repeat(128) + "a";
        for text in [
            "",
            ":",
            "a:",
            "/a",
            "a/",
            "a//b",
            "..",
            "../a",
            "a/../b",
            "a b",
            "a\nb",
            "-a",
            "a-",
            "a___b",
            "a..b",
            "a:-x",
            "a@sha256:00",
            "a@md5:00",
            "a:b:c",
            "host:/x",
            "-h.x/a",
            HEX,
            "Foo",
            "a/B",
            "ä",
            &long,
        ] {
            assert!(Reference::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(Reference::parse("Foo"), Err(ReferenceError::Lowercase("library/Foo".into())));
        assert_eq!(Reference::parse(HEX), Err(ReferenceError::LooksLikeId(HEX.into())));
    }
}
