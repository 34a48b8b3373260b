//! The model of what a plan comes to, where the answer is known from the kernel's documents.
//!
//! tests/root compares it with the kernel itself.

use rrun::config::mount_option::attribute::{NODEV, NOEXEC, NOSUID, RDONLY};
use rrun::config::path::RootPath;
use rrun::plan::model::mount::{HostMount, Peers, Seen};
use rrun::plan::model::{ModelError, outcome};
use serde_json::{Value, json};

use crate::plan_of::Case;

const SHARED: Peers = Peers { shared: true, slave: false, unbindable: false };

fn host_mount(id: u32, parent: u32, point: &str, mount: Seen) -> HostMount {
    HostMount { id, parent, point: RootPath::clean(point), mount }
}

fn of_type(filesystem: &str) -> Seen {
    Seen { filesystem: Some(filesystem.into()), ..Seen::default() }
}

/// A host with a shared source that has a read-only mount below, and another below that.
fn host() -> Vec<HostMount> {
    let below = Seen { attributes: RDONLY | NOSUID, peers: SHARED, ..of_type("xfs") };
    vec![
        host_mount(1, 0, "/", of_type("ext4")),
        host_mount(2, 1, "/src", Seen { peers: SHARED, ..of_type("tmpfs") }),
        host_mount(3, 2, "/src/a/b", below),
        host_mount(4, 3, "/src/a/b/c", of_type("proc")),
    ]
}

fn bind(source: &str, target: &str, options: &[&str]) -> Value {
    json!({"destination": target, "type": "bind", "source": source, "options": options})
}

fn tmpfs(target: &str, options: &[&str]) -> Value {
    json!({"destination": target, "type": "tmpfs", "source": "t", "options": options})
}

/// `path type flags propagation`, one a mount, below the root.
fn shown(case: &Case) -> Result<Vec<String>, ModelError> {
    let expected = outcome(&case.plan(), &host())?;
    let line = |entry: &rrun::plan::model::mount::ExpectedMount| {
        let Seen { filesystem, attributes, peers, idmapped } = &entry.mount;
        let flags = [(RDONLY, "ro"), (NOSUID, "nosuid"), (NODEV, "nodev"), (NOEXEC, "noexec")];
        let mut words: Vec<&str> = vec![filesystem.as_deref().unwrap_or("anything")];
        words.extend(flags.iter().filter(|(bit, _)| attributes & bit != 0).map(|(_, word)| *word));
        let marks = [
            (peers.shared, "shared"),
            (peers.slave, "slave"),
            (peers.unbindable, "unbindable"),
            (*idmapped, "idmapped"),
            (entry.if_target_exists, "if-there"),
        ];
        words.extend(marks.iter().filter(|(is, _)| *is).map(|(_, word)| *word));
        format!("{} {}", entry.path, words.join(" "))
    };
    Ok(expected.iter().skip(1).map(line).collect())
}

/// A bind has its source's flags and what is below it, as far as it was asked for.
#[test]
fn binds() {
    let cases: [(&str, &[&str], &[&str]); 8] = [
        ("/src", &["bind"], &["/t tmpfs"]),
        ("/src", &["rbind"], &["/t tmpfs", "/t/a/b xfs ro nosuid", "/t/a/b/c proc"]),
        ("/src/a", &["rbind", "ro"], &["/t tmpfs ro", "/t/b xfs ro nosuid", "/t/b/c proc"]),
        ("/src/a/b", &["rbind", "rro"], &["/t xfs ro nosuid", "/t/c proc ro"]),
        ("/src/a/b", &["bind", "rw", "noexec"], &["/t xfs nosuid noexec"]),
        ("/src/a/b", &["rbind", "rsuid", "rnodev"], &["/t xfs ro nodev", "/t/c proc nodev"]),
        (
            "/src",
            &["rbind", "rslave"],
            &["/t tmpfs slave", "/t/a/b xfs ro nosuid slave", "/t/a/b/c proc"],
        ),
        (
            "/src",
            &["rbind", "rshared"],
            &["/t tmpfs shared", "/t/a/b xfs ro nosuid shared", "/t/a/b/c proc shared"],
        ),
    ];
    for (source, options, mounts) in cases {
        let case = Case::bare().with_mount("it", bind(source, "/t", options));
        assert_eq!(shown(&case).unwrap(), mounts, "{source} {options:?}");
    }
}

