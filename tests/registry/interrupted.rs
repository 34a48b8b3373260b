//! What breaks off goes on where it was, and is seen whole or not at all.

use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use rrun::image::Digest;

use crate::fake::{Fake, Parts, Reply, Shelf, layer, ranged};
use crate::need;
use crate::sandbox::{ended, sandbox, until};
use crate::support::Need;

const SIZE: usize = 300_000;

/// The connection breaks twice: the rest is asked for, and each byte comes once.
#[test]
fn connections_break() {
    need!(Need::Root);
    sandbox(|own| {
        let image = Parts::here(vec![layer("a", SIZE)]);
        let (data, digest) = (image.layers[0].clone(), Digest::of(&image.layers[0]).to_string());
        let breaks = AtomicUsize::new(0);
        let wanted = digest.clone();
        let fake = Fake::registry(Shelf::with(&image, "latest"), move |asked| {
            let mine = asked.path.ends_with(&wanted) && breaks.fetch_add(1, Ordering::SeqCst) < 2;
            mine.then(|| ranged(&data, asked.header("range")).cut_after(100_000))
        });
        let pulled = own.rrun(&["pull", &format!("{}/x", fake.address)]);
        assert!(pulled.ok().contains("Retrying in 1 second"), "{}", pulled.out);
        let ranges: Vec<String> = fake
            .asked()
            .iter()
            .filter(|a| a.path.ends_with(&digest))
            .map(|a| a.header("range").to_owned())
            .collect();
        assert_eq!(ranges, ["", "bytes=100000-", "bytes=200000-"]);
    });
}

/// A registry that does not continue sends all again, and that is right, too.
#[test]
fn no_ranges() {
    need!(Need::Root);
    sandbox(|own| {
        let image = Parts::here(vec![layer("a", SIZE)]);
        let (data, digest) = (image.layers[0].clone(), Digest::of(&image.layers[0]).to_string());
        let broken = AtomicBool::new(false);
        let fake = Fake::registry(Shelf::with(&image, "latest"), move |asked| {
            let reply = || Reply::new(200, data.clone());
            asked.path.ends_with(&digest).then(|| match broken.swap(true, Ordering::SeqCst) {
                false => reply().cut_after(100_000),
                true => reply(),
            })
        });
        own.rrun(&["pull", &format!("{}/x", fake.address)]).ok();
    });
}

/// Killed in the middle: no image, the part that came, and the next pull asks for the rest. Part
/// of what came was changed meanwhile: it is found out, and all comes once more.
#[test]
fn killed() {
    need!(Need::Root);
    sandbox(|own| {
        let image = Parts::here(vec![layer("a", SIZE)]);
        let layer = &image.layers[0];
        let (data, digest) = (layer.clone(), Digest::of(layer));
        let stalls = Arc::new(AtomicBool::new(true));
        let (still, wanted) = (Arc::clone(&stalls), digest.to_string());
        let fake = Fake::registry(Shelf::with(&image, "latest"), move |asked| {
            let mine = asked.path.ends_with(&wanted) && still.load(Ordering::SeqCst);
            // The rest never comes, as the connection stays open.
            mine.then(|| Reply::new(200, data[..100_000].to_vec()).endless_silence(data.len()))
        });
        let name = format!("{}/x", fake.address);
        for damage in [false, true] {
            stalls.store(true, Ordering::SeqCst);
            let mut pull = own.rrun_in("store", &["pull", &name]);
            let mut child = pull.stdout(Stdio::null()).process_group(0).spawn().unwrap();
            until("a part of the layer", || {
                own.partials("store")
                    .iter()
                    .any(|(name, size)| name == digest.hex() && *size == 100_000)
            });
            child.kill().unwrap();
            child.wait().unwrap();
            own.rrun(&["image", "inspect", &name]).failed(1, "No such image");
            let partial = own.path("store/layers/.partial").join(digest.hex());
            if damage {
                let mut bytes = std::fs::read(&partial).unwrap();
                bytes[50_000] ^= 1;
                std::fs::write(&partial, bytes).unwrap();
            }
            stalls.store(false, Ordering::SeqCst);
            let before = fake.asked().len();
            own.rrun(&["pull", &name]).ok();
            let after = fake.asked();
            let ranges: Vec<&str> = after[before..]
                .iter()
                .filter(|a| a.path.ends_with(&digest.to_string()))
                .map(|a| a.header("range"))
                .collect();
            let wanted = if damage { vec!["bytes=100000-", ""] } else { vec!["bytes=100000-"] };
            assert_eq!(ranges, wanted);
            assert_eq!(own.partials("store"), []);
            own.rrun(&["rmi", &name]).ok();
            assert_eq!(own.leftovers("store"), [""; 0]);
        }
    });
}

