//! Hooks of every phase: when and where they run, what they are told, what their failure does.

use serde_json::{Value, json};

use crate::harness::Bundle;
use crate::need;
use crate::support::Need;

/// A hook that runs a script, with its phase in `$PHASE`.
fn hook(phase: &str, script: &str) -> Value {
    json!({
        "path": "/bin/sh", "args": ["sh", "-c", script],
        "env": [format!("PHASE={phase}"), "PATH=/bin:/usr/bin"],
    })
}

const PHASES: [&str; 6] =
    ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/// All phases, in order, with the state that belongs to each.
#[test]
fn order_and_state() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let log = bundle.text("log");
    bundle.bind(&bundle.text("log"), "/log", &["bind"]);
    std::fs::write(&log, "").unwrap();
    let mut hooks = json!({});
    for phase in PHASES {
        let log = if phase == "startContainer" { "/log" } else { &log };
        hooks[phase] = json!([hook(phase, &format!("echo \"$PHASE $(cat)\" >> {log}"))]);
    }
    bundle.config["hooks"] = hooks;
    bundle.config["annotations"] = json!({"org.example.key": "value"});
    bundle.sh("echo process >> /log; sleep 0.3");
    assert_eq!(bundle.run().ok(), "");
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let phases: Vec<&str> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    // The process and poststart are at the same time.
    let mut wanted = vec!["prestart", "createRuntime", "createContainer", "startContainer"];
    assert_eq!(phases[..4], wanted, "{text}");
    wanted = vec!["poststart", "process"];
    let mut both = phases[4..6].to_vec();
    both.sort_unstable();
    assert_eq!(both, wanted, "{text}");
    assert_eq!(phases[6..], ["poststop"], "{text}");
    let mut pids = Vec::new();
    for line in lines.iter().filter(|line| line.contains('{')) {
        let (phase, state) = line.split_once(' ').unwrap();
        let state: Value = serde_json::from_str(state).unwrap();
        let status = match phase {
            "prestart" | "startContainer" => "created",
            "createRuntime" | "createContainer" => "creating",
            "poststart" => "running",
            _ => "stopped",
        };
        assert_eq!(state["status"], status, "{line}");
        assert_eq!(state["id"], bundle.id());
        assert_eq!(state["bundle"], bundle.text("").trim_end_matches('/'));
        assert_eq!(state["annotations"]["org.example.key"], "value");
        assert_eq!(state["ociVersion"], bundle.config["ociVersion"]);
        pids.push((phase, state["pid"].as_i64().unwrap_or(0)));
    }
    assert!(pids[..5].iter().all(|(_, pid)| *pid > 1 && *pid == pids[0].1), "{pids:?}");
    assert_eq!(pids[5], ("poststop", 0));
}

/// Which namespaces and root each phase sees.
#[test]
fn place() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let log = bundle.text("log");
    std::fs::write(&log, "").unwrap();
    bundle.bind(&log, "/log", &["bind"]);
    let mut hooks = json!({});
    for phase in PHASES {
        let (log, shell) = match phase {
            "startContainer" => ("/log", "/bin/sh"),
            _ => (log.as_str(), "/bin/sh"),
        };
        let script = format!(
            "echo \"$PHASE $(readlink /proc/self/ns/mnt) $(test -e /bin/busybox -a ! -e /usr && \
             echo inside || echo outside)\" >> {log}"
        );
        hooks[phase] = json!([hook(phase, &script)]);
        hooks[phase][0]["path"] = json!(shell);
    }
    bundle.config["hooks"] = hooks;
    bundle.sh("echo process $(readlink /proc/self/ns/mnt) >> /log");
    let ended = bundle.host("echo host $(readlink /proc/self/ns/mnt) >> $B/log; $RUN");
    ended.ok();
    let text = std::fs::read_to_string(&log).unwrap();
    let find = |name: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
        let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
        line.split(' ').skip(1).map(str::to_owned).collect()
    };
    let (host, process) = (find("host")[0].clone(), find("process")[0].clone());
    for phase in PHASES {
        let namespace = match phase {
            "createContainer" | "startContainer" => &process,
            _ => &host,
        };
        assert_eq!(find(phase)[0], *namespace, "{phase}: {text}");
        let place = if phase == "startContainer" { "inside" } else { "outside" };
        assert_eq!(find(phase)[1], place, "{phase}: {text}");
    }
}

/// argv[0] and the environment are exactly as given; the umask of createContainer's is the
/// caller's, that of startContainer's the process's; no descriptor of ours is there.
#[test]
fn surroundings() {
    need!(Need::Root);
    for (phase, umask) in
        [("createRuntime", "0027"), ("createContainer", "0027"), ("startContainer", "0011")]
    {
        let mut bundle = Bundle::new();
        let script = "echo \"$0\"; umask; tr '\\0' '\\n' < /proc/self/environ; ls /proc/self/fd";
        bundle.config["hooks"] = json!({phase: [{
            "path": "/bin/sh", "args": ["/bin/sh", "-c", script, "zero"],
            "env": ["A=1", "no-equals-sign", "A=2", "PATH=/bin"],
        }]});
        bundle.config["process"]["user"]["umask"] = json!(0o011);
        bundle.args(&["true"]);
        let ended = bundle.host("umask 027; exec 9</; $RUN");
        let said = ended.ok().replace("PWD=/\n", "");
        let said: String = said
            .lines()
            .filter(|line| {
                !line.starts_with("PWD=")
                    && !line.starts_with("OLDPWD=")
                    && !line.starts_with("SHLVL=")
                    && !line.starts_with("_=")
            })
            .map(|line| format!("{line}\n"))
            .collect();
        let (head, rest) = said.split_once("\n0\n").unwrap();
        assert_eq!(rest, "1\n2\n3\n", "{phase}");
        assert!(head.starts_with(&format!("zero\n{umask}\n")), "{phase}: {head}");
        assert!(head.contains("PATH=/bin"), "{phase}: {head}");
    }
    let mut bundle = Bundle::new();
    bundle.config["hooks"] = json!({"createRuntime": [{
        "path": "/bin/cat", "args": ["cat", "/proc/self/environ"],
        "env": ["A=1", "no-equals-sign", "A=2"],
    }]});
    bundle.args(&["true"]);
    assert_eq!(bundle.run().ok(), "A=1\0no-equals-sign\0A=2\0");
}

