//! A container without a mount namespace: a root by chroot, and nothing that would need mounts.

use serde_json::json;

use crate::harness::Bundle;
use crate::need;
use crate::support::Need;

fn bundle() -> Bundle {
    let mut bundle = Bundle::new();
    bundle.without_namespace("mount").without_namespace("cgroup");
    bundle.config["mounts"] = json!([]);
    bundle.config["linux"]["maskedPaths"] = json!([]);
    bundle.config["linux"]["readonlyPaths"] = json!([]);
    bundle
}

/// The root is the bundle's; cwd, user, hostname, limits and hooks are as ever.
#[test]
fn runs() {
    need!(Need::Root);
    let mut bundle = bundle();
    bundle.config["process"]["cwd"] = json!("/made/here");
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    let mut hooks = json!({});
    for phase in ["prestart", "createRuntime", "createContainer", "startContainer"] {
        hooks[phase] = json!([{"path": "/bin/sh", "args": ["sh", "-c", format!("echo {phase}")]}]);
    }
    bundle.config["hooks"] = hooks;
    bundle.sh("pwd; id -u; hostname; ls /; ulimit -n");
    let ended = bundle.run();
    let want = "prestart\ncreateRuntime\ncreateContainer\nstartContainer\n\
        /made/here\n1000\nrrun\nbin\ndev\netc\nmade\nproc\nroot\nsys\ntmp\n1024\n";
    assert_eq!(ended.ok(), want);
}

/// What needs mounts is refused with its reason, and nothing is made on the host.
#[test]
fn refused() {
    need!(Need::Root);
    for (pointer, value) in [
        ("/linux/maskedPaths", json!(["/etc"])),
        ("/linux/readonlyPaths", json!(["/etc"])),
        ("/root/readonly", json!(true)),
    ] {
        let mut bundle = bundle();
        *bundle.config.pointer_mut(pointer).unwrap() = value;
        bundle.run().refused(&format!("{pointer}: it needs a mount namespace"));
    }
    let mut bundle = bundle();
    bundle.config["linux"]["rootfsPropagation"] = json!("shared");
    bundle.run().refused("it needs a mount namespace");
    let mut bundle = Bundle::new();
    bundle.without_namespace("mount");
    bundle.run().refused("the config has mounts and no mount namespace");
}
