//! Who is told a password, and who never is.

use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::fake::{Asked, Fake, Parts, Reply, Shelf, layer};
use crate::need;
use crate::sandbox::{Sandbox, ended, sandbox};
use crate::support::Need;

/// base64 of "u:p".
const BASIC: &str = "Basic dTpw";

fn keep(own: &Sandbox, registry: &str) {
    std::fs::create_dir_all(own.path("docker")).unwrap();
    let auths = json!({"auths": {registry: {"auth": "dTpw"}}}).to_string();
    std::fs::write(own.path("docker/config.json"), auths).unwrap();
}

fn image() -> Parts {
    Parts::here(vec![layer("a", 1000)])
}

/// A registry that wants `authorization`, or else says what to do about it.
fn guarded(authorization: &'static str, challenge: String) -> impl Fn(&Asked) -> Option<Reply> {
    move |asked| {
        let errors =
            json!({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]});
        let refusal = Reply::new(401, errors.to_string()).header("WWW-Authenticate", &*challenge);
        (asked.header("authorization") != authorization).then_some(refusal)
    }
}

/// A server of tokens: "sesame" for the name and password, "anybody" for nothing.
fn tokens() -> Fake {
    Fake::registry(Shelf::default(), |asked| {
        let token = match asked.header("authorization") {
            BASIC => "sesame",
            "" => "anybody",
            _ => return Some(Reply::new(401, "")),
        };
        Some(Reply::new(200, json!({"token": token, "expires_in": 60}).to_string()))
    })
}

/// The token server sees the password, the registry the token; without a password it gives
/// another token, which does not open.
#[test]
fn token_server() {
    need!(Need::Root);
    sandbox(|own| {
        let tokens = tokens();
        let challenge = format!(
            "Bearer realm=\"http://{}/token\",service=\"s v\",scope=\"repository:x:pull\"",
            tokens.address
        );
        let guard = guarded("Bearer sesame", challenge);
        let fake = Fake::registry(Shelf::with(&image(), "latest"), guard);
        let name = format!("{}/x", fake.address);
        let denied = own.rrun(&["pull", &name]);
        denied.failed(
            1,
            &format!(
                "pull access denied for {name}, repository does not exist or may require \
             'docker login': unauthorized: authentication required"
            ),
        );
        assert!(denied.err.contains(&format!("hint: `rrun login {}`", fake.address)));
        keep(own, &fake.address);
        own.rrun(&["pull", &name]).ok();
        let asked = tokens.asked();
        assert_eq!(asked[0].path, "/token?service=s%20v&scope=repository%3Ax%3Apull");
        let shown: Vec<&str> = asked.iter().map(|a| a.header("authorization")).collect();
        assert_eq!(shown, ["", BASIC], "one token serves the whole pull");
        let seen = fake.asked();
        assert!(
            seen.iter()
                .all(|a| ["", "Bearer anybody", "Bearer sesame"]
                    .contains(&a.header("authorization")))
        );
    });
}

/// A token that ends in the middle of a pull is replaced.
#[test]
fn token_ends() {
    need!(Need::Root);
    sandbox(|own| {
        let given = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&given);
        let tokens = Fake::registry(Shelf::default(), move |_| {
            let mut given = counted.lock().unwrap();
            *given += 1;
            Some(Reply::new(200, json!({"access_token": format!("t{given}")}).to_string()))
        });
        let challenge = format!("Bearer realm=\"http://{}/\"", tokens.address);
        let fake = Fake::registry(Shelf::with(&image(), "latest"), move |asked| {
            let wanted = if asked.path.contains("/blobs/") { "Bearer t2" } else { "Bearer t1" };
            let refusal = Reply::new(401, "").header("WWW-Authenticate", &*challenge);
            (asked.header("authorization") != wanted).then_some(refusal)
        });
        own.rrun(&["pull", &format!("{}/x", fake.address)]).ok();
        assert_eq!(*given.lock().unwrap(), 2);
    });
}

/// A registry that sends its users elsewhere for a token, without TLS, gets no password there.
#[test]
fn token_server_without_tls() {
    need!(Need::Root);
    sandbox(|own| {
        let challenge = "Bearer realm=\"http://other.test/token\"".to_owned();
        let fake = Fake::registry(Shelf::default(), guarded("never", challenge));
        keep(own, &fake.address);
        let pulled = own.rrun(&["pull", &format!("{}/x", fake.address)]);
        pulled.failed(
            1,
            "\"http://other.test/token\", which is not followed: a token server needs TLS",
        );
    });
}

/// Blobs are often elsewhere: that host never sees what the registry was shown. Where it is not
/// to be trusted at all, nothing is fetched.
#[test]
fn redirects() {
    need!(Need::Root);
    sandbox(|own| {
        let image = image();
        let blobs = Fake::registry(Shelf::with(&image, "latest"), |_| None);
        let elsewhere = blobs.address.clone();
        let guard = guarded(BASIC, "Basic realm=\"r\"".into());
        let fake = Fake::registry(Shelf::with(&image, "latest"), move |asked| {
            guard(asked).or_else(|| {
                let to = format!("http://{elsewhere}{}?signature=secret", asked.path);
                let moved = Reply::new(307, "").header("Location", to);
                asked.path.contains("/blobs/").then_some(moved)
            })
        });
        keep(own, &fake.address);
        own.rrun(&["pull", &format!("{}/x", fake.address)]).ok();
        assert_eq!(blobs.asked().len(), 2);
        for asked in blobs.asked() {
            assert_eq!(asked.header("authorization"), "", "{asked:?}");
            assert!(!asked.headers.values().any(|value| value.contains("dTpw")), "{asked:?}");
        }
        let cases = [
            ("http://other.test/x?token=secret", "only the loopback interface needs no TLS"),
            ("file:///etc/passwd", "it is no URL"),
            ("/v2/", "there are too many redirects"),
        ];
        for (to, words) in cases {
            let fake = Fake::registry(Shelf::with(&image, "latest"), move |asked| {
                let moved = Reply::new(307, "").header("Location", to);
                (asked.path != "/v2/x/manifests/latest" || to == "/v2/").then_some(moved)
            });
            let store = words.replace(' ', "-");
            let mut pull = own.rrun_in(&store, &["pull", &format!("{}/x", fake.address)]);
            let pulled = ended(&mut pull);
            pulled.failed(1, words);
            assert!(!pulled.err.contains("secret"), "{}", pulled.err);
        }
    });
}

