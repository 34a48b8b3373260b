//! On a terminal: bars that move, and passwords that are typed without being shown.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::{Arc, Mutex};

use nix::pty::openpty;
use nix::sys::termios::{LocalFlags, tcgetattr};
use serde_json::json;

use crate::fake::{Fake, Parts, Reply, Shelf, layer};
use crate::need;
use crate::sandbox::{Sandbox, sandbox, until};
use crate::support::Need;

/// A command on a terminal of its own.
struct OnTerminal {
    child: Child,
    keys: File,
    screen: Arc<Mutex<Vec<u8>>>,
    terminal: OwnedFd,
}

impl OnTerminal {
    fn start(own: &Sandbox, arguments: &[&str]) -> Self {
        let size = nix::pty::Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(&size, None).unwrap();
        let slave = || pair.slave.try_clone().unwrap();
        let mut command = own.rrun_in("store", arguments);
        command.stdin(slave()).stdout(slave()).stderr(slave()).env("TERM", "xterm");
        let child = command.spawn().unwrap();
        let keys = File::from(pair.master);
        let mut output = keys.try_clone().unwrap();
        let screen: Arc<Mutex<Vec<u8>>> = Arc::default();
        let seen = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // EIO when the last one has closed the other side.
            while let Ok(read @ 1..) = output.read(&mut buffer) {
                seen.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        });
        Self { child, keys, screen, terminal: pair.slave }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    #[track_caller]
    fn shows(&self, words: &str) {
        until(words, || self.text().contains(words));
    }

    fn echoes(&self) -> bool {
        tcgetattr(&self.terminal).unwrap().local_flags.contains(LocalFlags::ECHO)
    }
}

/// Each layer has a line that is drawn over, and says at last that it is done.
#[test]
fn bars() {
    need!(Need::Root);
    sandbox(|own| {
        let image = Parts::here(vec![layer("a", 3 << 20), layer("b", 3 << 20)]);
        let fake = Fake::registry(Shelf::with(&image, "latest"), |_| None);
        let mut pull = OnTerminal::start(own, &["pull", &format!("{}/x", fake.address)]);
        assert!(pull.child.wait().unwrap().success());
        pull.shows("Status: Downloaded newer image");
        let text = pull.text();
        for blob in &image.layers {
            let short = rrun::image::Digest::of(blob).short().to_owned();
            assert!(text.contains(&format!("{short}: Pull complete")), "{text}");
        }
        assert!(text.contains("MiB/3.00 MiB"), "{text}");
        assert!(text.contains("\u{1b}["), "{text}");
    });
}

/// The password is asked for and not shown; ^C gives the terminal back as it was.
#[test]
fn passwords() {
    need!(Need::Root);
    sandbox(|own| {
        let fake = Fake::registry(Shelf::default(), |asked| {
            let refusal = Reply::new(401, "{}").header("WWW-Authenticate", "Basic realm=\"r\"");
            (asked.header("authorization") != "Basic dTpw").then_some(refusal)
        });
        let mut login = OnTerminal::start(own, &["login", &fake.address]);
        login.shows("Username: ");
        login.keys.write_all(b"u\n").unwrap();
        login.shows("Password: ");
        until("a terminal that shows nothing", || !login.echoes());
        login.keys.write_all(b"p\n").unwrap();
        assert!(login.child.wait().unwrap().success(), "{}", login.text());
        login.shows("Login Succeeded");
        let after = login.text().split("Password: ").nth(1).unwrap().to_owned();
        assert!(after.starts_with("\r\n"), "{after:?}");
        assert!(login.echoes());
        let kept = std::fs::read(own.path("docker/config.json")).unwrap();
        let kept: serde_json::Value = serde_json::from_slice(&kept).unwrap();
        assert_eq!(kept, json!({"auths": {&*fake.address: {"auth": "dTpw"}}}));

        let mut broken = OnTerminal::start(own, &["login", "-u", "u", "other.test:1"]);
        broken.shows("Password: ");
        until("a terminal that shows nothing", || !broken.echoes());
        broken.keys.write_all(b"secr\x03").unwrap();
        assert_eq!(broken.child.wait().unwrap().code(), Some(1));
        broken.shows("it was interrupted");
        assert!(broken.echoes() && !broken.text().contains("secr"), "{}", broken.text());
    });
}
