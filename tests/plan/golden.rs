//! Whole plans as text, compared with files. `RRUN_UPDATE_GOLDEN=1` writes the files anew.

use std::collections::BTreeMap;
use std::path::Path;

use rrun::plan::step::Plan;
use rrun::say::explain;
use rrun::say::paint::Style;
use rrun::say::steps::Steps;
use serde_json::{Value, json};

use crate::plan_of::Case;

/// Fails where `text` is not what the file says, or writes the file.
fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan/golden").join(name);
    if std::env::var_os("RRUN_UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let wanted = std::fs::read_to_string(&path).unwrap();
    let differs = wanted.lines().zip(text.lines()).position(|(a, b)| a != b);
    let line = differs.unwrap_or_else(|| wanted.lines().count().min(text.lines().count()));
    assert!(
        wanted == text,
        "{name}:{}: {:?} is now {:?}; RRUN_UPDATE_GOLDEN=1 writes it anew",
        line + 1,
        wanted.lines().nth(line).unwrap_or("nothing"),
        text.lines().nth(line).unwrap_or("nothing")
    );
}

/// runc's config on one layer of an image, with a read-only volume.
fn main_job(version: (u32, u32)) -> Plan {
    let volume = json!({
        "destination": "/data", "type": "bind", "source": "/store/volumes/data/_data",
        "options": ["rbind", "ro", "rprivate"],
    });
    Case::runc().on(version).on_layers(&["a"]).with_mount("-v data:/data:ro", volume).plan()
}

#[test]
fn runc_default_on_linux_5_12() {
    let text = explain::text(&main_job((5, 12)), Steps::All, Style::plain(100));
    compare("runc-5.12.txt", &text);
}

#[test]
fn runc_default_on_linux_6_8() {
    let text = explain::text(&main_job((6, 8)), Steps::All, Style::plain(100));
    compare("runc-6.8.txt", &text);
}

#[test]
fn runc_default_on_linux_6_18() {
    let text = explain::text(&main_job((6, 18)), Steps::All, Style::plain(100));
    compare("runc-6.18.txt", &text);
}

/// Keys in one order: serde_json's depends on a feature that a dependency may switch on.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let entries: BTreeMap<_, _> = map.into_iter().map(|(k, v)| (k, sorted(v))).collect();
            entries.into_iter().collect()
        }
        Value::Array(list) => list.into_iter().map(sorted).collect(),
        other => other,
    }
}

/// The same plan for storage only, in a narrow terminal, and as JSON.
#[test]
fn other_forms() {
    let plan = main_job((6, 18));
    compare("storage.txt", &explain::text(&plan, Steps::Storage, Style::plain(60)));
    let json = serde_json::to_string_pretty(&sorted(explain::json(&plan, Steps::All))).unwrap();
    compare("runc-6.18.json", &(json + "\n"));
}
