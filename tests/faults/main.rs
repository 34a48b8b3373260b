//! Every step of a plan fails in turn, and the host is as before.
//!
//! Built with the feature `fault-injection` only: release programs know none of this.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rrun::engine::bundle::{Bundle, Surroundings, plan_of};
use support::Need;

const RRUN: &str = env!("CARGO_BIN_EXE_rrun");

/// A store of the test's own, with the image `alpine`.
struct Store {
    directory: tempfile::TempDir,
}

/// What must be the same before and after.
#[derive(Debug, PartialEq, Eq)]
struct Host {
    mounts: String,
    containers: Vec<String>,
    volumes: Vec<String>,
    null: (u32, u32, u32),
}

impl Store {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Self { directory };
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("rootfs-fixtures/alpine");
        let mut tar = Command::new(fixture).stdout(Stdio::piped()).spawn().unwrap();
        let import = store
            .rrun(&["import", "-c", "VOLUME /var/anonymous", "-", "alpine"])
            .stdin(tar.stdout.take().unwrap())
            .output()
            .unwrap();
        assert!(tar.wait().unwrap().success());
        assert!(import.status.success(), "{import:?}");
        fs::create_dir(store.source()).unwrap();
        let created = store.rrun(&["volume", "create", "data"]).output().unwrap();
        assert!(created.status.success(), "{created:?}");
        store
    }

    fn source(&self) -> PathBuf {
        self.directory.path().join("source")
    }

    fn rrun(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(RRUN);
        command.arg("--root").arg(self.directory.path().join("store")).args(arguments);
        command.env_remove("RRUN_ROOT").stdin(Stdio::null());
        command
    }

    /// Runs the container with a fault; its cgroups are gone afterwards.
    fn run_with(&self, fault: &str, number: usize) -> Output {
        let cidfile = self.directory.path().join("cid");
        let cidfile_text = cidfile.display().to_string();
        let run = self
            .container(&["run", "--rm", "--cidfile", &cidfile_text])
            .env(fault, number.to_string())
            .output()
            .unwrap();
        let id = fs::read_to_string(&cidfile).unwrap();
        fs::remove_file(cidfile).unwrap();
        assert_eq!(id.len(), 64, "{run:?}");
        assert_eq!(cgroups(&id), Vec::<PathBuf>::new(), "after step {number}");
        run
    }

    /// A container with one of everything that storage can be.
    fn container(&self, verb: &[&str]) -> Command {
        let bind = format!("{}:/bind:ro", self.source().display());
        let mut arguments = verb.to_vec();
        let options = ["-v", "data:/data:ro", "-v", &bind, "--tmpfs", "/scratch:size=1m"];
        arguments.extend(options);
        arguments.extend(["-v", "/own", "--read-only", "--hostname", "box", "alpine", "true"]);
        self.rrun(&arguments)
    }

    fn host(&self) -> Host {
        let names = |name: &str| {
            let path = self.directory.path().join("store").join(name);
            let mut names: Vec<String> = fs::read_dir(path)
                .map(|entries| {
                    entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
                })
                .unwrap_or_default();
            names.sort();
            names
        };
        let null = fs::metadata("/dev/null").unwrap();
        use std::os::unix::fs::MetadataExt;
        Host {
            mounts: fs::read_to_string("/proc/self/mountinfo").unwrap(),
            containers: names("containers"),
            volumes: names("volumes"),
            null: (null.uid(), null.gid(), null.mode()),
        }
    }
}

