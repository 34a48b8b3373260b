//! The kernel's keys: they are in no namespace, so the container gets a keyring of its own.

use crate::harness::Bundle;
use crate::need;
use crate::support::Need;

/// Puts a key named `secret` into a session keyring, for whoever has that keyring and nobody
/// else; then executes the rest of its arguments.
const WITH_KEY: &str = "import ctypes, os, sys; libc = ctypes.CDLL(None, use_errno=True); \
    assert libc.syscall(250, 1, None) > 0; \
    key = libc.syscall(248, b'user', b'secret', b'x', 1, -3); \
    assert libc.syscall(250, 5, key, 0x3f000000) == 0; \
    os.execvp(sys.argv[1], sys.argv[1:])";

/// A key of the caller's is not found inside.
#[test]
#[cfg(target_arch = "x86_64")]
fn the_callers_keys_stay_outside() {
    need!(Need::Root, Need::Program("python3"));
    let mut bundle = Bundle::new();
    bundle.config["linux"]["maskedPaths"] = serde_json::json!([]);
    bundle.args(&["cat", "/proc/keys"]);
    let ended = bundle.host(&format!(
        "with_key() {{ python3 -c \"{WITH_KEY}\" \"$@\"; }}; \
         echo outside; with_key cat /proc/keys; echo inside; with_key $RUN"
    ));
    let (outside, inside) = ended.ok().split_once("inside\n").unwrap();
    assert!(outside.contains(" secret"), "{outside}");
    assert!(inside.contains(" keyring ") && !inside.contains(" secret"), "{inside}");
}
