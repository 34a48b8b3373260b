//! The same bundles through other runtimes: crun and runc must show a process the same.
//!
//! All run in `scripts/sandbox v2`, because crun refuses hybrid hosts. What differs on purpose
//! is taken out of every answer by [`agreed`], [`table`] and [`normal`], with the reason.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::harness::{Bundle, Mount, RRUN_OCI, mounts};
use crate::need;
use crate::support::Need;

/// What a process can see of itself, a section each.
const LOOK: &str = r#"
section() { echo "[$1]"; }
status() { while read -r line; do case $line in
    Cap*|NoNewPrivs*|Groups*|Umask*|Uid*|Gid*) echo "$line";; esac; done < /proc/self/status; }
section mounts; cat /proc/self/mountinfo
section status; status
section limits; ulimit -a
section devices; find /dev -xdev \( -type c -o -type b -o -type p -o -type l \) | sort | \
    while read -r n; do stat -c '%n %F %a %t:%T %u:%g' $n; readlink $n; done
section directories; stat -c '%n %a %u:%g' / /dev /dev/shm /dev/pts /proc /sys /tmp /etc /made \
    /made/place /t 2>/dev/null
section cwd; pwd
section environment; env | sort
section hostname; hostname
section oom; cat /proc/self/oom_score_adj
section sysctl; cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward
section loopback; cat /sys/class/net/lo/flags 2>&1
section descriptors; ls /proc/self/fd
"#;

/// The sections of an answer.
fn sections(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for part in text.split("\n[").map(|part| part.trim_start_matches('[')) {
        if let Some((name, body)) = part.split_once("]\n") {
            found.insert(name.to_owned(), body.to_owned());
        }
    }
    found
}

/// What rrun and `peer` must agree on in a mount table: order, places, kinds, flags, propagation.
fn table(text: &str, peer: &str) -> Vec<String> {
    let all = mounts(text).into_iter().filter(agreed);
    all.map(|mount| {
        let propagation: Vec<&str> =
            mount.propagation.iter().map(|word| word.split(':').next().unwrap()).collect();
        // Ours are rprivate unless asked for; the others leave what they do not touch a slave
        // of the host, which lets the host's mounts appear in the container.
        let propagation = match (mount.target.as_str(), peer) {
            // crun detaches a mount from its group before it makes it a slave of nobody.
            ("/slave", "crun") => Vec::new(),
            (target, _) if propagation == ["master"] && target != "/slave" => Vec::new(),
            _ => propagation,
        };
        let kind = mount.kind;
        format!("{} {kind} {} {}", mount.target, mount.flags.join(","), propagation.join(","))
    })
    .collect()
}

/// Is this line one that all are to have alike?
fn agreed(mount: &Mount) -> bool {
    let target = mount.target.as_str();
    // How a path is hidden is each one's own: the kinds and flags of what covers it differ, and
    // so does the order of covers. That they are hidden is asked of the kernel by other tests.
    let hidden = |path: &str| target == path;
    let covers = rrun::config::default_spec::MASKED_PATHS;
    // In a user namespace nodes are binds of the host's; who makes them read-only, nosuid or
    // noexec, and in which order, is as different; that they are the right ones is asked below.
    let node = target.starts_with("/dev/")
        && mount.kind != "devpts"
        && mount.kind != "mqueue"
        && target != "/dev/shm";
    !covers.iter().any(|path| hidden(path)) && !node
}

/// Runs the bundle by `runtime` in the sandbox that is around us.
fn command(runtime: &str, bundle: &Bundle) -> String {
    let directory = bundle.text("");
    let directory = directory.trim_end_matches('/');
    let id = bundle.id();
    let program = match runtime {
        "rrun" => format!("{RRUN_OCI} --root /run/rrun-test"),
        "crun" => "crun --cgroup-manager=disabled".to_owned(),
        other => other.to_owned(),
    };
    format!(
        "{program} run --bundle {directory} {id} > {directory}/out.{runtime} 2>&1 || \
        echo \"status $?\" >> {directory}/out.{runtime}; "
    )
}

/// Each bundle by each runtime; returns the answers, by bundle and runtime.
fn answers(bundles: &[Bundle], runtimes: &[&str]) -> Vec<BTreeMap<String, String>> {
    let mut script = String::new();
    for bundle in bundles {
        bundle.write();
        runtimes.iter().for_each(|runtime| script.push_str(&command(runtime, bundle)));
    }
    let sandbox = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/sandbox");
    let mut run = Command::new("timeout");
    run.args(["-s", "KILL", "120"]).arg(sandbox).args(["v2", "bash", "-c", &script]);
    let output = run.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer = |bundle: &Bundle, runtime: &str| {
        std::fs::read_to_string(bundle.path(&format!("out.{runtime}"))).unwrap()
    };
    let of = |bundle: &Bundle| {
        runtimes.iter().map(|runtime| ((*runtime).to_owned(), answer(bundle, runtime))).collect()
    };
    bundles.iter().map(of).collect()
}

