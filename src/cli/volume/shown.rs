//! A volume as it is shown: the fields of `inspect` and of `ls`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::cli::Context;
use crate::config::name::VolumeName;
use crate::config::secret::masked;
use crate::say::list::Columns;
use crate::say::template::Row;
use crate::volume::driver::Driver;
use crate::volume::plugin::protocol::{Patience, RemoteVolume, Scope, Session};
use crate::volume::plugin::{Plugin, PluginError, survey};
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
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Map<String, Value>>,
}

impl Inspected {
    /// The volume as the store and, if it is one of a plugin's, the plugin know it (V9.04). A
    /// plugin that does not answer is told of; the rest is shown.
    pub(in crate::cli) fn new(volume: &VolumeRecord, volumes: &VolumeStore, cx: &Context) -> Self {
        let (remote, scope) = remote(volume).unwrap_or_else(|error| {
            cx.out.warning(format_args!("volume {} is shown in part: {error}", volume.name));
            (RemoteVolume::default(), Scope::Local)
        });
        let place = remote.mountpoint.filter(|path| !path.is_empty());
        Self {
            created_at: volume.created.clone(),
            driver: volume.driver.clone(),
            labels: volume.labels.clone(),
            mountpoint: place.unwrap_or_else(|| mountpoint(volume, volumes)),
            name: volume.name.to_string(),
            options: masked(&volume.options),
            scope: scope.word(),
            status: remote.status,
        }
    }

    /// A volume that only a plugin knows of; `None` if there is none.
    pub(in crate::cli) fn of_plugin(name: &VolumeName) -> Option<Self> {
        let (plugin, remote, scope) = survey::owner(name.as_str())?;
        Some(Self {
            created_at: String::new(),
            driver: plugin.name().to_owned(),
            labels: BTreeMap::new(),
            mountpoint: remote.mountpoint.unwrap_or_default(),
            name: name.to_string(),
            options: BTreeMap::new(),
            scope: scope.word(),
            status: remote.status,
        })
    }
}

fn remote(volume: &VolumeRecord) -> Result<(RemoteVolume, Scope), PluginError> {
    if !matches!(Driver::find(&volume.driver), None | Some(Driver::Plugin(_))) {
        return Ok((RemoteVolume::default(), Scope::Local));
    }
    let plugin = Plugin::find(&volume.driver)?;
    let session = Session::open(&plugin, Patience::PerCall)?;
    let scope = session.scope()?;
    Ok((session.get(volume.name.as_str())?.unwrap_or_default(), scope))
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
    row_at(volume, (&mountpoint(volume, volumes), Scope::Local))
}

/// The same with what a plugin says of it.
pub(super) fn row_at(volume: &VolumeRecord, (mountpoint, scope): (&str, Scope)) -> Row {
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
            "Mountpoint": mountpoint,
            "Name": volume.name,
            "Scope": scope.word(),
            "Size": "N/A",
            "Status": "N/A",
        }),
        methods: vec![("Label", Value::Object(of_labels.collect()))],
    }
}
