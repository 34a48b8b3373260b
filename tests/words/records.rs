//! A record of the store that is no file, or no record.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::need;
use crate::store::Store;
use crate::support::Need;

fn fifo(path: &Path) {
    let _ = fs::remove_file(path);
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// A fifo in place of a record would make every command wait for ever.
#[test]
fn a_fifo_is_named_and_not_waited_for() {
    need!(Need::Root);
    let store = Store::with_image();
    assert_eq!(store.rrun(&["volume", "create", "data"]).status, 0);
    let id = store.rrun(&["create", "--name", "web", "-v", "data:/d", "alpine"]).out;
    let container = format!("containers/{}", id.trim());
    let image = store.rrun(&["images", "-q", "--no-trunc"]).out;
    let config = format!("images/blobs/sha256/{}", image.trim().trim_start_matches("sha256:"));
    let records: [(&str, &[&str]); 6] = [
        ("volumes/data/volume.json", &["volume", "inspect", "data"]),
        (&format!("{container}/state.json"), &["start", "-a", id.trim()]),
        (&format!("{container}/container.json"), &["inspect", id.trim()]),
        (&config, &["images"]),
        ("images/index.json", &["images"]),
        ("lock", &["volume", "create", "other"]),
    ];
    for (record, command) in records {
        let path = store.path().join(record);
        let before = fs::read(&path);
        fifo(&path);
        let answer = store.rrun(command);
        let told = answer.err.contains("it is a fifo, not a regular file")
            || answer.err.contains("No such device or address");
        assert!(told && answer.err.contains(record), "{record}: {answer:?}");
        fs::remove_file(&path).unwrap();
        if let Ok(text) = before {
            fs::write(&path, text).unwrap();
        }
    }
}

/// Neither a directory nor a file of a terabyte is taken for a record.
#[test]
fn what_no_record_can_be_is_named() {
    let store = Store::new();
    for name in ["data", "other"] {
        assert_eq!(store.rrun(&["volume", "create", name]).status, 0);
    }
    let record = store.path().join("volumes/data/volume.json");
    fs::File::options().write(true).open(record).unwrap().set_len(1 << 40).unwrap();
    let answer = store.rrun(&["volume", "inspect", "data"]);
    assert!(answer.err.contains("it is larger than 16 MiB"), "{answer:?}");
    let record = store.path().join("volumes/other/volume.json");
    fs::remove_file(&record).unwrap();
    fs::create_dir(&record).unwrap();
    let answer = store.rrun(&["volume", "inspect", "other"]);
    assert!(answer.err.contains("it is a directory, not a regular file"), "{answer:?}");
}

/// A bundle's config comes from engines, and may be anything.
#[test]
fn a_config_that_is_no_file() {
    let bundle = tempfile::tempdir().unwrap();
    fifo(&bundle.path().join("config.json"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_rrun-oci"));
    command.args(["run", "--bundle"]).arg(bundle.path()).arg("words-fifo");
    let answer = crate::store::answer(command);
    assert!(answer.err.contains("it is a fifo, not a regular file"), "{answer:?}");
    assert_eq!(answer.status, 1);
}
