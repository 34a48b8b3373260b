//! From the options of a command line to values, and what is refused.

use crate::container::options::NetworkMode;
use clap::{Args, FromArgMatches};

use super::*;
use crate::config::request::{MountKind, Style};
use crate::container::options::{LogDriver, Ulimit};

fn parse(words: &[&str]) -> Result<(RunOptions, Extra), Failure> {
    let command = RunArgs::augment_args(clap::Command::new("run").disable_help_flag(true));
    let argv = ["run"].iter().chain(words).chain(&["--", "alpine", "sh", "-c", "ls"]);
    let matches = command.args_override_self(true).try_get_matches_from(argv).unwrap();
    let variable = |name: &str| (name == "HOME").then(|| "/home/me".into());
    let caller = Caller { directory: Path::new("/here"), variable: &variable };
    RunArgs::from_arg_matches(&matches).unwrap().parse(&caller)
}

fn options(words: &[&str]) -> RunOptions {
    parse(words).unwrap().0
}

/// Without options nothing is asked for.
#[test]
fn nothing_is_asked_for() {
    let (options, extra) = parse(&[]).unwrap();
    assert_eq!(options.image, "alpine");
    assert_eq!(options.command, ["sh", "-c", "ls"]);
    assert_eq!((options.name, options.entrypoint, options.user), (None, None, None));
    assert_eq!(options.limits, Default::default());
    assert_eq!(options.network, Default::default());
    assert_eq!(options.log.driver, LogDriver::JsonFile);
    assert!(options.mounts.is_empty() && options.env.is_empty() && !options.remove);
    assert_eq!((extra.cidfile, extra.strict_sources, extra.trace), (None, false, false));
    assert!(extra.meaning.is_none());
}

/// The mounts keep the order of the command line across their flags.
#[test]
fn order_of_mounts() {
    let options = options(&[
        "--tmpfs=/t",
        "--mount=type=bind,src=/etc,dst=/b,ro",
        "--volume=data:/d:ro",
        "--tmpfs=/u:size=1m",
        "--volume=./x:/x",
        "--mount=dst=/m",
        "--volumes-from=web:ro",
        "--volumes-from=db",
    ]);
    let seen: Vec<(Style, &str)> =
        options.mounts.iter().map(|m| (m.style, m.target.as_str())).collect();
    assert_eq!(
        seen,
        [
            (Style::Tmpfs, "/t"),
            (Style::Mount, "/b"),
            (Style::Volume, "/d"),
            (Style::Tmpfs, "/u"),
            (Style::Volume, "/x"),
            (Style::Mount, "/m"),
        ]
    );
    let MountKind::Bind(bind) = &options.mounts[4].kind else { panic!("{:?}", options.mounts[4]) };
    assert_eq!(bind.source.as_path(), Path::new("/here/x"));
    let from: Vec<&str> = options.volumes_from.iter().map(|from| from.text.as_str()).collect();
    assert_eq!(from, ["web:ro", "db"]);
}

/// Values that are turned into something else.
#[test]
fn values() {
    let options = options(&[
        "--memory=64m",
        "--cpus=0.5",
        "--pids-limit=0",
        "--shm-size=128m",
        "--ulimit=nofile=1024:2048",
        "--ulimit=core=-1",
        "--ulimit=nofile=10",
        "--label=a=b=c",
        "--label=k",
        "--entrypoint=",
        "--name=one",
        "--name=/two",
        "--env=HOME",
        "--security-opt=no-new-privileges:true",
        "--security-opt=seccomp=unconfined",
        "--hostname=web",
        "--network=host",
    ]);
    let limits = &options.limits;
    assert_eq!((limits.memory, limits.nano_cpus), (Some(64 << 20), Some(500_000_000)));
    assert_eq!((limits.pids, limits.shm_size), (Some(-1), Some(128 << 20)));
    let ulimit = |name: &str, soft, hard| Ulimit { name: name.into(), soft, hard };
    assert_eq!(limits.ulimits, [ulimit("core", u64::MAX, u64::MAX), ulimit("nofile", 10, 10)]);
    assert_eq!(limits.security, ["no-new-privileges", "seccomp=unconfined"]);
    let labels: Vec<(&str, &str)> =
        options.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(labels, [("a", "b=c"), ("k", "")]);
    assert_eq!(options.entrypoint, Some(Vec::new()));
    assert_eq!(options.name.as_ref().map(ContainerName::as_str), Some("two"));
    assert_eq!(options.env, ["HOME=/home/me"]);
    assert_eq!(options.network.mode, NetworkMode::Host);
    assert_eq!(options.network.hostname.as_deref(), Some("web"));
}

/// Numbers of processors, and their limits.
#[test]
fn cpus() {
    let cases = [
        ("1", Some(1_000_000_000)),
        ("0.5", Some(500_000_000)),
        (".25", Some(250_000_000)),
        ("1.", Some(1_000_000_000)),
        ("0.01", Some(10_000_000)),
        ("1.0000000000000", Some(1_000_000_000)),
        ("0", None),
    ];
    for (text, nano) in cases {
        assert_eq!(options(&[&format!("--cpus={text}")]).limits.nano_cpus, nano, "{text}");
    }
}

/// A profile is read, checked and kept as text.
#[test]
fn seccomp_profile() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("profile.json");
    let flag = format!("--security-opt=seccomp={}", path.display());
    std::fs::write(&path, "{\n  \"defaultAction\": \"SCMP_ACT_ALLOW\"\n}\n").unwrap();
    let kept = options(&[&flag]).limits.security;
    assert_eq!(kept, ["seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}"]);
    std::fs::write(&path, "{}").unwrap();
    let failure = parse(&[&flag]).unwrap_err();
    let want = format!("opening seccomp profile ({}) failed: missing field", path.display());
    assert!(failure.cause.starts_with(&want), "{failure}");
}

