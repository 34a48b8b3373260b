//! A volume as it is shown: the fields of `inspect` and of templates.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::volume_option::masked;
use crate::volume::record::VolumeRecord;
use crate::volume::store::VolumeStore;

/// `volume inspect` (V4.11): the order of the keys is part of it. Secrets are masked (V8.09).
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Inspected {
    created_at: String,
    driver: String,
    labels: BTreeMap<String, String>,
    mountpoint: String,
    name: String,
    options: BTreeMap<String, String>,
    scope: &'static str,
}

impl Inspected {
    pub(super) fn new(volume: &VolumeRecord, volumes: &VolumeStore) -> Self {
        Self {
            created_at: volume.created.clone(),
            driver: volume.driver.clone(),
            labels: volume.labels.clone(),
            mountpoint: volumes.data_path(&volume.name).display().to_string(),
            name: volume.name.to_string(),
            options: masked(&volume.options),
            scope: "local",
        }
    }
}

/// JSON with Docker's four blanks.
pub(super) fn json(value: &impl Serialize) -> serde_json::Result<String> {
    let mut text = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, format))?;
    String::from_utf8(text).map_err(serde::ser::Error::custom)
}
