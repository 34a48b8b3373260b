//! `run` and `create` fetch the image that is missing.

use crate::fake::{Fake, Parts, Shelf};
use crate::need;
use crate::sandbox::{Sandbox, ended, sandbox};
use crate::support::Need;

/// A registry with an image of busybox, and its name there.
fn busybox(own: &Sandbox) -> (Fake, String) {
    own.import("busybox");
    let archive = own.path("saved.tar");
    own.rrun(&["save", "-o", archive.to_str().unwrap(), "busybox"]).ok();
    std::fs::create_dir(own.path("saved")).unwrap();
    own.run("tar", &["-C", "saved", "-xf", "saved.tar"]).ok();
    let blob = |digest: &str| {
        let hex = digest.strip_prefix("sha256:").unwrap();
        std::fs::read(own.path("saved/blobs/sha256").join(hex)).unwrap()
    };
    let read = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
    let index = read(&std::fs::read(own.path("saved/index.json")).unwrap());
    let manifest = blob(index["manifests"][0]["digest"].as_str().unwrap());
    let parsed = read(&manifest);
    let config = blob(parsed["config"]["digest"].as_str().unwrap());
    let layers = vec![blob(parsed["layers"][0]["digest"].as_str().unwrap())];
    own.rrun(&["rmi", "busybox"]).ok();
    let image = Parts { layers, config, manifest };
    let fake = Fake::registry(Shelf::with(&image, "latest"), |_| None);
    let name = format!("{}/busybox", fake.address);
    (fake, name)
}

/// What is missing comes, told on standard error; what is there is not asked for again, unless it
/// is wished.
#[test]
fn run_and_create() {
    need!(Need::Root, Need::Program("busybox"));
    sandbox(|own| {
        let (fake, name) = busybox(own);
        own.rrun(&["run", "--rm", "--pull", "never", &name, "true"])
            .failed(125, &format!("Unable to find image '{name}:latest' locally"));
        assert_eq!(fake.asked().len(), 0);
        let run = own.rrun(&["run", "--rm", &name, "echo", "hello"]);
        assert_eq!(run.ok(), "hello\n");
        let lines: Vec<&str> = run.err.lines().collect();
        assert_eq!(lines[0], format!("Unable to find image '{name}:latest' locally"));
        assert_eq!(lines[1], "latest: Pulling from busybox");
        assert_eq!(
            lines.last().unwrap(),
            &format!("Status: Downloaded newer image for {name}:latest")
        );
        let asked = fake.asked().len();
        let again = own.rrun(&["run", "--rm", &name, "echo", "hello"]);
        assert_eq!((again.ok(), again.err.as_str()), ("hello\n", ""));
        assert_eq!(fake.asked().len(), asked);
        let always = own.rrun(&["run", "--rm", "--pull", "always", &name, "echo", "hello"]);
        assert_eq!(always.ok(), "hello\n");
        assert!(always.err.contains("Image is up to date"), "{}", always.err);
        assert!(fake.asked().len() > asked);
        let quiet = own.rrun(&["run", "-q", "--rm", "--pull", "always", &name, "echo", "hello"]);
        assert_eq!((quiet.ok(), quiet.err.as_str()), ("hello\n", ""));
        own.rrun(&["rmi", &name]).ok();
        let mut create = own.rrun_in("other", &["create", "--quiet", &name, "true"]);
        let created = ended(&mut create);
        assert_eq!((created.ok().trim().len(), created.err.as_str()), (64, ""));
    });
}

/// The failure of the pull is the container's: one text, status 125 or 1, and no container.
#[test]
fn failures() {
    need!(Need::Root);
    sandbox(|own| {
        let fake = Fake::registry(Shelf::default(), |_| None);
        let name = format!("{}/x", fake.address);
        let run = own.rrun(&["run", "--rm", &name]);
        run.failed(
            125,
            &format!("cannot create a container of {name}: manifest for {name}:latest not found"),
        );
        assert_eq!(run.err.matches("not found").count(), 1, "{}", run.err);
        own.rrun(&["create", &name]).failed(1, "manifest unknown");
        own.rrun(&["run", "--pull", "sometimes", &name]).failed(125, "invalid pull option");
        // A slip of a command's name asks nobody.
        own.rrun(&["imagse"]).failed(125, "did you mean the command `rrun images`?");
        assert_eq!(own.rrun(&["ps", "-aq"]).ok(), "");
    });
}