/// The cgroups of a container that are left anywhere. Other tests have theirs at the same time.
fn cgroups(id: &str) -> Vec<PathBuf> {
    let hierarchies = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten();
    hierarchies
        .map(|hierarchy| hierarchy.path())
        .chain([PathBuf::from("/sys/fs/cgroup")])
        .map(|hierarchy| hierarchy.join("rrun").join(id))
        .filter(|path| path.exists())
        .collect()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The steps of the container's plan: for each one who does it and by which operation.
fn steps(store: &Store) -> Vec<(String, String)> {
    let explained = store.container(&["explain", "--json"]).output().unwrap();
    assert!(explained.status.success(), "{explained:?}");
    let plan: serde_json::Value = serde_json::from_slice(&explained.stdout).unwrap();
    let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let step = |step: &serde_json::Value| (word(&step["actor"]), word(&step["op"]["op"]));
    plan["steps"].as_array().unwrap().iter().map(step).collect()
}

/// The step, the origin and the errno are told, the status is 125, and nothing is left: no
/// mount, no container, no volume, no cgroup, no process.
#[test]
fn a_step_that_fails_leaves_nothing() {
    need!(Need::Root);
    let store = Store::new();
    let before = store.host();
    let steps = steps(&store);
    assert!(steps.len() > 100, "{} steps are no representative plan", steps.len());
    for (number, (_, op)) in (1..).zip(&steps) {
        let run = store.run_with("RRUN_FAULT_STEP", number);
        let told = text(&run);
        if op == "exec" {
            assert_eq!(run.status.code(), Some(126), "{told}");
        } else {
            assert_eq!(run.status.code(), Some(125), "step {number} ({op}): {told}");
            let place = format!("step {number} of {}: ", steps.len());
            assert!(told.contains(&place), "step {number} ({op}): {told}");
            assert!(told.contains("Input/output error"), "step {number} ({op}): {told}");
        }
        assert_eq!(store.host(), before, "after step {number} ({op})");
    }
    let run = store.container(&["run", "--rm"]).output().unwrap();
    assert!(run.status.success(), "without a fault it runs: {}", text(&run));
    assert_eq!(store.host(), before);
}

/// A child that is killed in the middle of a step is no success and no mystery: the step is
/// named, and nothing is left.
#[test]
fn a_child_killed_in_a_step_leaves_nothing() {
    need!(Need::Root);
    let store = Store::new();
    let before = store.host();
    for (number, (actor, op)) in (1..).zip(steps(&store)) {
        if actor != "child" {
            continue;
        }
        let run = store.run_with("RRUN_FAULT_KILL", number);
        let told = text(&run);
        if op == "exec" {
            // Its phase is the program's own: a program may be killed, too.
            assert!(run.status.code() > Some(128), "{told}");
        } else {
            assert_eq!(run.status.code(), Some(125), "step {number} ({op}): {told}");
            assert!(told.contains("killed by SIG"), "step {number} ({op}): {told}");
        }
        assert_eq!(store.host(), before, "after step {number} ({op})");
    }
}

/// A bundle whose one bind goes through a link, opened by the host if there is a user namespace.
struct Exchanged {
    bundle: PathBuf,
    link: PathBuf,
}

impl Exchanged {
    fn new(store: &Store, opener: &str) -> Self {
        let bundle = store.directory.path().join(format!("bundle-{opener}"));
        fs::create_dir_all(bundle.join("rootfs/proc")).unwrap();
        let link = bundle.join("link");
        std::os::unix::fs::symlink(store.source(), &link).unwrap();
        let mut config = rrun::config::default_spec::json();
        config["process"]["terminal"] = serde_json::json!(false);
        config["mounts"].as_array_mut().unwrap().push(serde_json::json!({
            "destination": "/bind", "source": link, "options": ["rbind"]}));
        if opener == "host" {
            let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
            namespaces.push(serde_json::json!({"type": "user"}));
        }
        fs::write(bundle.join("config.json"), config.to_string()).unwrap();
        Self { bundle, link }
    }

    /// Who opens the source, and in which step, from 1.
    fn opened(&self) -> (String, usize) {
        let text = fs::read_to_string(self.bundle.join("config.json")).unwrap();
        let spec = serde_json::from_str(&text).unwrap();
        let id = "exchanged".parse().unwrap();
        let surroundings = Surroundings {
            kernel: rrun::facts::Kernel::probe().unwrap(),
            cgroup: rrun::config::cgroup::path::CgroupPath::of_oci_id(&id),
            seccomp_cache: &self.bundle.join("seccomp"),
        };
        let bundle = Bundle::new(self.bundle.clone(), spec);
        let plan = serde_json::to_value(plan_of(&bundle, surroundings).unwrap()).unwrap();
        let steps = plan["steps"].as_array().unwrap();
        let at = steps.iter().position(|step| step["op"]["source"]["seen"].is_object()).unwrap();
        (steps[at]["actor"].as_str().unwrap().to_owned(), at + 1)
    }

    fn run_with(&self, hook: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rrun-oci"));
        command.arg("--root").arg(self.bundle.join("state")).args(["run", "--bundle"]);
        command.arg(&self.bundle).arg("exchanged").env("RRUN_FAULT_HOOK", hook);
        command.stdin(Stdio::null()).output().unwrap()
    }
}

/// A source that is exchanged between the look at it and its use is refused: the plan was made for
/// what was there then. For the child, which opens sources on its own, and for the host, which
/// opens those of a container with a user namespace.
#[test]
fn a_source_that_is_exchanged_is_refused() {
    need!(Need::Root, Need::UserNamespaces);
    let store = Store::new();
    for opener in ["child", "host"] {
        let exchanged = Exchanged::new(&store, opener);
        let (actor, step) = exchanged.opened();
        assert_eq!(actor, opener);
        let link = exchanged.link.display();
        let run = exchanged.run_with(&format!("{step}:ln -sfn /etc {link}"));
        assert_eq!(fs::read_link(&exchanged.link).unwrap(), Path::new("/etc"), "the hook has run");
        assert_eq!(run.status.code(), Some(1), "{run:?}");
        assert!(text(&run).contains("exchanged for another"), "{opener}: {run:?}");
    }
}

/// Without --rm the container stays in state created, and can be removed (V6.09).
#[test]
fn a_container_that_failed_can_be_removed() {
    need!(Need::Root);
    let store = Store::new();
    let before = store.host();
    let run =
        store.container(&["run", "--name", "kept"]).env("RRUN_FAULT_STEP", "90").output().unwrap();
    assert_eq!(run.status.code(), Some(125), "{}", text(&run));
    let format = "{{.State.Status}}";
    let shown = store.rrun(&["inspect", "-f", format, "kept"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&shown.stdout).trim(), "created", "{}", text(&shown));
    let started = store.rrun(&["start", "-a", "kept"]).output().unwrap();
    assert!(started.status.success(), "{}", text(&started));
    let removed = store.rrun(&["rm", "-v", "kept"]).output().unwrap();
    assert!(removed.status.success(), "{}", text(&removed));
    assert_eq!(store.host(), before);
}
