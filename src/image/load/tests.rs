//! Archives and directories of other tools, whole and tampered with.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::image::archive::tests::{Blocks, header};
use crate::image::store::tests::{Scratch, archive, named};
use crate::image::{Digest, ImageError, Limits};

/// An OCI layout in memory: path → content.
type Files = Vec<(String, Vec<u8>)>;

fn blob(data: &[u8]) -> (String, Vec<u8>) {
    (format!("blobs/sha256/{}", Digest::of(data).hex()), data.to_vec())
}

fn config(diff_ids: &[&Digest]) -> Vec<u8> {
    serde_json::to_vec(&serde_json::json!({
        "architecture": "amd64", "os": "linux", "created": "2024-01-02T03:04:05Z",
        "config": {"Cmd": ["sh"], "Healthcheck": {"Test": ["NONE"]}, "OnBuild": null},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }))
    .unwrap()
}

fn descriptor(kind: &str, data: &[u8]) -> serde_json::Value {
    serde_json::json!({
        "mediaType": format!("application/vnd.oci.image.{kind}"),
        "digest": Digest::of(data), "size": data.len(),
    })
}

fn manifest(config: &[u8], layer: &[u8]) -> Vec<u8> {
    serde_json::to_vec(&serde_json::json!({
        "schemaVersion": 2,
        "config": descriptor("config.v1+json", config),
        "layers": [descriptor("layer.v1.tar+gzip", layer)],
    }))
    .unwrap()
}

