//! The life of images in a store: made, named, shared, removed, left behind.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use super::*;
use crate::image::archive::tests::Blocks;
use crate::image::import::{Import, Platform};
use crate::image::{Digest, Reference};
use crate::image::{ImageConfig, Limits};
use crate::store::Store;

/// A store in a directory of its own.
pub(in crate::image) struct Scratch {
    pub directory: tempfile::TempDir,
    pub images: ImageStore,
}

impl Scratch {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("store")).unwrap();
        Self { images: ImageStore::open(&store).unwrap(), directory }
    }

    /// Imports an archive under a name.
    pub fn import(&self, archive: impl Read, name: &str) -> Result<Digest, ImageError> {
        self.import_within(archive, name, &Limits::default())
    }

    pub fn import_within(
        &self,
        archive: impl Read,
        name: &str,
        limits: &Limits,
    ) -> Result<Digest, ImageError> {
        let config = ImageConfig { cmd: vec![name.into()], ..ImageConfig::default() };
        let wanted = Import {
            config,
            comment: "a comment".into(),
            platform: Platform::host(),
            reference: Some(named(name)),
            created: "2024-01-02T03:04:05Z".into(),
        };
        self.images.import(archive, &wanted, limits).map(|imported| imported.id)
    }

    /// All file names below the store's `images` and `layers`, unpacked content apart.
    pub fn files(&self) -> Vec<String> {
        let root = self.directory.path().join("store");
        let mut names = Vec::new();
        for directory in ["images/blobs/sha256", "layers"] {
            for entry in fs::read_dir(root.join(directory)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                names.push(format!("{directory}/{name}"));
            }
        }
        names.sort();
        names
    }
}

pub(in crate::image) fn named(text: &str) -> Reference {
    Reference::parse(text).unwrap().with_default_tag()
}

pub(in crate::image) fn archive(content: &str) -> Vec<u8> {
    Blocks::default().bare(b'5', "./").file("etc/file", content.as_bytes()).end()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(data).unwrap();
    packed.finish().unwrap()
}

fn nobody() -> Result<Vec<User>, ImageError> {
    Ok(Vec::new())
}

/// An image is found by every form of its name and its id, and says what it was given.
#[test]
fn found_by_name_and_id() {
    let scratch = Scratch::new();
    let id = scratch.import(&archive("a")[..], "rr/a:1").unwrap();
    let other = scratch.import(&archive("b")[..], "b").unwrap();
    let image = scratch.images.get("rr/a:1").unwrap();
    let manifest = image.manifest.clone();
    for text in [
        "docker.io/rr/a:1".into(),
        id.to_string(),
        id.hex().to_string(),
        id.short().to_string(),
        format!("sha256:{}", &id.hex()[..20]),
        format!("rr/a@{manifest}"),
        format!("rr/a:1@{manifest}"),
    ] {
        assert_eq!(scratch.images.get(&text).unwrap(), image, "{text}");
    }
    for text in ["rr/a", "a", "", "nope:1", "sha256:", &format!("b@{manifest}")] {
        assert!(scratch.images.find(text).unwrap().is_none(), "{text:?}");
        let words = scratch.images.get(text).unwrap_err().to_string();
        assert_eq!(words, format!("No such image: {text}"));
    }
    assert_eq!(image.id, id);
    assert_eq!(image.config.cmd, ["rr/a:1"]);
    assert_eq!((image.comment.as_str(), image.size_bytes), ("a comment", 1));
    assert_eq!(image.layers.len(), 1);
    assert_eq!(fs::read(image.layers[0].join("etc/file")).unwrap(), b"a");
    assert_eq!(scratch.images.list().unwrap().images.len(), 2);
    assert_ne!(id, other);
}

/// gzip and zstd give the same layer as the plain archive, and keep their own blob.
#[test]
fn packed_archives() {
    let scratch = Scratch::new();
    let plain = archive("x");
    let packed = [plain.clone(), gzip(&plain), zstd::encode_all(&plain[..], 1).unwrap()];
    for (at, data) in packed.iter().enumerate() {
        let name = format!("x:{at}");
        scratch.import(&data[..], &name).unwrap();
        let image = scratch.images.get(&name).unwrap();
        assert_eq!(image.diff_ids, [Digest::of(&plain)]);
        assert_eq!(image.blobs, [Digest::of(data)]);
        assert_eq!(fs::read(scratch.images.blob_path(&image.blobs[0])).unwrap(), *data);
    }
    // What comes after the end of the archive belongs to the digest too.
    let mut padded = plain.clone();
    padded.extend([7; 5000]);
    scratch.import(&padded[..], "padded").unwrap();
    assert_eq!(scratch.images.get("padded").unwrap().diff_ids, [Digest::of(&padded)]);
}

