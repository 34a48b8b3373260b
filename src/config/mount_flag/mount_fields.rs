//! The text of `--mount`: a CSV record of `key=value` (V2.03 to V2.09), read into a draft.
//!
//! Here a key is known or not, and a value is of its kind or not. What goes together is
//! `mount_config`'s.

use std::collections::BTreeMap;

use crate::config::request::{CopyUp, MissingSource};
use crate::config::size;

use super::csv_record;
use super::error::FieldError;

/// The types of mounts.
pub(super) const TYPES: [&str; 4] = ["bind", "volume", "tmpfs", "image"];

/// All keys.
pub(super) const KEYS: [&str; 21] = [
    "type",
    "source",
    "src",
    "target",
    "dst",
    "destination",
    "readonly",
    "ro",
    "consistency",
    "bind-propagation",
    "bind-recursive",
    "bind-nonrecursive",
    "bind-create-src",
    "volume-subpath",
    "volume-nocopy",
    "volume-label",
    "volume-driver",
    "volume-opt",
    "image-subpath",
    "tmpfs-size",
    "tmpfs-mode",
];

/// Keys that may stand without a value.
pub(super) const ALONE: [&str; 5] =
    ["readonly", "ro", "volume-nocopy", "bind-nonrecursive", "bind-create-src"];

/// `bind-recursive` (V2.25).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum BindRecursive {
    #[default]
    Enabled,
    Disabled,
    Writable,
    ReadOnly,
}

/// The `bind-*` keys.
#[derive(Debug, Default)]
pub(super) struct BindKeys {
    pub(super) propagation: Option<String>,
    pub(super) recursive: BindRecursive,
    pub(super) missing: Option<MissingSource>,
}

/// The `volume-*` keys.
#[derive(Debug, Default)]
pub(super) struct VolumeKeys {
    pub(super) subpath: Option<String>,
    pub(super) copy_up: CopyUp,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) driver: Option<String>,
    pub(super) options: BTreeMap<String, String>,
}

/// The `tmpfs-*` keys.
#[derive(Debug, Default)]
pub(super) struct TmpfsKeys {
    pub(super) size_bytes: Option<u64>,
    pub(super) mode: Option<u32>,
}

/// A `--mount` as read. A family of keys that is there at all is `Some`.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// `type`, in lower case.
    pub(super) kind: Option<String>,
    pub(super) source: Option<String>,
    pub(super) target: Option<String>,
    pub(super) read_only: bool,
    pub(super) bind: Option<BindKeys>,
    pub(super) volume: Option<VolumeKeys>,
    pub(super) image_subpath: Option<String>,
    pub(super) tmpfs: Option<TmpfsKeys>,
}

/// One field, split.
struct Field<'a> {
    key: String,
    value: Option<&'a str>,
    text: &'a str,
}

