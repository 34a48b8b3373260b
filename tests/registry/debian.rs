//! Debian's registry, with skopeo as the second opinion: plain, with TLS, with passwords.

use std::fs;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::need;
use crate::sandbox::{Sandbox, ended, sandbox, until};
use crate::support::Need;

const PLAIN: &str = "127.0.0.1:5000";
const SECURE: &str = "registry.test:5443";

/// A registry that runs until it is dropped.
struct Registry(Child);

impl Drop for Registry {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn registry(own: &Sandbox, port: u16, more: &str) -> Registry {
    let config = format!(
        "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
         storage: {{delete: {{enabled: true}}, filesystem: {{rootdirectory: {}}}}}\n\
         http:\n  addr: 127.0.0.1:{port}\n{more}",
        own.path("registry").display()
    );
    let path = own.path(&format!("{port}.yml"));
    fs::write(&path, config).unwrap();
    let mut command = Command::new("docker-registry");
    command.arg("serve").arg(path).stdout(Stdio::null()).stderr(Stdio::null());
    let registry = Registry(command.spawn().unwrap());
    until("the registry", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    registry
}

fn digest_by_skopeo(own: &Sandbox, name: &str) -> String {
    let words = ["inspect", "--tls-verify=false", &format!("docker://{name}")];
    let text: Value = serde_json::from_str(own.run("skopeo", &words).ok()).unwrap();
    text["Digest"].as_str().unwrap().to_owned()
}

/// What rrun sends, skopeo sees under the same digest; what skopeo sends, rrun does; packed and
/// not, of both families.
#[test]
fn there_and_back() {
    need!(
        Need::Root,
        Need::Program("busybox"),
        Need::Program("docker-registry"),
        Need::Program("skopeo")
    );
    sandbox(|own| {
        let _registry = registry(own, 5000, "");
        own.import("busybox");
        let name = format!("{PLAIN}/a/busybox:1");
        own.rrun(&["push", &name])
            .failed(1, &format!("An image does not exist locally with the tag: {name}"));
        own.rrun(&["tag", "busybox", &name]).ok();
        let pushed = own.rrun(&["push", &name]);
        let lines: Vec<&str> = pushed.ok().lines().collect();
        assert_eq!(lines[0], format!("The push refers to repository [{PLAIN}/a/busybox]"));
        assert!(lines[1].ends_with(": Preparing") && lines[2].ends_with(": Pushed"), "{lines:?}");
        let digest = digest_by_skopeo(own, &name);
        assert!(lines[3].starts_with(&format!("1: digest: {digest} size: ")), "{lines:?}");
        assert!(own.rrun(&["push", &name]).ok().contains(": Layer already exists"));
        // skopeo packs the layer, and turns the manifest into Docker's: other images each time.
        let copies: [(&str, &[&str]); 3] = [
            ("same", &[]),
            ("packed", &["--format", "oci", "--dest-compress-format", "zstd", "--dest-compress"]),
            ("docker", &["--format", "v2s2"]),
        ];
        for (tag, how) in copies {
            let dir = format!("dir:{}", own.path(tag).display());
            let copy = format!("docker://{PLAIN}/copies:{tag}");
            let all = ["copy", "--src-tls-verify=false", "--dest-tls-verify=false"];
            own.run("skopeo", &[&all[..], how, &[&format!("docker://{name}"), &dir]].concat()).ok();
            own.run("skopeo", &[&all[..], how, &[&dir, &copy]].concat()).ok();
            let copied = format!("{PLAIN}/copies:{tag}");
            let digest = digest_by_skopeo(own, &copied);
            let pulled = ended(&mut own.rrun_in(tag, &["pull", &copied]));
            assert!(pulled.ok().contains(&format!("Digest: {digest}\n")), "{}", pulled.out);
            let ran = ended(&mut own.rrun_in(tag, &["run", "--rm", &copied, "echo", "x"]));
            assert_eq!((ran.ok(), ran.err.as_str()), ("x\n", ""));
            // And back, under another name: nothing of it has changed.
            let back = format!("{PLAIN}/back:{tag}");
            ended(&mut own.rrun_in(tag, &["tag", &copied, &back])).ok();
            ended(&mut own.rrun_in(tag, &["push", &back])).ok();
            assert_eq!(digest_by_skopeo(own, &back), digest, "{tag}");
        }
        own.rrun(&["tag", "busybox", &format!("{PLAIN}/a/busybox:2")]).ok();
        own.rrun(&["push", "-q", "-a", &format!("{PLAIN}/a/busybox")]).ok();
        let all = ended(&mut own.rrun_in("all", &["pull", "-a", &format!("{PLAIN}/a/busybox")]));
        assert!(all.ok().contains("1: Pulling from a/busybox"), "{}", all.out);
        assert!(all.out.contains("2: Pulling from a/busybox"), "{}", all.out);
    });
}

/// A certificate authority, a certificate of it for registry.test, and a password.
fn secured(own: &Sandbox) -> Registry {
    let openssl = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        own.run("openssl", &words).ok();
    };
    fs::write(own.path("ext"), "subjectAltName=DNS:registry.test\nbasicConstraints=CA:FALSE\n")
        .unwrap();
    let new = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(&format!("{new} -x509 -days 2 -subj /CN=ours -keyout ca.key -out ca.crt"));
    openssl(&format!("{new} -subj /CN=registry.test -keyout key -out csr"));
    openssl(
        "x509 -req -in csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out crt",
    );
    let words = own.run("htpasswd", &["-Bbn", "user", "right"]);
    fs::write(own.path("htpasswd"), words.ok()).unwrap();
    let at = |name: &str| own.path(name).display().to_string();
    let more = format!(
        "  tls: {{certificate: {}, key: {}}}\nauth: {{htpasswd: {{realm: r, path: {}}}}}\n",
        at("crt"),
        at("key"),
        at("htpasswd"),
    );
    registry(own, 5443, &more)
}

/// A registry as companies have it: an authority of their own, and a password.
#[test]
fn tls_and_password() {
    need!(
        Need::Root,
        Need::Program("busybox"),
        Need::Program("docker-registry"),
        Need::Program("skopeo"),
        Need::Program("openssl"),
        Need::Program("htpasswd"),
    );
    sandbox(|own| {
        let _registry = secured(own);
        own.import("busybox");
        let name = format!("{SECURE}/x");
        own.rrun(&["tag", "busybox", &name]).ok();
        let unknown = own.rrun(&["login", "-u", "user", "-p", "right", SECURE]);
        unknown.failed(
            1,
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        );
        assert!(
            unknown.err.contains(&format!("/etc/docker/certs.d/{SECURE}/ca.crt")),
            "{}",
            unknown.err
        );
        let directory = format!("/etc/docker/certs.d/{SECURE}");
        fs::create_dir_all(&directory).unwrap();
        fs::copy(own.path("ca.crt"), format!("{directory}/ca.crt")).unwrap();
        own.rrun(&["push", &name]).failed(1, "no basic auth credentials");
        own.rrun(&["login", "-u", "user", "-p", "wrong", SECURE])
            .failed(1, "unauthorized: incorrect username or password");
        own.rrun(&["login", "-u", "user", "-p", "right", SECURE]).ok();
        own.rrun(&["push", &name]).ok();
        let pulled = ended(&mut own.rrun_in("other", &["run", "--rm", &name, "echo", "x"]));
        assert_eq!(pulled.ok(), "x\n");
        let auth = format!("--authfile={}", own.path("docker/config.json").display());
        let words = ["inspect", &auth, &format!("docker://{name}")];
        let seen = own.run("skopeo", &words);
        assert!(
            seen.ok().contains(&own.inspect(&name, "{{(index .RepoDigests 0)}}")[name.len() + 1..])
        );
        // The certificate is for one name: another one of the same machine is not it.
        let other = "/etc/docker/certs.d/other.test:5443";
        fs::create_dir_all(other).unwrap();
        fs::copy(own.path("ca.crt"), format!("{other}/ca.crt")).unwrap();
        own.rrun(&["pull", "other.test:5443/x"]).failed(1, "certificate not valid for name");
        fs::write(format!("{other}/ca.crt"), "no certificate").unwrap();
        own.rrun(&["pull", "other.test:5443/x"]).failed(1, "ca.crt");
        own.rrun(&["logout", SECURE]).ok();
        let denied = ended(&mut own.rrun_in("third", &["pull", &name]));
        denied.failed(1, "no basic auth credentials");
    });
}