/// Whatever is wrong with an archive, the store is as before: no blob, no layer, no name.
#[test]
fn failed_imports_leave_nothing() {
    let scratch = Scratch::new();
    scratch.import(&archive("kept")[..], "kept").unwrap();
    let before = (scratch.files(), fs::read(scratch.images.layout_path().join("index.json")));
    let plain = archive(&"x".repeat(100_000));
    let packed = gzip(&plain);
    let mut damaged = packed.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    let bomb = gzip(&Blocks::default().file("zeros", &vec![0; 3 << 20]).end());
    let tight = Limits { bytes: 50_000, ..Limits::default() };
    let honest = Limits { ratio: 50, ratio_from_bytes: 1 << 20, ..Limits::default() };
    let generous = Limits::default();
    let cases: [(&str, &[u8], &Limits); 9] = [
        ("cut off", &plain[..plain.len() / 2], &generous),
        ("the compressed data is damaged", &packed[..packed.len() - 20], &generous),
        ("damaged", &damaged, &generous),
        ("not a tar archive", &[b'x'; 4096], &generous),
        ("is empty", b"", &generous),
        ("compressed with xz", b"\xfd7zXZ\0 and so on", &generous),
        ("the archive is larger than 50000 bytes", &plain, &tight),
        ("more than 50000 bytes", &packed, &tight),
        ("a compression bomb?", &bomb, &honest),
    ];
    for (words, data, limits) in cases {
        let error = scratch.import_within(data, "new", limits).expect_err(words).to_string();
        assert!(error.contains(words), "{error:?} does not say {words:?}");
        let after = (scratch.files(), fs::read(scratch.images.layout_path().join("index.json")));
        assert_eq!(after.0, before.0, "{words}");
        assert_eq!(after.1.unwrap(), *before.1.as_ref().unwrap(), "{words}");
    }
}

/// A name that is given again moves; the image that had it stays without a name.
#[test]
fn names_move_and_go() {
    let scratch = Scratch::new();
    let old = scratch.import(&archive("1")[..], "app").unwrap();
    let new = scratch.import(&archive("2")[..], "app").unwrap();
    assert_eq!(scratch.images.get("app").unwrap().id, new);
    assert!(scratch.images.get(old.hex()).unwrap().references.is_empty());
    scratch.images.tag("app", &named("app:v2")).unwrap();
    scratch.images.tag("app", &named("app:v2")).unwrap();
    scratch.images.tag(old.short(), &named("host:5000/app:v1")).unwrap();
    let names = |text: &str| scratch.images.get(text).unwrap().references;
    assert_eq!(names("app"), [named("app"), named("app:v2")]);
    assert_eq!(names("host:5000/app:v1"), [named("host:5000/app:v1")]);
    assert!(scratch.images.tag("nope", &named("x")).is_err());
}

/// A removal takes what no other image needs, and says so in Docker's order.
#[test]
fn removal_spares_what_is_shared() {
    let scratch = Scratch::new();
    let empty = scratch.files();
    scratch.import(&archive("same")[..], "one").unwrap();
    let one = scratch.images.get("one").unwrap();
    let two = scratch.import(&archive("same")[..], "two").unwrap();
    assert_ne!(one.id, two);
    let removed = scratch.images.remove("one", Force::No, nobody).unwrap();
    assert_eq!(removed, [Removed::Untagged(named("one")), Removed::Deleted(one.id.clone())]);
    assert!(one.layers[0].join("etc/file").exists());
    let removed = scratch.images.remove("two", Force::No, nobody).unwrap();
    assert_eq!(removed.last(), Some(&Removed::Deleted(one.diff_ids[0].clone())));
    assert_eq!(scratch.files(), empty);
    let error = scratch.images.remove("two", Force::No, nobody).unwrap_err();
    assert_eq!(error.to_string(), "No such image: two");
}

/// What rmi refuses, in Docker's words, and what force changes.
#[test]
fn removal_is_refused() {
    let scratch = Scratch::new();
    let id = scratch.import(&archive("x")[..], "a").unwrap();
    let users = |running| {
        let user = User { image: id.clone(), container: "0123456789ab".into(), running };
        move || Ok(vec![user.clone()])
    };
    let short = id.short();
    let remove = |text: &str, force, running| {
        scratch.images.remove(text, force, users(running)).map_err(|e| e.to_string())
    };
    let running = Err(format!(
        "conflict: unable to delete {short} (cannot be forced) - image is being used by running \
         container 0123456789ab"
    ));
    assert_eq!(remove("a", Force::No, true), running);
    assert_eq!(remove("a", Force::Yes, true), running);
    assert_eq!(
        remove("a", Force::No, false),
        Err(format!(
            "conflict: unable to remove repository reference \"a:latest\" (must force) - \
             container 0123456789ab is using its referenced image {short}"
        ))
    );
    scratch.images.tag("a", &named("b:1")).unwrap();
    assert_eq!(
        scratch.images.remove(short, Force::No, nobody).unwrap_err().to_string(),
        format!(
            "conflict: unable to delete {short} (must be forced) - image is referenced in \
             multiple repositories"
        )
    );
    // One of several names may go, whoever uses the image.
    assert_eq!(remove("b:1", Force::No, true), Ok(vec![Removed::Untagged(named("b:1"))]));
    assert_eq!(remove("a", Force::Yes, false), Ok(vec![Removed::Untagged(named("a"))]));
    let kept = scratch.images.get(short).unwrap();
    assert!(kept.references.is_empty() && kept.layers[0].exists());
    let removed = scratch.images.remove(short, Force::No, nobody).unwrap();
    assert_eq!(removed, [Removed::Deleted(id.clone()), Removed::Deleted(kept.diff_ids[0].clone())]);
}

