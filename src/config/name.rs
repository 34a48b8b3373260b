//! The names of volumes, containers and OCI ids: three grammars, three types.
//!
//! They become file names below the store, so what is not in the grammar never gets further.

use std::fmt;

/// Why a text is no name. The words are Docker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A name of one letter.
    #[error("volume name is too short, names should be at least two alphanumeric characters")]
    VolumeTooShort,
    /// Characters outside the grammar.
    #[error(
        "\"{0}\" includes invalid characters for a local volume name, only \
         \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, \
         use absolute path"
    )]
    VolumeCharacters(String),
    /// Longer than a file name can be.
    #[error("\"{0}\" is longer than the 255 bytes that a file name can have: file name too long")]
    TooLong(String),
    /// A container name outside the grammar.
    #[error("Invalid container name ({0}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")]
    Container(String),
    /// An OCI id outside the grammar.
    #[error(
        "invalid character in container ID {0:?}: only [a-zA-Z0-9_+.-] are allowed, and no leading \
         dot"
    )]
    Id(String),
    /// An empty OCI id.
    #[error("invalid container ID: it is empty")]
    EmptyId,
}

/// The longest file name of Linux (NAME_MAX).
const NAME_MAX: usize = 255;

fn docker_grammar(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(d)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name_type! {
    /// A volume's name: `[a-zA-Z0-9][a-zA-Z0-9_.-]+` (V1.26).
    VolumeName
}
name_type! {
    /// A container's name: the same grammar as a volume's (V12.10).
    ContainerName
}
name_type! {
    /// An OCI container id: also `_` and `+`, no leading dot.
    ContainerId
}

impl VolumeName {
    /// Parses a volume name. The order of the checks is Docker's, so is the text.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.len() == 1 && docker_grammar(text) {
            return Err(NameError::VolumeTooShort);
        }
        if !docker_grammar(text) {
            return Err(NameError::VolumeCharacters(text.into()));
        }
        if text.len() > NAME_MAX {
            return Err(NameError::TooLong(text.into()));
        }
        Ok(Self(text.into()))
    }
}

impl ContainerName {
    /// Parses a container name; one leading `/` is Docker's and dropped.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let bare = text.strip_prefix('/').unwrap_or(text);
        if bare.len() < 2 || !docker_grammar(bare) {
            return Err(NameError::Container(text.into()));
        }
        if bare.len() > NAME_MAX {
            return Err(NameError::TooLong(text.into()));
        }
        Ok(Self(bare.into()))
    }
}

impl ContainerId {
    /// Parses an OCI id.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'.' | b'-');
        if text.is_empty() {
            return Err(NameError::EmptyId);
        }
        if text.starts_with('.') || !text.bytes().all(allowed) {
            return Err(NameError::Id(text.into()));
        }
        if text.len() > NAME_MAX {
            return Err(NameError::TooLong(text.into()));
        }
        Ok(Self(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// V1.26, V1.05, V1.27: which texts are volume names.
    #[test]
    fn volume_names() {
        let long = "a".repeat(256);
        let cases: [(&str, Option<NameError>); 10] = [
            ("data", None),
            ("0a", None),
            ("A_.-", None),
            ("d", Some(NameError::VolumeTooShort)),
            ("_a", Some(NameError::VolumeCharacters("_a".into()))),
            ("a/b", Some(NameError::VolumeCharacters("a/b".into()))),
            ("..", Some(NameError::VolumeCharacters("..".into()))),
            ("", Some(NameError::VolumeCharacters("".into()))),
            ("a\0b", Some(NameError::VolumeCharacters("a\0b".into()))),
            (&long, Some(NameError::TooLong(long.clone()))),
        ];
        for (text, wrong) in cases {
            assert_eq!(VolumeName::parse(text).err(), wrong, "{text:?}");
        }
    }

    /// V12.10: a leading slash is dropped, one letter is refused.
    #[test]
    fn container_names() {
        assert_eq!(ContainerName::parse("/web").map(|n| n.0), Ok("web".into()));
        for text in ["w", "", "/", "a b", "-x", "//ab"] {
            assert!(ContainerName::parse(text).is_err(), "{text:?}");
        }
    }

    /// Ids that engines use pass, those that leave the directory do not.
    #[test]
    fn container_ids() {
        for text in ["a", "k8s_pod+1.x-y", "_x", "+"] {
            assert!(ContainerId::parse(text).is_ok(), "{text:?}");
        }
        for text in ["", ".", "..", ".a", "a/b", "a b", "ä"] {
            assert!(ContainerId::parse(text).is_err(), "{text:?}");
        }
    }
}