/// Another registry's password is not shown, and a wrong one is told.
#[test]
fn whose_password() {
    need!(Need::Root);
    sandbox(|own| {
        let fake = Fake::registry(Shelf::default(), guarded("never", "Basic realm=\"r\"".into()));
        keep(own, "127.0.0.1:1");
        own.rrun(&["pull", &format!("{}/x", fake.address)]).failed(1, "no basic auth credentials");
        assert!(fake.asked().iter().all(|a| a.header("authorization").is_empty()));
        keep(own, &fake.address);
        own.rrun(&["pull", &format!("{}/x", fake.address)]).failed(1, "pull access denied for");
        assert!(fake.asked().iter().any(|a| a.header("authorization") == BASIC));
    });
}

/// Log in, log out: tried first, kept for the owner alone, beside what else Docker keeps.
#[test]
fn login() {
    need!(Need::Root);
    sandbox(|own| {
        let fake = Fake::registry(Shelf::default(), guarded(BASIC, "Basic realm=\"r\"".into()));
        let (file, server) = (own.path("docker/config.json"), fake.address.clone());
        let login = |password: &str| {
            let words = "printf '%s\\n' \"$P\" | \"$@\"";
            let mut command = std::process::Command::new("sh");
            command.args(["-c", words, "sh", crate::sandbox::RRUN, "login", "-u", "u"]);
            command.args(["--password-stdin", &server]).env("P", password);
            ended(
                command
                    .env("DOCKER_CONFIG", own.path("docker"))
                    .env("RRUN_ROOT", own.path("store")),
            )
        };
        login("wrong").failed(1, "unauthorized: incorrect username or password");
        assert!(!file.exists());
        std::fs::create_dir_all(own.path("docker")).unwrap();
        std::fs::write(&file, r#"{"psFormat": "x", "auths": {}}"#).unwrap();
        let done = login("p");
        assert_eq!(done.ok(), "Login Succeeded\n");
        assert!(done.err.contains("stored unencrypted in"), "{}", done.err);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let text: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(text, json!({"psFormat": "x", "auths": {&*server: {"auth": "dTpw"}}}));
        let again = own.rrun(&["login", &server]);
        assert_eq!(again.ok(), "Authenticating with existing credentials...\nLogin Succeeded\n");
        let out = own.rrun(&["logout", &server]);
        assert_eq!(out.ok(), format!("Removing login credentials for {server}\n"));
        assert_eq!(own.rrun(&["logout", &server]).ok(), format!("Not logged in to {server}\n"));
        own.rrun(&["login", &server])
            .failed(1, "Cannot perform an interactive login from a non TTY device");
        own.rrun(&["login", "--password-stdin", &server]).failed(1, "Must provide --username");
    });
}

/// Keeps one password in a file beside itself.
const CREDENTIAL_PROGRAM: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 2
case $1 in
    store) cat > kept ;;
    get)
        read -r url || :
        [ -e kept ] || { echo 'credentials not found in native keychain'; exit 1; }
        grep -q "\"$url\"" kept && cat kept ;;
    erase) rm kept ;;
esac
"#;

/// A program keeps the passwords: nothing of them comes into the file.
#[test]
fn credential_program() {
    need!(Need::Root);
    sandbox(|own| {
        let fake = Fake::registry(
            Shelf::with(&image(), "latest"),
            guarded(BASIC, "Basic realm=\"r\"".into()),
        );
        std::fs::create_dir_all(own.path("docker")).unwrap();
        let config = json!({"credHelpers": {&*fake.address: "test"}}).to_string();
        std::fs::write(own.path("docker/config.json"), &config).unwrap();
        let program = own.path("docker-credential-test");
        let script = CREDENTIAL_PROGRAM;
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", own.path("").display(), std::env::var("PATH").unwrap());
        let rrun = |words: &[&str]| ended(own.rrun_in("store", words).env("PATH", &path));
        let name = format!("{}/x", fake.address);
        rrun(&["pull", &name]).failed(1, "no basic auth credentials");
        let login = rrun(&["login", "-u", "u", "-p", "p", &fake.address]);
        assert_eq!(login.ok(), "Login Succeeded\n");
        assert!(!login.err.contains("unencrypted"), "{}", login.err);
        assert_eq!(std::fs::read_to_string(own.path("docker/config.json")).unwrap(), config);
        let kept: serde_json::Value =
            serde_json::from_slice(&std::fs::read(own.path("kept")).unwrap()).unwrap();
        assert_eq!(kept, json!({"ServerURL": fake.address, "Username": "u", "Secret": "p"}));
        rrun(&["pull", &name]).ok();
        rrun(&["run", "--pull", "always", "--rm", &name]).failed(125, "no command specified");
        assert!(rrun(&["logout", &fake.address]).ok().starts_with("Removing login credentials"));
        assert!(!own.path("kept").exists());
        own.rrun(&["pull", &name]).failed(1, "docker-credential-test: executable file not found");
    });
}