/// Two pulls of one image at once: one fetches it, both have it.
#[test]
fn at_once() {
    need!(Need::Root);
    sandbox(|own| {
        let image = Parts::here(vec![layer("a", SIZE), layer("b", SIZE)]);
        let digest = Digest::of(&image.layers[0]).to_string();
        let (started, wanted) = (Arc::new(AtomicBool::new(false)), digest.clone());
        let begun = Arc::clone(&started);
        let fake = Fake::registry(Shelf::with(&image, "latest"), move |asked| {
            if asked.path.ends_with(&wanted) {
                begun.store(true, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(500));
            }
            None
        });
        let name = format!("{}/x", fake.address);
        let start = || {
            let mut pull = own.rrun_in("store", &["pull", &name]);
            pull.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let first = start();
        until("the first pull", || started.load(Ordering::SeqCst));
        let second = start();
        for (child, words) in [(first, "Downloaded newer image"), (second, "up to date")] {
            let ended: crate::sandbox::Ended = child.wait_with_output().unwrap().into();
            assert!(ended.ok().contains(words), "{}", ended.out);
        }
        assert_eq!(fake.count("GET", &digest), 1);
        assert_eq!(own.partials("store"), []);
    });
}

/// Two pulls of images that share layers, in opposite order, do not wait for each other for ever.
#[test]
fn shared_layers() {
    need!(Need::Root);
    sandbox(|own| {
        let layers: Vec<Vec<u8>> = (0..6).map(|n| layer(&format!("f{n}"), SIZE)).collect();
        let turned: Vec<Vec<u8>> = layers.iter().rev().cloned().collect();
        let mut shelf = Shelf::with(&Parts::here(layers), "a");
        shelf.add(&Parts::here(turned), "b");
        let together = Barrier::new(2);
        let fake = Fake::registry(shelf, move |asked| {
            if asked.path.ends_with("/manifests/a") || asked.path.ends_with("/manifests/b") {
                together.wait();
            }
            None
        });
        let pulls: Vec<_> = ["a", "b"]
            .map(|tag| {
                let name = format!("{}/x:{tag}", fake.address);
                own.rrun_in("store", &["pull", "-q", &name]).spawn().unwrap()
            })
            .into();
        for mut pull in pulls {
            assert!(pull.wait().unwrap().success());
        }
        let listed = own.rrun(&["images", "-q"]);
        assert_eq!(listed.ok().lines().count(), 2);
        assert_eq!(own.partials("store"), []);
    });
}

/// A full disk: it is said, no image is there, and with more room the pull goes on.
#[test]
fn disk_full() {
    need!(Need::Root);
    sandbox(|own| {
        let store = own.path("store");
        std::fs::create_dir(&store).unwrap();
        let mount = |flags, size: &str| {
            let options = format!("size={size},mode=0700");
            nix::mount::mount(Some("t"), &store, Some("tmpfs"), flags, Some(options.as_str()))
                .unwrap();
        };
        mount(nix::mount::MsFlags::empty(), "2m");
        let image = Parts::here(vec![layer("a", 4 << 20)]);
        let digest = Digest::of(&image.layers[0]);
        let fake = Fake::registry(Shelf::with(&image, "latest"), |_| None);
        let name = format!("{}/x", fake.address);
        own.rrun(&["pull", &name]).failed(1, "No space left on device");
        let partials = own.partials("store");
        assert_eq!(partials.len(), 1, "{partials:?}");
        let came = partials[0].1;
        assert!(came > 1 << 20, "{came}");
        mount(nix::mount::MsFlags::MS_REMOUNT, "32m");
        own.rrun(&["pull", &name]).ok();
        let asked = fake.asked();
        let ranges: Vec<&str> = asked
            .iter()
            .filter(|a| a.path.ends_with(&digest.to_string()))
            .map(|a| a.header("range"))
            .collect();
        assert_eq!(ranges, ["".to_owned(), format!("bytes={came}-")]);
        assert_eq!(own.partials("store"), []);
    });
}

/// ^C ends a pull that `run` started, too.
#[test]
fn interrupt() {
    need!(Need::Root);
    sandbox(|own| {
        let image = Parts::here(vec![layer("a", SIZE)]);
        let digest = Digest::of(&image.layers[0]);
        let (data, wanted) = (image.layers[0].clone(), digest.to_string());
        let fake = Fake::registry(Shelf::with(&image, "latest"), move |asked| {
            let silent = || Reply::new(200, data[..1000].to_vec()).endless_silence(data.len());
            asked.path.ends_with(&wanted).then(silent)
        });
        let name = format!("{}/x", fake.address);
        for signal in [nix::sys::signal::SIGINT, nix::sys::signal::SIGTERM] {
            let mut run = own.rrun_in("store", &["run", "--rm", &name, "true"]);
            let mut child = run.stderr(Stdio::piped()).process_group(0).spawn().unwrap();
            until("a part of the layer", || {
                own.partials("store").iter().any(|(_, size)| *size == 1000)
            });
            let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
            if signal == nix::sys::signal::SIGINT {
                nix::sys::signal::killpg(pid, signal).unwrap();
            } else {
                // Only `run` hears it; its pull ends with it.
                nix::sys::signal::kill(pid, signal).unwrap();
            }
            child.wait().unwrap();
            let partial = own.path("store/layers/.partial").join(digest.hex());
            until("the end of the pull", || {
                let file = std::fs::File::open(&partial).unwrap();
                rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
                    .is_ok()
            });
            assert_eq!(ended(&mut own.rrun_in("store", &["ps", "-aq"])).ok(), "");
            std::fs::remove_file(&partial).unwrap();
        }
    });
}