fn compare(name: &str, answers: &BTreeMap<String, String>) {
    let ours = sections(&answers["rrun"]);
    assert!(ours.contains_key("descriptors"), "{name}: {}", answers["rrun"]);
    for (runtime, answer) in answers.iter().filter(|(runtime, _)| *runtime != "rrun") {
        let theirs = sections(answer);
        assert!(theirs.contains_key("descriptors"), "{name}, {runtime}: {answer}");
        let mut tables = [&ours["mounts"], &theirs["mounts"]].map(|text| table(text, runtime));
        if name == "mapped" {
            // The table is in the order in which mounts are made, not attached, and in a user
            // namespace the host makes some of them before.
            tables.iter_mut().for_each(|table| table.sort());
        }
        assert_eq!(tables[0], tables[1], "{name}: left rrun, right {runtime}");
        for (section, ours) in ours.iter().filter(|(section, _)| *section != "mounts") {
            let theirs = theirs.get(section).unwrap_or_else(|| panic!("{runtime}: {answer}"));
            let (ours, theirs) = (normal(section, ours, runtime), normal(section, theirs, runtime));
            assert_eq!(ours, theirs, "{name}, {section}: left rrun, right {runtime}");
        }
    }
}

/// A section without what may differ.
fn normal(section: &str, body: &str, peer: &str) -> Vec<String> {
    let lines = body.lines().map(str::trim_end);
    match section {
        // crun makes /dev/core no link, runc makes one where the host has the file.
        "devices" => {
            let lines: Vec<&str> = lines.collect();
            let core = lines.iter().position(|line| line.starts_with("/dev/core "));
            let skipped = core.map_or(0..0, |at| at..at + 2);
            let kept = lines.iter().enumerate().filter(|(at, _)| !skipped.contains(at));
            // crun gives the null device to the container's user where that is its input, the
            // machine's too; rrun never changes its owner.
            let null = |line: &str| line.starts_with("/dev/null ");
            let short = |line: &str| match line.rsplit_once(' ') {
                Some((head, _)) if null(line) => head.to_owned(),
                _ => line.to_owned(),
            };
            kept.map(|(_, line)| short(line)).collect()
        }
        // runc 1.1 gives a tmpfs its target's mode even where the config names one.
        "directories" if peer == "runc" => {
            lines.filter(|line| !line.starts_with("/t ")).map(str::to_owned).collect()
        }
        _ => lines.map(str::to_owned).collect(),
    }
}

/// A bundle without what the others do not know or do otherwise.
fn bundle() -> Bundle {
    let mut bundle = Bundle::new();
    // The cgroup mount is each runtime's own business, and is tested for itself.
    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| mount["type"] != "cgroup");
    bundle.without_namespace("cgroup");
    // Debian's crun knows no newer one.
    bundle.config["ociVersion"] = json!("1.0.2");
    bundle.sh(LOOK);
    bundle
}

/// The default config, and one with much of what a config can ask for.
#[test]
fn same_as_crun_and_runc() {
    need!(Need::Root, Need::Program("crun"), Need::Program("runc"));
    let plain = bundle();

    let mut mounted = bundle();
    let source = mounted.directory("src");
    for (place, words) in [
        ("/made/place", &["rbind"][..]),
        ("/ro", &["rbind", "ro"]),
        ("/flags", &["rbind", "nosuid", "nodev", "noexec", "nodiratime"]),
        ("/atime", &["rbind", "noatime"]),
        ("/strict", &["rbind", "strictatime"]),
        ("/private", &["rbind", "rprivate"]),
        ("/slave", &["rbind", "rslave"]),
        ("/data-on-a-bind", &["bind", "mode=755"]),
    ] {
        mounted.bind(&source, place, words);
    }
    mounted.mount(json!({"type": "tmpfs", "source": "tmpfs", "destination": "/t",
        "options": ["nosuid", "nodev", "size=1m", "mode=1770"]}));
    mounted.config["root"]["readonly"] = json!(true);
    mounted.config["process"]["cwd"] = json!("/tmp");

    let mut restricted = bundle();
    restricted.config["process"]["user"] =
        json!({"uid": 1000, "gid": 7, "additionalGids": [8, 9], "umask": 0o027});
    restricted.config["process"]["env"] = json!(["PATH=/bin", "A=1", "B=with blanks"]);
    restricted.config["process"]["rlimits"] = json!([
        {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
    ]);
    restricted.config["process"]["oomScoreAdj"] = json!(700);
    restricted.config["process"]["capabilities"] = json!({
        "bounding": ["CAP_KILL", "CAP_CHOWN"], "permitted": ["CAP_KILL"],
        "effective": ["CAP_KILL"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"],
    });
    restricted.config["process"]["noNewPrivileges"] = json!(false);
    restricted.config["linux"]["sysctl"] =
        json!({"kernel.msgmax": "4096", "net.ipv4.ip_forward": "1"});
    restricted.config["linux"]["devices"] = json!([
        {"path": "/dev/mine", "type": "c", "major": 1, "minor": 5,
            "fileMode": 0o640, "uid": 7, "gid": 8},
        {"path": "/dev/fifo", "type": "p", "major": 0, "minor": 0,
            "fileMode": 0o600, "uid": 0, "gid": 0},
    ]);
    restricted.config["hostname"] = json!("another");

    let mut mapped = bundle();
    let rows = json!([{"containerID": 0, "hostID": 100_000, "size": 65_536}]);
    mapped.config["linux"]["uidMappings"] = rows.clone();
    mapped.config["linux"]["gidMappings"] = rows;
    mapped.namespace("user").bind(&source, "/made/place", &["rbind", "ro", "nosuid"]);
    let mut chown = Command::new("chown");
    let status = chown.args(["-hR", "100000:100000"]).arg(mapped.root("")).status();
    assert!(status.unwrap().success());

    let bundles = [plain, mounted, restricted, mapped];
    let answers = answers(&bundles, &["rrun", "crun", "runc"]);
    for (name, answer) in ["plain", "mounted", "restricted", "mapped"].into_iter().zip(&answers) {
        compare(name, answer);
    }
}
