//! No network: what is said, and the images that stand in.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::need;
use crate::sandbox::{Sandbox, ended, sandbox};
use crate::support::Need;

/// A directory with the images as `scripts/install` puts them there.
fn installed(own: &Sandbox) -> std::path::PathBuf {
    let directory = own.path("images");
    std::fs::create_dir(&directory).unwrap();
    for name in ["alpine", "busybox"] {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("rootfs-fixtures").join(name);
        let mut tar = Command::new(fixture).stdout(Stdio::piped()).spawn().unwrap();
        let file = std::fs::File::create(directory.join(format!("{name}.tar.gz"))).unwrap();
        let gzip =
            Command::new("gzip").arg("-n").stdin(tar.stdout.take().unwrap()).stdout(file).status();
        assert!(gzip.unwrap().success() && tar.wait().unwrap().success());
    }
    directory
}

/// `alpine` and `busybox` are there without a network, and it is said that they stand in.
#[test]
fn stand_ins() {
    need!(Need::Root, Need::Program("busybox"));
    sandbox(|own| {
        let directory = installed(own);
        let rrun = |words: &[&str]| {
            ended(own.rrun_in("store", words).env("RRUN_OFFLINE_IMAGES", &directory))
        };
        let run = rrun(&["--rm", "alpine", "cat", "/etc/alpine-release"]);
        assert_eq!(run.ok().split('.').count(), 3, "{}", run.out);
        let warnings: Vec<&str> = run.err.lines().filter(|l| l.starts_with("warning: ")).collect();
        assert_eq!(warnings.len(), 1, "{}", run.err);
        assert!(
            warnings[0].starts_with(
                "warning: docker.io is out of reach (Get \"https://registry-1.docker.io/v2/"
            ),
            "{}",
            warnings[0]
        );
        assert!(warnings[0].contains("alpine:latest is the offline image"), "{}", warnings[0]);
        // It is there now; a pull finds the same image again.
        assert_eq!(rrun(&["--rm", "alpine", "echo", "x"]).err, "");
        let id = own.inspect("alpine", "{{.Id}}");
        assert_eq!(rrun(&["pull", "-q", "alpine"]).ok(), "docker.io/library/alpine:latest\n");
        assert_eq!(own.inspect("alpine", "{{.Id}}"), id);
        assert_eq!(rrun(&["--rm", "docker.io/library/busybox:latest", "echo", "x"]).ok(), "x\n");
        // Nothing stands in for other tags and names, and nothing replaces an image.
        for name in ["alpine:3", "other/alpine", "debian", "localhost:1/alpine"] {
            rrun(&["pull", name]).failed(1, "cannot pull");
        }
        own.rrun(&["rmi", "-f", "busybox"]).ok();
        own.import("busybox");
        rrun(&["pull", "busybox"]).failed(1, "registry-1.docker.io");
        // Not installed, no stand-in.
        let none =
            own.rrun_in("other", &["run", "alpine"]).env("RRUN_OFFLINE_IMAGES", "/nope").output();
        crate::sandbox::Ended::from(none.unwrap()).failed(125, "registry-1.docker.io");
    });
}

/// Whoever does not answer is named, with the reason.
#[test]
fn unreachable() {
    need!(Need::Root);
    sandbox(|own| {
        let cases = [
            (
                "127.0.0.1:1/x",
                "Get \"http://127.0.0.1:1/v2/x/manifests/latest\": Connection refused",
            ),
            (
                "registry.test:1/x",
                "Get \"https://registry.test:1/v2/x/manifests/latest\": Connection refused",
            ),
            ("10.1.2.3:5000/x", "Network is unreachable"),
            ("unknown.test/x", "lookup unknown.test"),
        ];
        for (name, words) in cases {
            own.rrun(&["pull", name]).failed(1, words);
        }
        assert_eq!(own.leftovers("store"), [""; 0]);
    });
}