/// A layout with one image of one layer. `tamper` may change what the config says of the layer.
fn layout(layer: &[u8], diff_id: &Digest, name: &str) -> Files {
    let config = config(&[diff_id]);
    let manifest = manifest(&config, layer);
    let mut named = descriptor("manifest.v1+json", &manifest);
    named["annotations"] = serde_json::json!({"org.opencontainers.image.ref.name": name});
    let index = serde_json::json!({"schemaVersion": 2, "manifests": [named]});
    vec![
        ("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
        ("index.json".into(), serde_json::to_vec(&index).unwrap()),
        blob(layer),
        blob(&config),
        blob(&manifest),
    ]
}

fn pack(files: &Files) -> Vec<u8> {
    let pack = |blocks: Blocks, (path, data): &(String, Vec<u8>)| blocks.file(path, data);
    files.iter().fold(Blocks::default(), pack).end()
}

fn load(scratch: &Scratch, files: &Files) -> Result<Vec<String>, String> {
    let loaded = scratch.images.load(&pack(files)[..], &Limits::default());
    let images = loaded.map_err(|e| e.to_string())?.images;
    Ok(images.iter().flat_map(|i| &i.references).map(ToString::to_string).collect())
}

fn digest(content: &str) -> (Vec<u8>, Digest) {
    let layer = archive(content);
    let digest = Digest::of(&layer);
    (layer, digest)
}

/// An archive and a directory of the same layout give the same image, as it was made.
#[test]
fn oci_layouts() {
    let scratch = Scratch::new();
    let (plain, diff_id) = digest("x");
    let packed = zstd::encode_all(&plain[..], 1).unwrap();
    let files = layout(&packed, &diff_id, "rr/x:1");
    assert_eq!(load(&scratch, &files), Ok(vec!["rr/x:1".into()]));
    let image = scratch.images.get("rr/x:1").unwrap();
    assert_eq!((image.id.clone(), &image.diff_ids), (Digest::of(&files[3].1), &vec![diff_id]));
    assert_eq!(image.manifest, Digest::of(&files[4].1));
    let directory = scratch.directory.path().join("layout");
    fs::create_dir_all(directory.join("blobs/sha256")).unwrap();
    for (path, data) in &files {
        fs::write(directory.join(path), data).unwrap();
    }
    let before = scratch.files();
    let loaded = scratch.images.load_directory(&directory, &Limits::default()).unwrap();
    assert_eq!(loaded.images[0].id, image.id);
    assert_eq!((scratch.files(), fs::read_dir(&directory).unwrap().count()), (before, 3));
    // A link that leads out of the directory is no way to read a file of the host.
    let secret = scratch.directory.path().join("secret");
    fs::rename(directory.join("index.json"), &secret).unwrap();
    std::os::unix::fs::symlink(&secret, directory.join("index.json")).unwrap();
    assert!(scratch.images.load_directory(&directory, &Limits::default()).is_err());
}

/// Of an image for many machines the one for this machine is taken, notes about it never.
#[test]
fn many_platforms() {
    let scratch = Scratch::new();
    let (layer, diff_id) = digest("x");
    let (other, other_id) = digest("other");
    let mut files = layout(&layer, &diff_id, "ignored");
    let foreign = layout(&other, &other_id, "ignored");
    let at = |data: &[u8], os: &str, arch: &str| {
        let mut one = descriptor("manifest.v1+json", data);
        one["platform"] = serde_json::json!({"os": os, "architecture": arch});
        one
    };
    let host = crate::image::import::Platform::host().architecture;
    let inner = serde_json::to_vec(&serde_json::json!({"schemaVersion": 2, "manifests": [
        at(b"attestation", "unknown", "unknown"),
        at(&foreign[4].1, "linux", "s390x"),
        at(&files[4].1, "linux", &host),
    ]}))
    .unwrap();
    let mut outer = descriptor("index.v1+json", &inner);
    outer["annotations"] = serde_json::json!({
        "io.containerd.image.name": "docker.io/rr/multi:3",
        "org.opencontainers.image.ref.name": "3",
    });
    let index = serde_json::json!({"schemaVersion": 2, "manifests": [outer]});
    files[1].1 = serde_json::to_vec(&index).unwrap();
    files.push(blob(&inner));
    assert_eq!(load(&scratch, &files), Ok(vec!["rr/multi:3".into()]));
    assert_eq!(scratch.images.get("rr/multi:3").unwrap().diff_ids, [diff_id]);
}

/// Docker's own form, old and new: links to layers, no names, shared layers.
#[test]
fn docker_archives() {
    let scratch = Scratch::new();
    let (layer, diff_id) = digest("x");
    let config = config(&[&diff_id]);
    let item = |names: serde_json::Value, layer: &str| {
        let config = "c.json";
        serde_json::json!({"Config": config, "RepoTags": names, "Layers": [layer]})
    };
    let items = serde_json::json!([
        item(serde_json::json!(["docker.io/rr/x:1", "y"]), "id/layer.tar"),
        item(serde_json::Value::Null, "real.tar"),
    ]);
    let data = Blocks::default()
        .bare(b'5', "id/")
        .link(b'2', "id/layer.tar", "../real.tar")
        .file("./real.tar", &layer)
        .file("c.json", &config)
        .file("manifest.json", &serde_json::to_vec(&items).unwrap())
        .end();
    let loaded = scratch.images.load(&data[..], &Limits::default()).unwrap();
    assert_eq!(loaded.images.len(), 2);
    let image = scratch.images.get("y").unwrap();
    assert_eq!(image.references, [named("y"), named("rr/x:1")]);
    assert_eq!(image.id, Digest::of(&config));
    // What the configuration has and we do not know stays in it.
    let kept = fs::read(scratch.images.blob_path(&image.id)).unwrap();
    assert_eq!(kept, config);
}

/// What was saved is loaded as the same image, all tags of a name or one of them.
#[test]
fn save_and_load() {
    let scratch = Scratch::new();
    scratch.import(&archive("x")[..], "rr/x:1").unwrap();
    scratch.images.tag("rr/x:1", &named("rr/x:2")).unwrap();
    let other = scratch.import(&archive("y")[..], "y").unwrap();
    let save = |wanted: &[&str]| {
        let path = scratch.directory.path().join("saved.tar");
        let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        let mut file = fs::File::create(&path).unwrap();
        scratch.images.save(&wanted, &mut file).map(|()| fs::read(path).unwrap())
    };
    let cases: [(&[&str], &[&str], usize); 4] = [
        (&["rr/x"], &["rr/x:1", "rr/x:2"], 1),
        (&["rr/x:2", "y"], &["rr/x:2", "y:latest"], 2),
        (&[other.short()], &[], 1),
        (&["y", "rr/x", "y:latest"], &["rr/x:1", "rr/x:2", "y:latest"], 2),
    ];
    for (wanted, names, count) in cases {
        let data = save(wanted).unwrap();
        assert_eq!(data, save(wanted).unwrap(), "the same archive every time");
        let fresh = Scratch::new();
        fresh.images.load(&data[..], &Limits::default()).unwrap();
        let images = fresh.images.list().unwrap().images;
        let mut found: Vec<String> =
            images.iter().flat_map(|i| &i.references).map(ToString::to_string).collect();
        found.sort();
        assert_eq!((found.as_slice(), images.len()), (&names.map_strings()[..], count));
        for image in images {
            assert_eq!(scratch.images.get(image.id.hex()).unwrap().manifest, image.manifest);
        }
    }
    let missing = save(&["nope"]).unwrap_err().to_string();
    assert_eq!(missing, "No such image: nope");
}

trait Strings {
    fn map_strings(&self) -> Vec<String>;
}

impl Strings for &[&str] {
    fn map_strings(&self) -> Vec<String> {
        self.iter().map(ToString::to_string).collect()
    }
}

/// Whoever swaps one part for another is found out, and the store is as before.
#[test]
fn tampering_is_found() {
    let scratch = Scratch::new();
    let (layer, diff_id) = digest("x");
    let (evil, evil_id) = digest("evil");
    let good = layout(&layer, &diff_id, "x");
    let with = |at: usize, data: Vec<u8>| {
        let mut files = good.clone();
        files[at].1 = data;
        files
    };
    let mut flipped = layer.clone();
    // The one byte of the file.
    flipped[1024] ^= 1;
    let escape = Blocks::default().link(b'2', "l", "/tmp").file("l/x", b"").end();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let short_index = text(&good[1].1).replace("\"size\":", "\"size\":1");
    let docker = |config: &str, layers: &str| {
        let manifest = format!(r#"[{{"Config":"{config}","Layers":{layers},"RepoTags":null}}]"#);
        vec![("manifest.json".to_string(), manifest.into_bytes()), good[3].clone(), good[2].clone()]
    };
    let (config_path, layer_path) = (&good[3].0, format!("[\"{}\"]", good[2].0));
    let cases: Vec<(&str, Files)> = vec![
        ("its size is not the one in the manifest", with(2, [&layer[..], b"x"].concat())),
        ("its content has another digest", with(2, flipped)),
        ("its content has another digest", with(3, config(&[&evil_id]))),
        ("its content has another digest", with(4, manifest(&good[3].1, &evil))),
        ("it unpacks to", layout(&layer, &evil_id, "x")),
        ("differ in number", {
            let config = config(&[]);
            let manifest = manifest(&config, &layer);
            let index = serde_json::json!({
                "schemaVersion": 2, "manifests": [descriptor("manifest.v1+json", &manifest)],
            });
            vec![
                ("index.json".into(), serde_json::to_vec(&index).unwrap()),
                blob(&layer),
                blob(&config),
                blob(&manifest),
            ]
        }),
        ("which is not in it", good[..2].to_vec()),
        ("\"index.json\" is not valid", with(1, b"{".to_vec())),
        ("there is no image in it", with(1, br#"{"schemaVersion":2,"manifests":[]}"#.to_vec())),
        ("there is no image in it", vec![("etc/passwd".into(), vec![])]),
        ("through a symbolic link", layout(&escape, &Digest::of(&escape), "x")),
        (
            "Invalid digest length",
            with(1, text(&good[1].1).replace("sha256:", "sha512:").into_bytes()),
        ),
        ("which is not in it", docker("../../etc/passwd", &layer_path)),
        ("differ in number", docker(config_path, "[]")),
        ("is not valid", docker(&good[2].0, &layer_path)),
        ("leaves the archive", vec![("../x".into(), vec![])]),
    ];
    for (words, files) in cases {
        let error = load(&scratch, &files).expect_err(words);
        assert!(error.contains(words), "{error:?} does not say {words:?}");
        assert_eq!(scratch.files(), [""; 0], "{words}");
    }
    // A wrong size of the manifest itself changes nothing: its digest is what counts.
    assert!(load(&scratch, &with(1, short_index.into_bytes())).is_ok());
}

/// A layer that is there already is not believed to be what another image says it is.
#[test]
fn known_layers_are_not_borrowed() {
    let scratch = Scratch::new();
    let (layer, diff_id) = digest("x");
    let (other, other_id) = digest("y");
    load(&scratch, &layout(&layer, &diff_id, "x")).unwrap();
    load(&scratch, &layout(&other, &other_id, "y")).unwrap();
    let crossed = layout(&layer, &other_id, "crossed");
    assert!(load(&scratch, &crossed).unwrap_err().contains("it unpacks to"));
    assert!(matches!(scratch.images.get("crossed"), Err(ImageError::NotFound(_))));
}

/// A directory that a layer only passes through looks as the layers below say, also when the same
/// layer lies on another one elsewhere; what is hidden below is no longer asked.
#[test]
fn silent_directories_inherit() {
    let scratch = Scratch::new();
    let directory = |mode: u32, path: &str| {
        let mut header = header(b'5', path.as_bytes());
        header.set_mode(mode);
        header
    };
    let base = |mode| {
        Blocks::default()
            .raw(directory(0o711, "./"), b"")
            .pax(&[("SCHILY.xattr.user.x", b"kept")])
            .raw(directory(mode, "root"), b"")
            .raw(directory(mode, "gone"), b"")
            .raw(directory(mode, "hidden"), b"")
            .raw(directory(mode, "hidden/deep"), b"")
            .end()
    };
    let middle = Blocks::default().file(".wh.gone", b"").file("hidden/.wh..wh..opq", b"").end();
    let top = Blocks::default()
        .file("root/new", b"")
        .file("gone/new", b"")
        .file("hidden/deep/new", b"")
        .end();
    for mode in [0o700, 0o2770] {
        let layers = [base(mode), middle.clone(), top.clone()];
        let diff_ids = layers.each_ref().map(|layer| Digest::of(layer));
        let config = config(&diff_ids.each_ref());
        let descriptors = layers.each_ref().map(|layer| descriptor("layer.v1.tar", layer));
        let manifest = serde_json::to_vec(&serde_json::json!({
            "schemaVersion": 2, "config": descriptor("config.v1+json", &config),
            "layers": descriptors,
        }))
        .unwrap();
        let index = serde_json::json!({
            "schemaVersion": 2, "manifests": [descriptor("manifest.v1+json", &manifest)],
        });
        let mut files = vec![("index.json".into(), serde_json::to_vec(&index).unwrap())];
        files.extend(layers.iter().map(|layer| blob(layer)));
        files.extend([blob(&config), blob(&manifest)]);
        load(&scratch, &files).unwrap();
        let image = scratch.images.get(Digest::of(&config).hex()).unwrap();
        assert_eq!(image.diff_ids, diff_ids);
        let seen = |layer: usize, path: &str| {
            let meta = fs::metadata(image.layers[layer].join(path)).unwrap();
            (meta.permissions().mode() & 0o7777, meta.modified().unwrap())
        };
        let there = std::time::UNIX_EPOCH + std::time::Duration::from_secs(981_173_106);
        assert_eq!(seen(0, "root"), (mode, there));
        assert_eq!(seen(0, ""), (0o711, there));
        assert_eq!(seen(1, "hidden"), (mode, there));
        assert_eq!(seen(0, "hidden"), (mode, there));
        assert_eq!((seen(0, "gone").0, seen(0, "hidden/deep").0), (0o755, 0o755));
        let mut value = [0; 4];
        let root = image.layers[0].join("root");
        assert_eq!(rustix::fs::getxattr(root, "user.x", &mut value[..]), Ok(4));
    }
    // The lowest layers differ, so the same middle and top are there twice.
    assert_eq!(scratch.files().iter().filter(|f| f.ends_with(".json")).count(), 6);
}
