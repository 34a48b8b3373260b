//! A value on its way through a template.

use serde_json::Value;

/// Fields whose objects are maps with keys that users chose, not records with fields.
const MAPS: [&str; 14] = [
    "Annotations",
    "Data",
    "DriverOpts",
    "ExposedPorts",
    "GraphOptions",
    "Labels",
    "Networks",
    "Options",
    "Ports",
    "Status",
    "StorageOpt",
    "Sysctls",
    "Tmpfs",
    "Volumes",
];

/// Is a template rendered for a value, or for the headers of its columns?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Value,
    Header,
}

/// A value on the way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) value: Value,
    /// Is it, if it is an object, a map rather than a record?
    pub(super) is_map: bool,
}

impl From<Value> for Item {
    fn from(value: Value) -> Self {
        Self { value, is_map: false }
    }
}

impl Item {
    /// Go's truth: not empty, not zero.
    pub(super) fn is_true(&self) -> bool {
        match &self.value {
            Value::Null => false,
            Value::Bool(value) => *value,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::String(text) => !text.is_empty(),
            Value::Array(values) => !values.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
        }
    }

    /// The item that `value` is as this one's field `name`.
    pub(super) fn below(&self, name: &str, value: &Value) -> Item {
        // A record in a map of users' keys is a record again: Networks.bridge.
        let is_map = !self.is_map && MAPS.contains(&name) && !value.is_string();
        let mut value = value.clone();
        if let (true, Value::Object(map)) = (is_map, &mut value) {
            // Go writes a map's keys in order, a record's as they are declared.
            map.sort_keys();
        }
        Item { value, is_map }
    }
}
