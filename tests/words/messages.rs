//! Messages, whole: what was wanted, why it cannot be, and what may help.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::need;
use crate::store::Store;
use crate::support::Need;

/// A command line, its status, and all that it says.
type Row<'a> = (&'a [&'a str], i32, &'a str);

fn told(store: &Store, rows: &[Row<'_>]) {
    for (arguments, status, words) in rows {
        let answer = store.rrun(arguments);
        assert_eq!((answer.status, answer.err.trim_end()), (*status, *words), "{arguments:?}");
        assert!(!answer.err.contains("os error"), "{answer:?}");
    }
}

/// A name that is not there, next to one that is.
#[test]
fn near_names() {
    need!(Need::Root);
    let store = Store::with_image();
    assert_eq!(store.rrun(&["volume", "create", "data"]).status, 0);
    assert_eq!(store.rrun(&["create", "--name", "web", "alpine"]).status, 0);
    told(
        &store,
        &[
            (
                &["run", "--pull=never", "alpin"],
                125,
                "cannot create a container of alpin: Unable to find image 'alpin:latest' \
                 locally\n  hint: did you mean alpine?",
            ),
            (
                &["run", "Alpine"],
                125,
                "cannot create a container of Alpine: invalid reference format: repository name \
                 (library/Alpine) must be lowercase\n  hint: did you mean alpine?",
            ),
            (
                &["rmi", "apline"],
                1,
                "cannot remove image apline: No such image: apline\n  hint: did you mean alpine?",
            ),
            (
                &["volume", "rm", "dta"],
                1,
                "cannot remove dta: get dta: no such volume\n  hint: did you mean data?",
            ),
            (
                &["rm", "wbe"],
                1,
                "cannot remove container \"wbe\": No such container: wbe\n  \
                 hint: did you mean web?",
            ),
            (
                &["inspect", "alpien"],
                1,
                "cannot inspect alpien: Error: No such object: alpien\n  \
                 hint: did you mean alpine?",
            ),
            (
                &["run", "--cap-add", "NETADMIN", "alpine"],
                125,
                "cannot use --cap-add and --cap-drop: invalid CapAdd: unknown capability: \
                 \"CAP_NETADMIN\"\n  hint: did you mean NET_ADMIN?",
            ),
        ],
    );
}

/// What Docker has and rrun never will, and slips of what it has.
#[test]
fn commands() {
    let store = Store::new();
    told(
        &store,
        &[
            (
                &["build", "."],
                125,
                "cannot run the command build: rrun has no `build`\n  hint: build with another \
                 tool (buildah, docker build), then `rrun load` its archive, or `rrun import` a \
                 root file system",
            ),
            (
                &["network", "create", "x"],
                125,
                "cannot run the command network: rrun has no `network`\n  hint: there are none to \
                 make: --network none, host, pasta or container:NAME",
            ),
            (
                &["volume", "craete"],
                1,
                "cannot read the command line: unknown command: craete\n  hint: did you mean `rrun \
                 volume create`?",
            ),
            (
                &["imagse"],
                125,
                "cannot create a container of imagse: Unable to find image 'imagse:latest' \
                 locally\n  hint: did you mean the command `rrun images`?",
            ),
            (
                &["run", "--mount", "src=/tmp,dst=/x", "alpine"],
                125,
                "cannot use --mount: create /tmp: \"/tmp\" includes invalid characters for a local \
                 volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to \
                 pass a host directory, use absolute path\n  hint: a directory of the host is a \
                 bind: --mount type=bind,src=/tmp,…",
            ),
        ],
    );
    for arguments in [&["volume", "help", "create"], &["help", "volume", "create"]] {
        let help = store.rrun(arguments);
        assert_eq!(help.status, 0, "{help:?}");
        let usage = "Usage: rrun volume create [OPTIONS] [VOLUME]\n";
        assert!(help.out.contains(usage), "{help:?}");
    }
}

/// What is no archive, and what is not there.
#[test]
fn archives() {
    let store = Store::new();
    let path = |name: &str| store.beside(name).display().to_string();
    fs::write(store.beside("page"), "<!doctype html>\n").unwrap();
    fs::write(store.beside("empty"), "").unwrap();
    fs::write(store.beside("list.xz"), b"\xfd7zXZ\0 and so on").unwrap();
    let (page, empty, xz, gone) = (path("page"), path("empty"), path("list.xz"), path("pag"));
    let try_tar = "`tar -tf FILE` lists what an archive holds; gzip and zstd are unpacked";
    told(
        &store,
        &[
            (
                &["load", "-i", &page],
                1,
                &format!(
                    "cannot load {page}: this is not a tar archive: it is HTML, perhaps the page \
                     of an error\n  hint: {try_tar}"
                ),
            ),
            (
                &["import", &page],
                1,
                &format!(
                    "cannot import {page}: this is not a tar archive: it is HTML, perhaps the page \
                     of an error\n  hint: {try_tar}"
                ),
            ),
            (
                &["import", &empty],
                1,
                &format!(
                    "cannot import {empty}: the archive is empty\n  hint: was it written, or \
                     fetched, to its end?"
                ),
            ),
            (
                &["import", &xz],
                1,
                &format!(
                    "cannot import {xz}: the archive is compressed with xz, which is not \
                     supported\n  hint: unpack it on the way: xz -dc FILE | rrun …"
                ),
            ),
            (
                &["import", &gone],
                1,
                &format!(
                    "cannot import {gone}: No such file or directory\n  hint: did you mean {page}?"
                ),
            ),
            (
                &["save", "-o", "/nowhere/at/all", "x"],
                1,
                "cannot save x: /nowhere/at/all: No such file or directory\n  hint: / exists, \
                 /nowhere does not",
            ),
        ],
    );
}

/// An interpreter line that would make the container run what started it (CVE-2019-5736).
#[test]
fn an_interpreter_that_is_not_there() {
    need!(Need::Root);
    let store = Store::with_image();
    let script = store.beside("script");
    fs::write(&script, "#!/proc/self/exe\n").unwrap();
    fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let mount = format!("{}:/script", script.display());
    let answer = store.rrun(&["run", "--rm", "-v", &mount, "alpine", "/script"]);
    let words = "exec: /proc/self/exe is no program of this container\n";
    assert_eq!((answer.status, answer.err.as_str()), (127, words));
    let answer = store.rrun(&["run", "--rm", "--ulimit", "data=1", "alpine", "true"]);
    let words =
        "warning: killed by SIGSEGV (11): RLIMIT_DATA of 1 bytes leaves it hardly any memory\n";
    assert_eq!((answer.status, answer.err.as_str()), (139, words));
}

/// Names are anybody's: what they hold is shown, not obeyed.
#[test]
fn escape_sequences_are_shown() {
    let store = Store::new();
    told(
        &store,
        &[(
            &["run", "\u{1b}[2mx"],
            125,
            "cannot create a container of \\u{1b}[2mx: invalid reference format: \"\\u{1b}[2mx\"",
        )],
    );
}
