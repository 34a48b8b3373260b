//! Where the store is: read-only, behind a link, not ours.

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::need;
use crate::store::{Store, answer};
use crate::support::Need;

/// Runs rrun where the store is mounted read-only, in a mount namespace of its own.
fn on_read_only(store: &Store, arguments: &[&str]) -> crate::store::Answer {
    let script =
        "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" && shift && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "--propagation", "private", "sh", "-c", script, "sh"]);
    command.arg(store.path()).arg(env!("CARGO_BIN_EXE_rrun")).arg("--root").arg(store.path());
    command.args(arguments);
    answer(command)
}

/// What only looks works; what would change the store says why it cannot, once.
#[test]
fn a_read_only_store_can_be_looked_at() {
    need!(Need::Root, Need::Program("unshare"));
    let store = Store::with_image();
    // No volume and no container was ever made in it.
    let looks: [&[&str]; 6] = [
        &["ps", "-a"],
        &["images"],
        &["volume", "ls"],
        &["inspect", "alpine"],
        &["explain", "alpine"],
        &["explain", "-v", "data:/data", "alpine"],
    ];
    for arguments in looks {
        let seen = on_read_only(&store, arguments);
        assert_eq!((seen.status, seen.err.as_str()), (0, ""), "{arguments:?}: {seen:?}");
    }
    let changes: [(&[&str], i32); 4] = [
        (&["run", "--rm", "alpine", "true"], 125),
        (&["rmi", "alpine"], 1),
        (&["tag", "alpine", "other"], 1),
        (&["volume", "create", "data"], 1),
    ];
    for (arguments, status) in changes {
        let refused = on_read_only(&store, arguments);
        let told = refused.err.matches("read-only").count();
        assert_eq!((refused.status, told), (status, 1), "{arguments:?}: {refused:?}");
    }
    assert_eq!(store.rrun(&["run", "--rm", "alpine", "true"]).status, 0);
}

/// A link of ours to the store is the store, by its own name.
#[test]
fn a_link_to_the_store() {
    let store = Store::new();
    assert_eq!(store.rrun(&["volume", "create", "data"]).status, 0);
    let link = store.beside("link");
    symlink(store.path(), &link).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rrun"));
    command.args(["volume", "inspect", "-f", "{{.Mountpoint}}", "data"]).env("RRUN_ROOT", &link);
    let seen = answer(command);
    let real = store.path().canonicalize().unwrap().join("volumes/data/_data");
    assert_eq!(seen.out.trim(), real.to_str().unwrap(), "{seen:?}");
}

/// Standard output that is full is a failure that is told; one that nobody reads is none.
#[test]
fn output_that_cannot_be_written() {
    let store = Store::new();
    assert_eq!(store.rrun(&["volume", "create", "data"]).status, 0);
    let commands: [&[&str]; 5] =
        [&["ps"], &["images"], &["volume", "ls"], &["volume", "inspect", "data"], &["--help"]];
    for arguments in commands {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let told = store.command(arguments).stdout(full).output().unwrap();
        let err = String::from_utf8(told.stderr).unwrap();
        assert_eq!(told.status.code(), Some(1), "{arguments:?}: {err}");
        assert!(err.trim_end().ends_with("No space left on device"), "{arguments:?}: {err}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let quiet = store.command(arguments).stdout(writer).output().unwrap();
        assert_eq!((quiet.status.code(), quiet.stderr.len()), (Some(0), 0), "{arguments:?}");
    }
}

/// Who is not root is told so, once, with what to do.
#[test]
fn without_root() {
    need!(Need::Root, Need::Program("setpriv"));
    use std::os::unix::fs::PermissionsExt;
    let root = Store::with_image();
    let theirs = tempfile::tempdir().unwrap();
    let open = |path: &std::path::Path| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o777)).unwrap();
    };
    open(theirs.path());
    let archive = theirs.path().join("image.tar");
    assert_eq!(root.rrun(&["save", "-o", archive.to_str().unwrap(), "alpine"]).status, 0);
    open(&archive);
    // The program's own directory may be closed to others.
    let program = theirs.path().join("rrun");
    std::fs::copy(env!("CARGO_BIN_EXE_rrun"), &program).unwrap();
    let as_nobody = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        command.arg(&program).arg("--root").arg(theirs.path().join("store")).args(arguments);
        answer(command)
    };
    assert_eq!(as_nobody(&["volume", "create", "data"]).status, 0);
    let archive = archive.to_str().unwrap();
    let commands: [(&[&str], i32); 4] = [
        (&["run", "alpine"], 125),
        (&["start", "-a", "web"], 1),
        (&["load", "-i", archive], 1),
        (&["alpine", "true"], 125),
    ];
    for (arguments, status) in commands {
        let refused = as_nobody(arguments);
        let told = (refused.status, refused.err.matches("root's rights").count());
        assert_eq!(told, (status, 1), "{arguments:?}: {refused:?}");
        assert!(refused.err.contains("sudo rrun"), "{refused:?}");
    }
}