/// What a dead command left is swept by the next; what a living one builds is not.
#[test]
fn leftovers_are_swept() {
    let scratch = Scratch::new();
    scratch.import(&archive("a")[..], "a").unwrap();
    let clean = scratch.files();
    let layers = scratch.directory.path().join("store/layers");
    let living = scratch.images.stage().unwrap();
    let dead = layers.join(".new-dead");
    fs::create_dir_all(dead.join("layer-1/deep/er")).unwrap();
    let orphan = layers.join("0".repeat(64));
    fs::create_dir_all(orphan.join("etc")).unwrap();
    let young = scratch.images.blob_path(&Digest::of(b"young"));
    fs::write(&young, "young").unwrap();
    let old = scratch.images.blob_path(&Digest::of(b"old"));
    fs::write(&old, "old").unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
    fs::File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
    scratch.import(&archive("a")[..], "a").unwrap();
    assert!(!dead.exists() && !orphan.exists() && !old.exists());
    // A blob this young may belong to another tool that is just writing it.
    assert!(young.exists() && living.blob_path(&Digest::of(b"")).parent().unwrap().exists());
    drop(living);
    fs::remove_file(young).unwrap();
    assert_eq!(scratch.files(), clean);
}

/// A damaged image is told apart from the others, takes nothing with it, and can be removed.
#[test]
fn damaged_images() {
    let scratch = Scratch::new();
    scratch.import(&archive("good")[..], "good").unwrap();
    let good = scratch.files();
    scratch.import(&archive("bad")[..], "bad").unwrap();
    let bad = scratch.images.get("bad").unwrap();
    fs::write(scratch.images.blob_path(&bad.id), "{}").unwrap();
    let words = scratch.images.get("bad").unwrap_err().to_string();
    let wanted =
        format!("the image's configuration {} is damaged: its content has another digest", bad.id);
    assert_eq!(words, wanted);
    let listing = scratch.images.list().unwrap();
    assert_eq!((listing.images.len(), listing.damaged.len()), (1, 1));
    // While it is there nobody knows what it refers to, so nothing is swept.
    scratch.import(&archive("good")[..], "other").unwrap();
    assert!(bad.layers[0].exists());
    let removed = scratch.images.remove("bad", Force::No, nobody).unwrap();
    assert_eq!(removed, [Removed::Untagged(named("bad"))]);
    assert!(!bad.layers[0].exists());
    scratch.images.remove("other", Force::No, nobody).unwrap();
    let left: Vec<_> = good.iter().filter(|f| !scratch.files().contains(f)).collect();
    assert_eq!(left, [""; 0]);
}

/// Parallel imports of one archive under many names: all are there, the layer once.
#[test]
fn parallel_imports() {
    let scratch = Scratch::new();
    let data = archive("shared");
    std::thread::scope(|scope| {
        for at in 0..6 {
            let (scratch, data) = (&scratch, &data);
            scope.spawn(move || scratch.import(&data[..], &format!("n{at}")).unwrap());
        }
    });
    let listing = scratch.images.list().unwrap();
    assert_eq!((listing.images.len(), listing.damaged.len()), (6, 0));
    assert!(listing.images.iter().all(|i| i.layers == listing.images[0].layers));
    assert!(!scratch.files().iter().any(|name| name.contains(".new-")));
}

/// A stream that fails in the middle is an error, whatever came before.
#[test]
fn failing_streams() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(libc::EIO))
        }
    }
    let scratch = Scratch::new();
    let data = archive("x");
    for length in [0, 100, 512, 1024, data.len()] {
        let error = scratch.import(data[..length].chain(Failing), "x").unwrap_err();
        assert!(error.to_string().contains("Input/output error"), "{length}: {error}");
    }
    assert_eq!(scratch.files(), [""; 0]);
}

/// The store's directories are for their owner alone.
#[test]
fn modes() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    scratch.import(&archive("x")[..], "x").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let root = scratch.directory.path().join("store");
    for directory in ["", "images", "layers"] {
        assert_eq!(mode(&root.join(directory)), 0o700, "{directory}");
    }
}

/// An image that another tool put into the layout is told to be not unpacked; loading the layout
/// itself mends that.
#[test]
fn foreign_images() {
    let scratch = Scratch::new();
    scratch.import(&archive("x")[..], "x").unwrap();
    let image = scratch.images.get("x").unwrap();
    image.require_layers().unwrap();
    fs::remove_dir_all(&image.layers[0]).unwrap();
    let words = image.require_layers().unwrap_err().to_string();
    assert_eq!(words, format!("layer {} of the image is not unpacked", image.diff_ids[0]));
    let layout = scratch.images.layout_path().to_owned();
    scratch.images.load_directory(&layout, &Limits::default()).unwrap();
    image.require_layers().unwrap();
    assert_eq!(scratch.images.get("x").unwrap(), image);
}
