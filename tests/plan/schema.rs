//! docs/explain-schema.md says what the JSON has: every operation, every field.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rrun::say::explain;
use rrun::say::steps::Steps;

use crate::plan_of::Case;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

fn room_of_calls() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sys/process.rs")
}

/// Everything that the files of the room `plan` define.
fn items_of_plan() -> Vec<syn::Item> {
    let room = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plan");
    let paths = std::fs::read_dir(room).unwrap().map(|entry| entry.unwrap().path());
    // One operation takes the kernel's own struct.
    let paths = paths.chain([room_of_calls()]);
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .flat_map(|path| syn::parse_file(&std::fs::read_to_string(path).unwrap()).unwrap().items)
        .collect()
}

/// The name of a type; of a box, that of what is in it.
fn last_name(of: &syn::Type) -> String {
    let syn::Type::Path(path) = of else { panic!("a type without a name") };
    let last = path.path.segments.last().unwrap();
    match &last.arguments {
        syn::PathArguments::AngleBracketed(inner) => match inner.args.first() {
            Some(syn::GenericArgument::Type(inner)) => last_name(inner),
            _ => last.ident.to_string(),
        },
        _ => last.ident.to_string(),
    }
}

/// The operations of the code with their fields; those that hold a struct have its fields.
fn operations() -> BTreeMap<String, BTreeSet<String>> {
    let items = items_of_plan();
    let names = |fields: &syn::Fields| -> BTreeSet<String> {
        fields.iter().filter_map(|field| Some(field.ident.as_ref()?.to_string())).collect()
    };
    let mut structs = BTreeMap::new();
    let mut found = BTreeMap::new();
    for item in &items {
        if let syn::Item::Struct(item) = item {
            structs.insert(item.ident.to_string(), names(&item.fields));
        }
    }
    for item in &items {
        let syn::Item::Enum(item) = item else { continue };
        if item.ident != "Op" {
            continue;
        }
        for variant in &item.variants {
            let fields = match &variant.fields {
                syn::Fields::Unnamed(inner) => structs[&last_name(&inner.unnamed[0].ty)].clone(),
                named => names(named),
            };
            found.insert(snake_case(&variant.ident.to_string()), fields);
        }
    }
    found
}

/// Words in backquotes.
fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_operation_is_documented() {
    let text = read("docs/explain-schema.md");
    let (_, table) = text.split_once("## Operations").unwrap();
    let mut documented = BTreeMap::new();
    for row in table.lines().filter(|line| line.starts_with("| `") && !line.contains("| `op`")) {
        let cells: Vec<&str> = row.split('|').collect();
        let fields: BTreeSet<String> = cells[3..].iter().flat_map(|cell| quoted(cell)).collect();
        for name in quoted(cells[1]) {
            documented.insert(name, fields.clone());
        }
    }
    let operations = operations();
    let names: BTreeSet<_> = operations.keys().collect();
    assert_eq!(names, documented.keys().collect(), "left: the code; right: the document");
    for (name, fields) in &operations {
        let missing: Vec<_> = fields.difference(&documented[name]).collect();
        assert!(missing.is_empty(), "{name}: the document does not name {missing:?}");
    }
}

/// The outer form, as the document has it.
#[test]
fn the_outer_form() {
    let json = explain::json(&Case::runc().plan(), Steps::All);
    assert_eq!(json["version"], 1);
    let keys = |value: &serde_json::Value| -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
    assert_eq!(keys(&json), words(&["version", "steps", "slots", "notes"]));
    let step = words(&["number", "actor", "call", "op", "origin", "because"]);
    let operations = operations();
    for (index, seen) in json["steps"].as_array().unwrap().iter().enumerate() {
        assert_eq!(keys(seen), step);
        assert_eq!(seen["number"], index + 1);
        assert!(operations.contains_key(seen["op"]["op"].as_str().unwrap()), "{seen}");
    }
}

/// Storage steps keep their numbers, and leave out what is not about mounts.
#[test]
fn storage_steps() {
    let case = Case::runc().with("/linux/sysctl", serde_json::json!({"net.ipv4.ip_forward": "1"}));
    let plan = case.with("/process/cwd", "/made".into()).plan();
    let calls = |which| -> Vec<(u64, String)> {
        let json = explain::json(&plan, which);
        let steps = json["steps"].as_array().unwrap().clone();
        let row = |step: &serde_json::Value| {
            (step["number"].as_u64().unwrap(), step["call"].as_str().unwrap().to_owned())
        };
        steps.iter().map(row).collect()
    };
    let (all, storage) = (calls(Steps::All), calls(Steps::Storage));
    assert!(storage.iter().all(|step| all.contains(step)));
    let has = |text: &str| storage.iter().any(|(_, call)| call.contains(text));
    for wanted in ["\"/dev/null\"", "fsopen(\"proc\")", "pivot_root", "move_mount", "/proc/kcore"] {
        assert!(has(wanted), "{wanted}");
    }
    for other in ["open(\"/proc\"", "/made", "mknodat(", "symlinkat", "clone3", "execve", "prlimit"]
    {
        let only_places = storage.iter().filter(|(_, call)| call.contains(other));
        let only_places: Vec<_> =
            only_places.filter(|(_, call)| !call.contains("\"console\"")).collect();
        assert!(only_places.is_empty(), "{other}: {only_places:?}");
    }
}