impl Draft {
    /// Reads the fields of `text`. Of a repeated key the last one counts (V2.29).
    pub(super) fn read(text: &str) -> Result<Self, FieldError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(FieldError::Empty);
        }
        let mut draft = Self::default();
        for field in csv_record::split(text)? {
            draft.field(&Field::split(&field)?)?;
        }
        Ok(draft)
    }

    fn field(&mut self, field: &Field) -> Result<(), FieldError> {
        let value = field.value.unwrap_or_default();
        match field.key.as_str() {
            "type" => self.kind = Some(value.to_lowercase()),
            "source" | "src" => self.source = Some(value.into()),
            "target" | "dst" | "destination" => self.target = Some(value.into()),
            "readonly" | "ro" => self.read_only = field.boolean()?,
            // Docker Desktop's, without a meaning on Linux (V2.26).
            "consistency" => {}
            "image-subpath" => self.image_subpath = Some(value.into()),
            key if key.starts_with("bind-") => self.bind_field(field, value)?,
            key if key.starts_with("volume-") => self.volume_field(field, value)?,
            key if key.starts_with("tmpfs-") => self.tmpfs_field(field, value)?,
            _ => return Err(field.unknown()),
        }
        Ok(())
    }

    fn bind_field(&mut self, field: &Field, value: &str) -> Result<(), FieldError> {
        let bind = self.bind.get_or_insert_default();
        match field.key.as_str() {
            "bind-propagation" => bind.propagation = Some(value.to_lowercase()),
            "bind-recursive" => {
                bind.recursive = match value {
                    "enabled" => BindRecursive::Enabled,
                    "disabled" => BindRecursive::Disabled,
                    "writable" => BindRecursive::Writable,
                    "readonly" => BindRecursive::ReadOnly,
                    _ => return Err(FieldError::BindRecursive(value.into())),
                }
            }
            "bind-nonrecursive" => return Err(FieldError::BindNonRecursive),
            "bind-create-src" => {
                let create = field.boolean()?;
                bind.missing =
                    Some(if create { MissingSource::Create } else { MissingSource::Refuse });
            }
            _ => return Err(field.unknown()),
        }
        Ok(())
    }

    fn volume_field(&mut self, field: &Field, value: &str) -> Result<(), FieldError> {
        let volume = self.volume.get_or_insert_default();
        let (key, of_key) = value.split_once('=').unwrap_or((value, ""));
        match field.key.as_str() {
            "volume-subpath" => volume.subpath = Some(value.into()),
            "volume-nocopy" => {
                volume.copy_up = if field.boolean()? { CopyUp::No } else { CopyUp::Yes };
            }
            "volume-driver" => volume.driver = Some(value.into()),
            "volume-label" if key.is_empty() => return Err(FieldError::Label(value.into())),
            "volume-label" => {
                volume.labels.insert(key.into(), of_key.into());
            }
            "volume-opt" if key.is_empty() => return Err(FieldError::Option(key.into())),
            "volume-opt" => {
                volume.options.insert(key.into(), of_key.into());
            }
            _ => return Err(field.unknown()),
        }
        Ok(())
    }

    fn tmpfs_field(&mut self, field: &Field, value: &str) -> Result<(), FieldError> {
        let tmpfs = self.tmpfs.get_or_insert_default();
        match field.key.as_str() {
            "tmpfs-size" => {
                let bytes = size::parse_bytes(value).map_err(|reason| FieldError::Number {
                    key: "tmpfs-size",
                    value: value.into(),
                    size: Some(reason),
                })?;
                tmpfs.size_bytes = Some(bytes);
            }
            "tmpfs-mode" => {
                // from_str_radix alone would take a sign.
                let octal = value.bytes().all(|b| b.is_ascii_digit());
                let mode = u32::from_str_radix(value, 8).ok().filter(|_| octal);
                tmpfs.mode = Some(mode.ok_or_else(|| FieldError::Number {
                    key: "tmpfs-mode",
                    value: value.into(),
                    size: None,
                })?);
            }
            _ => return Err(field.unknown()),
        }
        Ok(())
    }
}

impl<'a> Field<'a> {
    fn split(text: &'a str) -> Result<Self, FieldError> {
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (text, None),
        };
        if key.trim() != key {
            return Err(FieldError::BlankKey { key: key.trim().into(), field: text.into() });
        }
        if let Some(value) = value {
            if value.trim().is_empty() {
                return Err(FieldError::EmptyValue(key.into()));
            }
            if value.trim() != value {
                return Err(FieldError::BlankValue { key: key.into(), field: text.into() });
            }
        }
        let key = key.to_lowercase();
        if value.is_none() && !ALONE.contains(&key.as_str()) {
            return Err(FieldError::NoValue(text.into()));
        }
        Ok(Self { key, value, text })
    }

    fn boolean(&self) -> Result<bool, FieldError> {
        match self.value {
            None | Some("true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(value) => Err(FieldError::Boolean { key: self.key.clone(), value: value.into() }),
        }
    }

    fn unknown(&self) -> FieldError {
        FieldError::UnknownKey { key: self.key.clone(), field: self.text.into() }
    }
}