/// A hook that fails before the start is the end of the container; the hooks of poststop do not
/// run, for there was nothing to stop.
#[test]
fn failures() {
    need!(Need::Root);
    for phase in ["prestart", "createRuntime", "createContainer", "startContainer"] {
        for (script, words) in [("exit 3", "exit status 3"), ("kill -9 $$", "killed by signal 9")] {
            let mut bundle = Bundle::new();
            bundle.config["hooks"] = json!({phase: [hook(phase, "exit 0"), hook(phase, script)]});
            bundle.sh("echo must not run");
            let ended = bundle.run();
            ended.refused(&format!("error running {phase} hook #1: {words}"));
            assert_eq!(ended.out, "");
        }
        let mut bundle = Bundle::new();
        bundle.config["hooks"] = json!({phase: [{"path": "/nowhere/hook"}]});
        bundle
            .run()
            .refused(&format!("error running {phase} hook #0: /nowhere/hook: No such file"));
    }
}

/// What fails after the start is a warning, and the others run.
#[test]
fn late_failures() {
    need!(Need::Root);
    for phase in ["poststart", "poststop"] {
        let mut bundle = Bundle::new();
        let log = bundle.text("log");
        bundle.config["hooks"] = json!({phase: [
            hook(phase, "exit 1"),
            hook(phase, &format!("echo ran >> {log}")),
            hook(phase, "exit 2"),
        ]});
        bundle.sh("sleep 0.2; exit 5");
        let ended = bundle.run();
        assert_eq!(ended.status, 5, "{}", ended.err);
        for (index, status) in [(0, 1), (2, 2)] {
            let words = format!(
                "warning: /hooks/{phase}/{index}: error running {phase} hook #{index}: \
                 exit status {status}\n"
            );
            assert!(ended.err.contains(&words), "{}", ended.err);
        }
        assert_eq!(std::fs::read_to_string(log).unwrap(), "ran\n");
    }
}

/// A timeout kills; none waits; one that makes no sense is refused.
#[test]
fn timeouts() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let mut slow = hook("createRuntime", "exec sleep 30");
    slow["timeout"] = json!(1);
    bundle.config["hooks"] = json!({"createRuntime": [slow]});
    let begun = std::time::Instant::now();
    bundle.run().refused("error running createRuntime hook #0: it ran longer than 1 s");
    assert!(begun.elapsed().as_secs() < 10);
    let mut quick = hook("createContainer", "exec sleep 0.2");
    quick["timeout"] = json!(20);
    bundle.config["hooks"] = json!({"createContainer": [quick.clone()]});
    bundle.args(&["echo", "fine"]);
    assert_eq!(bundle.run().ok(), "fine\n");
    quick["timeout"] = json!(-1);
    bundle.config["hooks"] = json!({"poststop": [quick]});
    bundle.run().refused("is no timeout of a hook");
}

/// A hook that does not read its state, which is large, does no harm.
#[test]
fn state_is_not_read() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    bundle.config["annotations"] = json!({"org.example.large": "x".repeat(300_000)});
    bundle.config["hooks"] = json!({
        "createRuntime": [hook("", "exec 0<&-")], "createContainer": [hook("", "exec 0<&-")],
        "startContainer": [{"path": "/bin/wc", "args": ["wc", "-c"]}],
    });
    bundle.args(&["true"]);
    let size: usize = bundle.run().ok().trim().parse().unwrap();
    assert!(size > 300_000);
}

/// A hook in the container is executed by the stub, as the container's program is
/// (CVE-2019-5736).
#[test]
fn a_hook_in_the_container_gets_nothing_of_ours() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    std::fs::write(bundle.root("entry"), "#!/proc/self/exe spec\n").unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(bundle.root("entry"), PermissionsExt::from_mode(0o755)).unwrap();
    bundle.config["hooks"] = json!({"startContainer": [{"path": "/entry"}]});
    bundle.args(&["true"]);
    let ended = bundle.run();
    assert_eq!(ended.status, 1);
    let lines: Vec<&str> = ended.err.lines().collect();
    let [stub, ours] = lines.as_slice() else { panic!("{}", ended.err) };
    assert_eq!(*stub, "exec: /proc/self/exe is no program of this container");
    assert!(ours.ends_with("hook #0: exit status 127"), "{ours}");
    assert!(!bundle.root("config.json").exists());
}

/// A createContainer hook may still mount into the container's root.
#[test]
fn mounts_by_hooks() {
    need!(Need::Root);
    let mut bundle = Bundle::new();
    let mount = "grep -o '\"bundle\":\"[^\"]*' | true; mount -t tmpfs -o size=1m hooked /tmp";
    bundle.config["hooks"] = json!({"createContainer": [{
        "path": "/bin/sh", "args": ["sh", "-c", mount], "env": ["PATH=/bin:/usr/bin:/sbin"],
    }]});
    bundle.args(&["true"]);
    bundle.run().ok();
}
