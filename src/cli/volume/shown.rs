//! A volume as it is shown: the fields of `inspect` and of `ls`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::config::secret::masked;
use crate::say::list::Columns;
use crate::say::template::Row;
use crate::volume::record::VolumeRecord;
use crate::volume::store::VolumeStore;

/// `volume inspect` (V4.11): the order of the keys is part of it. Secrets are masked (V8.09).
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cli) struct Inspected {
    created_at: String,
    driver: String,
    labels: BTreeMap<String, String>,
    mountpoint: String,
    name: String,
    options: BTreeMap<String, String>,
    scope: &'static str,
}

impl Inspected {
    pub(in crate::cli) fn new(volume: &VolumeRecord, volumes: &VolumeStore) -> Self {
        Self {
            created_at: volume.created.clone(),
            driver: volume.driver.clone(),
            labels: volume.labels.clone(),
            mountpoint: mountpoint(volume, volumes),
            name: volume.name.to_string(),
            options: masked(&volume.options),
            scope: "local",
        }
    }
}

fn mountpoint(volume: &VolumeRecord, volumes: &VolumeStore) -> String {
    volumes.data_path(&volume.name).display().to_string()
}

/// The columns of `volume ls` (V4.16, V4.20).
pub(super) const COLUMNS: Columns = Columns {
    headers: &[
        ("Availability", "AVAILABILITY"),
        ("Driver", "DRIVER"),
        ("Group", "GROUP"),
        ("Labels", "LABELS"),
        ("Links", "LINKS"),
        ("Mountpoint", "MOUNTPOINT"),
        ("Name", "VOLUME NAME"),
        ("Scope", "SCOPE"),
        ("Size", "SIZE"),
        ("Status", "STATUS"),
    ],
    table: "{{.Driver}}\t{{.Name}}",
    raw: "name: {{.Name}}\ndriver: {{.Driver}}\n",
};

/// The same with `-q`.
pub(super) const QUIET: Columns =
    Columns { headers: COLUMNS.headers, table: "{{.Name}}", raw: "name: {{.Name}}" };

/// A row of `volume ls`. What only `system df` or a cluster knows is N/A, as in Docker.
pub(super) fn row(volume: &VolumeRecord, volumes: &VolumeStore) -> Row {
    let label = |(key, value): (&String, &String)| format!("{key}={value}");
    let labels: Vec<String> = volume.labels.iter().map(label).collect();
    let of_labels = volume.labels.iter().map(|(key, value)| (key.clone(), json!(value)));
    Row {
        fields: json!({
            "Availability": "N/A",
            "Driver": volume.driver,
            "Group": "N/A",
            "Labels": labels.join(","),
            "Links": "N/A",
            "Mountpoint": mountpoint(volume, volumes),
            "Name": volume.name,
            "Scope": "local",
            "Size": "N/A",
            "Status": "N/A",
        }),
        methods: vec![("Label", Value::Object(of_labels.collect()))],
    }
}
