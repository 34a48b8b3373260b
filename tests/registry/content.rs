//! What comes is what was asked for, or it is refused and nothing of it stays.

use std::sync::atomic::{AtomicUsize, Ordering};

use rrun::image::Digest;
use serde_json::json;

use crate::fake::{Fake, OCI_INDEX, OCI_MANIFEST, Parts, Reply, Shelf, descriptor, layer};
use crate::need;
use crate::sandbox::sandbox;
use crate::support::Need;

/// Of a list the image for this machine is taken, or the one that is asked for; the list's digest
/// is the image's name, too.
#[test]
fn lists() {
    need!(Need::Root);
    sandbox(|own| {
        let here = Parts::here(vec![layer("here", 100)]);
        let there = Parts::new(vec![layer("there", 100)], "s390x");
        let mut shelf = Shelf::with(&here, "one");
        shelf.add(&there, "other");
        let architecture = rrun::image::import::Platform::host().architecture;
        let entry = |image: &Parts, architecture: &str| {
            let mut entry = descriptor(OCI_MANIFEST, &image.manifest);
            entry["platform"] = json!({"os": "linux", "architecture": architecture});
            entry
        };
        let list = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
            entry(&there, "s390x"), entry(&here, &architecture),
        ]});
        let list = serde_json::to_vec(&list).unwrap();
        shelf.add_manifest(OCI_INDEX, &list, "latest");
        let fake = Fake::registry(shelf, |_| None);
        let name = format!("{}/x", fake.address);
        let digest = Digest::of(&list).to_string();
        let pulled = own.rrun(&["pull", &name]);
        assert_eq!(
            pulled.ok(),
            format!(
                "Using default tag: latest\nlatest: Pulling from x\n{layer}: Pulling fs layer\n\
                 {layer}: Verifying Checksum\n{layer}: Download complete\n\
                 {layer}: Pull complete\nDigest: {digest}\n\
                 Status: Downloaded newer image for {name}:latest\n{name}:latest\n",
                layer = Digest::of(&here.layers[0]).short(),
            )
        );
        assert_eq!(own.inspect(&name, "{{.RepoDigests}}"), format!("[{name}@{digest}]"));
        assert_eq!(own.inspect(&name, "{{.Architecture}}"), architecture);
        let again = own.rrun(&["pull", &name]);
        assert!(again.ok().contains(&format!("Status: Image is up to date for {name}:latest")));
        // By the digest of the list or of the image, with a tag or without; it is there already.
        for which in [format!("{name}@{digest}"), format!("{name}:7@{digest}")] {
            assert_eq!(own.inspect(&which, "{{.Id}}"), own.inspect(&name, "{{.Id}}"));
            assert!(own.rrun(&["pull", "-q", &which]).ok().starts_with(&name));
        }
        let other = own.rrun(&["pull", "--platform", "linux/s390x", &name]);
        assert!(other.ok().contains("Downloaded newer image"));
        assert_eq!(own.inspect(&name, "{{.Architecture}}"), "s390x");
        own.rrun(&["pull", "--platform", "linux/mips", &name])
            .failed(1, "no matching manifest for linux/mips in the manifest list entries");
        own.rrun(&["pull", "--platform", "linux/mips", &format!("{name}:one")])
            .failed(1, "does not match the specified platform (linux/mips)");
    });
}

/// A pull by the digest alone: no tag, and found again by that digest.
#[test]
fn by_digest() {
    need!(Need::Root);
    sandbox(|own| {
        let image = Parts::here(vec![layer("a", 100)]);
        let fake = Fake::registry(Shelf::with(&image, "latest"), |_| None);
        let (name, digest) = (format!("{}/x", fake.address), image.digest());
        let by_digest = format!("{name}@{digest}");
        let pulled = own.rrun(&["pull", &by_digest]);
        assert!(pulled.ok().starts_with(&format!("{digest}: Pulling from x\n")), "{}", pulled.out);
        assert_eq!(
            own.inspect(&by_digest, "{{.RepoTags}} {{.RepoDigests}}"),
            format!("[] [{by_digest}]")
        );
        own.rrun(&["image", "inspect", &name]).failed(1, "No such image");
        assert!(own.rrun(&["images"]).ok().contains("<none>"));
        own.rrun(&["rmi", &by_digest]).ok();
        assert_eq!(own.leftovers("store"), [""; 0]);
        let other = Digest::of(b"other");
        own.rrun(&["pull", &format!("{name}@{other}")]).failed(1, "manifest unknown");
    });
}