/// Each word alone is refused with these words, always with 125.
fn refused_with(cases: &[(&str, &str)]) {
    for (word, want) in cases {
        let failure = parse(&[word]).unwrap_err();
        assert!(failure.cause.contains(want), "{word}: {}", failure.cause);
        assert_eq!(failure.status.code(), 125, "{word}");
    }
}

/// Mounts, names, variables and labels that are refused.
#[test]
fn values_of_the_container() {
    refused_with(&[
        ("--volume=n:/d:RO", "invalid mode: RO"),
        (
            "--volume=n:/",
            "'n:/': invalid mount config for type \"volume\": invalid specification: \
                          destination can't be '/'",
        ),
        (
            "--mount=type=bind,src=/x,dts=/y",
            "invalid argument \"type=bind,src=/x,dts=/y\" for \
                                             \"--mount\" flag: unknown option 'dts' in 'dts=/y'",
        ),
        ("--tmpfs=/t:foo", "invalid tmpfs option \"foo\""),
        ("--volumes-from=", "volumes-from specification cannot be an empty string"),
        ("--name=a b", "Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"),
        (
            "--env==x",
            "invalid argument \"=x\" for \"-e, --env\" flag: invalid environment \
                      variable: =x",
        ),
        ("--label==x", "invalid label '=x': empty name"),
    ]);
}

/// Numbers that are refused.
#[test]
fn numbers() {
    refused_with(&[
        ("--memory=abc", "invalid argument \"abc\" for \"-m, --memory\" flag: invalid size: 'abc'"),
        ("--memory=1m", "Minimum memory limit allowed is 6MB"),
        ("--shm-size=-1", "invalid argument \"-1\" for \"--shm-size\" flag: invalid size: '-1'"),
        (
            "--cpus=x",
            "invalid argument \"x\" for \"--cpus\" flag: failed to parse x as a rational \
                      number",
        ),
        ("--cpus=-1", "failed to parse -1 as a rational number"),
        ("--cpus=", "failed to parse  as a rational number"),
        ("--cpus=.", "failed to parse . as a rational number"),
        ("--cpus=0.0000000001", "value is too precise"),
        ("--cpus=0.001", "Range of CPUs is from 0.01 to "),
        ("--cpus=99999", " CPUs available"),
        ("--cpus=99999999999999999999", "failed to parse"),
        (
            "--pids-limit=x",
            "invalid argument \"x\" for \"--pids-limit\" flag: strconv.ParseInt: parsing \"x\": \
             invalid syntax",
        ),
        ("--ulimit=nofile", "invalid ulimit argument: nofile"),
        ("--ulimit=nofiles=1", "invalid ulimit type: nofiles"),
        ("--ulimit=nofile=1:2:3", "too many limit value arguments - 1:2:3"),
        ("--ulimit=nofile=3:2", "soft limit must be less than or equal to hard limit: 3 > 2"),
        ("--ulimit=nofile=-1:2", "hard limit: -1 > 2"),
        ("--ulimit=nofile=x", "flag: strconv.ParseInt: parsing \"x\": invalid syntax"),
        ("--ulimit=nofile=99999999999999999999", "value out of range"),
    ]);
}

/// Permissions, networks and logs that are refused.
#[test]
fn permissions_and_places() {
    refused_with(&[
        ("--cap-add=SYS_ADMN", "invalid CapAdd: unknown capability: \"CAP_SYS_ADMN\""),
        ("--cap-drop=X", "invalid CapDrop: unknown capability: \"CAP_X\""),
        (
            "--security-opt=foo",
            "invalid argument \"foo\" for \"--security-opt\" flag: it is not \
                                available",
        ),
        ("--security-opt=no-new-privileges=x", "invalid value: x"),
        ("--security-opt=seccomp=/nope", "opening seccomp profile (/nope) failed: No such file"),
        ("--network=bridge", "network bridge not found"),
        (
            "--hostname=a b",
            "for \"-h, --hostname\" flag: a host name has at most 64 bytes and no \
                            blanks",
        ),
        ("--domainname=a\nb", "for \"--domainname\" flag"),
        (
            "--pull=x",
            "invalid pull option: 'x': must be one of \"always\", \"missing\" or \"never\"",
        ),
        ("--log-driver=nosuch", "plugin \"nosuch\" not found"),
        ("--log-opt=foo=1", "unknown log opt 'foo' for json-file log driver"),
    ]);
}

/// Two mounts at one place are refused whatever their flags.
#[test]
fn collisions() {
    let failure = parse(&["--tmpfs=/x", "--volume=data:/x/"]).unwrap_err();
    assert_eq!(failure.cause, "Duplicate mount point: /x");
    assert_eq!(options(&["--volume=/x", "--volume=data:/x"]).mounts.len(), 1);
}

/// Slips in names of limits and options are told.
#[test]
fn hints() {
    let cases = [
        ("--ulimit=nofil=1", "did you mean nofile?"),
        ("--security-opt=secomp=unconfined", "did you mean seccomp?"),
        ("--volume=n:/d:RO", "did you mean ro?"),
    ];
    for (word, want) in cases {
        assert_eq!(parse(&[word]).unwrap_err().hint.as_deref(), Some(want), "{word}");
    }
}