/// Lookups see what was mounted before, and what is mounted twice lies on top of itself.
#[test]
fn order() {
    let below = Case::bare()
        .with_mount("it", tmpfs("/t", &["ro", "nosuid"]))
        .with_mount("it", bind("/src", "/t/x", &["bind"]))
        .with_mount("it", tmpfs("/t/x/a", &[]));
    assert_eq!(shown(&below).unwrap(), ["/t tmpfs ro nosuid", "/t/x tmpfs", "/t/x/a tmpfs"]);
    let twice = Case::bare()
        .with_mount("it", tmpfs("/t", &[]))
        .with_mount("it", tmpfs("/t", &["noexec"]))
        .with_mount("it", bind("/x", "/again", &["rbind"]))
        .source_in_root("/t");
    assert_eq!(shown(&twice).unwrap(), ["/again tmpfs noexec", "/t tmpfs", "/t tmpfs noexec"]);
    // A mount on the root leaves nothing of what was below it.
    let over = Case::bare()
        .with_mount("it", tmpfs("/gone", &[]))
        .with_mount("it", bind("/src", "/", &["rbind"]));
    assert_eq!(shown(&over).unwrap(), ["/a/b xfs ro nosuid", "/a/b/c proc"]);
}

/// What is attached below a shared mount is shared; a slave needs somebody to be a slave of.
#[test]
fn propagation() {
    let case = Case::bare()
        .with_mount("it", tmpfs("/s", &["shared"]))
        .with_mount("it", tmpfs("/s/below", &[]))
        .with_mount("it", tmpfs("/lonely", &["shared", "slave"]))
        .with_mount("it", tmpfs("/u", &["unbindable"]));
    assert_eq!(
        shown(&case).unwrap(),
        ["/lonely tmpfs", "/s tmpfs shared", "/s/below tmpfs shared", "/u tmpfs unbindable"]
    );
    let unbindable = case.with_mount("it", bind("/x", "/again", &["rbind"])).source_in_root("/u");
    assert!(matches!(shown(&unbindable), Err(ModelError::Unbindable { .. })));
    let below = Case::bare()
        .with_mount("it", tmpfs("/s", &["shared"]))
        .with_mount("it", tmpfs("/s/u", &["unbindable"]));
    assert!(matches!(shown(&below), Err(ModelError::Unbindable { .. })));
    let events = Case::bare()
        .with_mount("it", bind("/src", "/t", &["bind", "shared"]))
        .with_mount("it", tmpfs("/t/a", &[]));
    assert!(matches!(shown(&events), Err(ModelError::Events { .. })));
}

/// Hidden and protected paths depend on what is there.
#[test]
fn hidden_paths() {
    let case = Case::bare()
        .with_mount("it", bind("/src", "/t", &["rbind"]))
        .with("/linux/maskedPaths", json!(["/t/a/b/c"]))
        .with("/linux/readonlyPaths", json!(["/t/a"]));
    assert_eq!(
        shown(&case).unwrap(),
        [
            "/t tmpfs",
            "/t/a tmpfs ro if-there",
            "/t/a/b xfs ro nosuid",
            "/t/a/b xfs ro nosuid",
            "/t/a/b/c anything if-there",
            "/t/a/b/c anything ro if-there",
            "/t/a/b/c proc",
            "/t/a/b/c proc ro",
        ]
    );
}

/// The whole of runc's config, as far as it is certain.
#[test]
fn the_default_config() {
    let certain: Vec<String> = shown(&Case::runc())
        .unwrap()
        .into_iter()
        .filter(|line| !line.ends_with("if-there"))
        .collect();
    assert_eq!(
        certain,
        [
            "/dev tmpfs nosuid",
            "/dev/console devpts nosuid noexec",
            "/dev/mqueue mqueue nosuid nodev noexec",
            "/dev/pts devpts nosuid noexec",
            "/dev/shm tmpfs nosuid nodev noexec",
            "/proc proc",
            "/sys sysfs ro nosuid nodev noexec",
            "/sys/fs/cgroup tmpfs ro nosuid nodev noexec",
        ]
    );
}