/// Answers that are not what they should be: to which requests, and what is said about them.
fn lies_about(image: &Parts) -> Vec<(String, &'static str, Reply)> {
    let other = Parts::here(vec![layer("b", 50_000)]);
    let data = &image.layers[0];
    let blob = Digest::of(data).to_string();
    let config = Digest::of(&image.config).to_string();
    let mut bomb: serde_json::Value = serde_json::from_slice(&image.manifest).unwrap();
    bomb["layers"][0]["size"] = json!(u64::MAX);
    let ok = |body: &[u8]| Reply::new(200, body);
    let manifest = |body: &[u8]| ok(body).header("Content-Type", OCI_MANIFEST);
    let swapped = manifest(&other.manifest).header("Docker-Content-Digest", image.digest());
    let size = "has another size than was announced";
    let cases = [
        (&*blob, "filesystem layer verification failed for digest", ok(&other.layers[0])),
        (&*blob, size, ok(data).endless()),
        (&*blob, size, ok(&data[1..])),
        (
            &*config,
            "image config verification failed for digest",
            ok(&vec![b' '; image.config.len()]),
        ),
        (&*config, size, ok(b"{}")),
        ("/manifests/", size, manifest(bomb.to_string().as_bytes())),
        ("/manifests/", "the manifest of", ok(b"{").endless()),
        ("/manifests/", "manifest verification failed for digest", swapped),
        (
            "/manifests/",
            "is no image: its manifest is of type text/html",
            ok(b"{}").header("Content-Type", "text/html"),
        ),
        ("/manifests/", "answered 500", Reply::new(500, "\u{1b}[31m")),
        ("/manifests/", "manifest unknown: manifest unknown", Reply::new(404, "")),
    ];
    cases.map(|(part, words, reply)| (part.to_owned(), words, reply)).into()
}

/// What does not fit its digest, its size or its name is refused, and the store stays empty.
#[test]
fn lies() {
    need!(Need::Root);
    sandbox(|own| {
        let image = Parts::here(vec![layer("a", 50_000)]);
        let shelf = Shelf::with(&image, "latest");
        for (part, words, lie) in lies_about(&image) {
            let fake = Fake::registry(shelf.clone(), move |asked| {
                asked.path.contains(&part).then(|| lie.clone())
            });
            let pulled = own.rrun(&["pull", &format!("{}/x", fake.address)]);
            pulled.failed(1, words);
            assert!(!pulled.err.contains('\u{1b}'), "{}", pulled.err);
            assert_eq!(own.leftovers("store"), [""; 0], "{words}");
            assert!(own.partials("store").iter().all(|(_, size)| *size < 60_000), "{words}");
        }
        // What a lie left behind does not hinder the truth.
        let fake = Fake::registry(shelf, |_| None);
        own.rrun(&["pull", &format!("{}/x", fake.address)]).ok();
        assert_eq!(own.partials("store"), []);
    });
}

/// A layer that the configuration does not mean is found when it is unpacked.
#[test]
fn crossed_layers() {
    need!(Need::Root);
    sandbox(|own| {
        let (a, b) = (Parts::here(vec![layer("a", 100)]), Parts::here(vec![layer("b", 100)]));
        let mut crossed: serde_json::Value = serde_json::from_slice(&a.manifest).unwrap();
        crossed["layers"] =
            serde_json::from_slice::<serde_json::Value>(&b.manifest).unwrap()["layers"].clone();
        let mut shelf = Shelf::with(&a, "a");
        shelf.add(&b, "b");
        shelf.add_manifest(OCI_MANIFEST, crossed.to_string().as_bytes(), "crossed");
        let fake = Fake::registry(shelf, |_| None);
        let pulled = own.rrun(&["pull", &format!("{}/x:crossed", fake.address)]);
        pulled.failed(1, "it unpacks to");
        assert_eq!(own.leftovers("store"), [""; 0]);
    });
}

/// Layers come several at once, each once, also where an image has one twice; all tags come.
#[test]
fn many_layers() {
    need!(Need::Root);
    sandbox(|own| {
        let mut layers: Vec<Vec<u8>> = (0..8).map(|n| layer(&format!("f{n}"), 70_000)).collect();
        layers.push(layers[2].clone());
        let image = Parts::here(layers.clone());
        let more = Parts::here([layers[..3].to_vec(), vec![layer("more", 10)]].concat());
        let mut shelf = Shelf::with(&image, "a");
        shelf.add(&more, "b");
        let pages = AtomicUsize::new(0);
        let fake = Fake::registry(shelf, move |asked| {
            let page =
                asked.path.contains("/tags/list").then(|| pages.fetch_add(1, Ordering::SeqCst))?;
            let tags = Reply::new(
                200,
                json!({"name": "x", "tags": [if page == 0 { "a" } else { "b" }]}).to_string(),
            );
            let next = "</v2/x/tags/list?last=a>; rel=\"next\"";
            Some(if page == 0 { tags.header("Link", next) } else { tags })
        });
        let name = format!("{}/x", fake.address);
        own.rrun(&["pull", "-a", &name]).ok();
        for layer in &layers {
            let digest = Digest::of(layer).to_string();
            assert_eq!(fake.count("GET", &digest), 1, "{digest}");
        }
        assert_eq!(own.inspect(&format!("{name}:a"), "{{len .RootFS.Layers}}"), "9");
        assert_eq!(own.inspect(&format!("{name}:b"), "{{len .RootFS.Layers}}"), "4");
        assert_eq!(own.partials("store"), []);
        own.rrun(&["pull", "-a", &format!("{name}:a")]).failed(1, "tag can't be used");
    });
}
