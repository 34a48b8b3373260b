//! Volume plugins: the protocol's calls as a plugin sees them, and plugins that misbehave.

use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bench::{Bench, Started, until};
use crate::need;
use crate::support::Need;

/// plugin.py, called `py`.
struct Plugin {
    process: Child,
    directory: PathBuf,
}

impl Plugin {
    fn serve(bench: &Bench) -> Self {
        let socket = bench.path("plugins/py.sock");
        let plugin = Self::at(bench, socket.to_str().unwrap());
        until("the plugin listens", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
        plugin
    }

    fn at(bench: &Bench, address: &str) -> Self {
        let program =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers/plugin.py");
        let directory = bench.directory("py");
        let process =
            Command::new("python3").arg(program).arg(address).arg(&directory).spawn().unwrap();
        Self { process, directory }
    }

    /// From now on it misbehaves.
    fn behave(&self, how: &Value) {
        let new = self.directory.join("behaviour.new");
        std::fs::write(&new, how.to_string()).unwrap();
        std::fs::rename(new, self.directory.join("behaviour")).unwrap();
    }

    /// The calls so far, each name and body; they are forgotten.
    fn calls(&self) -> Vec<(String, Value)> {
        let path = self.directory.join("calls");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let _ = std::fs::remove_file(path);
        let call = |line: &str| {
            let (name, body) = line.split_once(' ').unwrap();
            let name = name.trim_start_matches("VolumeDriver.").to_owned();
            (name, serde_json::from_str(body).unwrap_or(Value::Null))
        };
        text.lines().map(call).collect()
    }

    /// The names of the calls so far, without those that only ask.
    fn deeds(&self) -> Vec<String> {
        let asks = ["Plugin.Activate", "Get", "Capabilities", "List"];
        let names = self.calls().into_iter().map(|(name, _)| name);
        names.filter(|name| !asks.contains(&name.as_str())).collect()
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn inspect(bench: &Bench, name: &str) -> Value {
    let shown = bench.rrun(&["volume", "inspect", name]);
    serde_json::from_str::<Value>(shown.ok()).unwrap()[0].take()
}

fn ids(calls: &[(String, Value)], call: &str) -> Vec<String> {
    let of_call = calls.iter().filter(|(name, _)| name == call);
    of_call.map(|(_, body)| body["ID"].as_str().unwrap().to_owned()).collect()
}

/// V9.02 to V9.07: what a plugin is asked in the life of a volume, and what is shown of it.
#[test]
fn the_life_of_a_volume() {
    need!(Need::Root, Need::Program("python3"));
    let bench = Bench::new();
    let plugin = Plugin::serve(&bench);
    let options = ["--opt", "size=1g", "--opt", "api-token=hunter2", "--label", "l=1"];
    bench.rrun(&[&["volume", "create", "-d", "py", "vol"], options.as_slice()].concat()).ok();
    let calls = plugin.calls();
    let names: Vec<_> = calls.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Plugin.Activate", "Get", "Create"]);
    assert_eq!(calls[0].1, Value::Null);
    assert_eq!(calls[1].1, json!({"Name": "vol"}));
    let given = json!({"Name": "vol", "Opts": {"size": "1g", "api-token": "hunter2"}});
    assert_eq!(calls[2].1, given);

    let shown = inspect(&bench, "vol");
    let at = plugin.directory.join("data/vol");
    assert_eq!(shown["Mountpoint"], at.to_str().unwrap());
    assert_eq!(shown["Status"], json!({"calls": "counted"}));
    assert_eq!((&shown["Scope"], &shown["Driver"]), (&json!("global"), &json!("py")));
    assert_eq!(shown["Options"], json!({"size": "1g", "api-token": "********"}));
    assert_eq!(shown["Labels"], json!({"l": "1"}));
    plugin.calls();

    // V9.06: a use has an id of 64 digits; the container's own where there is one.
    let first = bench.start(&["-v", "vol:/x"], "echo 1 > /x/one");
    let second = bench.start(&["-v", "vol:/x", "-v", "vol:/y"], "echo 2 > /y/two; test -e /x/one");
    assert_eq!(bench.mounts().iter().filter(|line| line.contains("vol/_data")).count(), 1);
    assert_eq!(std::fs::read_to_string(at.join("two")).unwrap(), "2\n");
    let running = bench.rrun(&["ps", "-q", "--no-trunc"]);
    let mut containers: Vec<_> = running.ok().lines().map(str::to_owned).collect();
    let mut mounted = ids(&plugin.calls(), "Mount");
    containers.sort();
    mounted.sort();
    assert_eq!(mounted, containers);
    first.end().ok();
    assert_eq!(bench.run(&["-v", "vol:/x"], "ls /x").ok(), "one\ntwo");
    second.end().ok();
    let mut unmounted = ids(&plugin.calls(), "Unmount");
    assert_eq!(unmounted.len(), 3);
    unmounted.retain(|id| mounted.contains(id));
    unmounted.sort();
    assert_eq!(unmounted, mounted);
    bench.unused("vol");

    // Copy-up is a use of its own.
    bench.rrun(&["volume", "create", "-d", "py", "etc"]).ok();
    assert!(bench.run(&["-v", "etc:/etc"], "cat /etc/passwd").ok().contains("root:"));
    assert!(plugin.directory.join("data/etc/passwd").exists());
    let calls = plugin.calls();
    let (mounted, unmounted) = (ids(&calls, "Mount"), ids(&calls, "Unmount"));
    assert_eq!((mounted.len(), &mounted), (2, &unmounted));
    assert!(mounted[0] != mounted[1] && mounted.iter().all(|id| id.len() == 64));

    // V9.07: prune leaves it, rm asks the plugin.
    bench.rrun(&["volume", "prune", "-af"]).ok();
    assert_eq!(bench.rrun(&["volume", "rm", "vol", "etc"]).ok(), "vol\netc");
    assert_eq!(plugin.deeds(), ["Remove", "Remove"]);
    assert!(plugin.directory.join("removed-vol/one").exists());
    assert_eq!(bench.rrun(&["volume", "ls", "-q"]).ok(), "");
}

/// V9.05, V9.04: what only the plugin knows of is listed, shown, taken as it is, and removed.
#[test]
fn volumes_of_the_plugin_alone() {
    need!(Need::Root, Need::Program("python3"));
    let bench = Bench::new();
    let plugin = Plugin::serve(&bench);
    for name in ["theirs", "more", ".hidden", "a b"] {
        std::fs::create_dir_all(plugin.directory.join("data").join(name)).unwrap();
    }
    bench.rrun(&["volume", "create", "own"]).ok();
    let listed = bench.rrun(&["volume", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}"]);
    assert_eq!(listed.ok(), "more py global\nown local local\ntheirs py global");
    assert_eq!(inspect(&bench, "theirs")["Driver"], "py");
    plugin.calls();
    bench.rrun(&["volume", "create", "-d", "py", "theirs"]).ok();
    assert_eq!(plugin.deeds(), [""; 0]);
    bench.rrun(&["volume", "create", "-d", "py", "own"]).failed(1, "driver 'local' already has");
    bench.rrun(&["volume", "rm", "more"]).ok();
    assert_eq!(plugin.deeds(), ["Remove"]);
    bench.rrun(&["volume", "rm", "more"]).failed(1, "get more: no such volume");
    // A name that a flag gives without a driver is never asked for.
    std::fs::create_dir(plugin.directory.join("data/third")).unwrap();
    plugin.calls();
    bench.run(&["-v", "third:/x"], "true").ok();
    assert_eq!(plugin.calls().len(), 0);
}

/// All flags that name a driver reach it.
#[test]
fn flags() {
    need!(Need::Root, Need::Program("python3"));
    let bench = Bench::new();
    let plugin = Plugin::serve(&bench);
    bench.run(&["--volume-driver", "py", "-v", "aa:/a", "-v", "/anon"], "touch /a/f").ok();
    assert!(plugin.directory.join("data/aa/f").exists());
    // The anonymous one went with its container.
    let volumes = || bench.rrun(&["volume", "ls", "-q"]).ok().to_owned();
    assert_eq!(volumes(), "aa");
    let mount = "type=volume,src=bb,dst=/b,volume-driver=py,volume-opt=k=v,volume-opt=token=t0k3n";
    plugin.calls();
    bench.rrun(&["create", "--name", "ccc", "--mount", mount, "alpine"]).ok();
    let create = plugin.calls().into_iter().find(|(name, _)| name == "Create").unwrap();
    assert_eq!(create.1, json!({"Name": "bb", "Opts": {"k": "v", "token": "t0k3n"}}));
    let shown = bench.rrun(&["inspect", "ccc"]);
    assert!(shown.ok().contains("\"token\": \"********\"") && !shown.out.contains("t0k3n"));
    let explained = bench.rrun(&["explain", "--mount", mount, "alpine"]);
    assert!(!explained.ok().contains("t0k3n") && explained.out.contains("token=********"));
    bench.rrun(&["rm", "ccc"]).ok();
    assert_eq!(volumes(), "aa\nbb");
    // A --mount has a key of its own.
    let plain = ["--volume-driver", "py", "--mount", "type=volume,src=cc,dst=/c"];
    bench.run(&plain, "true").ok();
    assert_eq!(inspect(&bench, "cc")["Driver"], "local");
    for (wrong, status) in [
        (&["volume", "create", "-d", "nope", "xx"][..], 1),
        (&["run", "--volume-driver", "nope", "-v", "xx:/x", "alpine"], 125),
        (&["run", "--mount", "type=volume,src=xx,dst=/x,volume-driver=nope", "alpine"], 125),
    ] {
        let words = "create xx: error looking up volume plugin nope: plugin \"nope\" not found";
        bench.rrun(wrong).failed(status, words);
    }
    bench.rrun(&["volume", "inspect", "xx"]).failed(1, "no such volume");
}

/// A file may say where the plugin listens.
#[test]
fn spec_and_json_files() {
    need!(Need::Root, Need::Program("python3"));
    let bench = Bench::new();
    let plugin = Plugin::at(&bench, "0");
    let port = plugin.directory.join("port");
    until("the plugin listens", || std::fs::read_to_string(&port).is_ok_and(|p| !p.is_empty()));
    let port = std::fs::read_to_string(port).unwrap();
    bench.file("plugins/net.spec", &format!("tcp://127.0.0.1:{port}\n"));
    bench.file("plugins/too.json", &format!(r#"{{"Name":"too","Addr":"tcp://localhost:{port}"}}"#));
    bench.file("plugins/tls.json", r#"{"Addr":"https://h:1","TLSConfig":{"CAFile":"/ca"}}"#);
    bench.run(&["--volume-driver", "net", "-v", "nn:/n"], "touch /n/f").ok();
    assert!(plugin.directory.join("data/nn/f").exists());
    bench.rrun(&["volume", "create", "-d", "too", "tt"]).ok();
    let refused = bench.rrun(&["volume", "create", "-d", "tls", "xx"]);
    refused.failed(1, "error looking up volume plugin tls: its TLSConfig is not supported");
}

/// What a plugin refuses is told in its words, and all is as before.
#[test]
fn refusals() {
    need!(Need::Root, Need::Program("python3"));
    let bench = Bench::new();
    let plugin = Plugin::serve(&bench);
    bench.rrun(&["volume", "create", "-d", "py", "vol"]).ok();
    plugin.behave(&json!({
        "VolumeDriver.Create": {"Err": "no room\u{1b}[2J\nfor it"},
        "VolumeDriver.Mount": "500",
        "VolumeDriver.Remove": {"Err": "backend is busy"},
    }));
    let refused = bench.rrun(&["volume", "create", "-d", "py", "wol"]);
    refused.failed(1, "cannot create wol: no room\\u{1b}[2J\\nfor it\n");
    let refused = bench.run(&["--volume-driver", "py", "-v", "wol:/x"], "true");
    refused.failed(125, "create wol: no room");
    let refused = bench.run(&["-v", "vol:/x"], "true");
    let data = bench.volume("vol").join("_data");
    let words = format!(
        "error while mounting volume '{}': VolumeDriver.Mount: out of \\u{{1b}}[31mdisks\n",
        data.display()
    );
    refused.failed(125, &words);
    bench.unused("vol");
    bench.rrun(&["volume", "rm", "vol"]).failed(1, "remove vol: backend is busy");
    assert_eq!(bench.rrun(&["volume", "ls", "-q"]).ok(), "vol");
    assert_eq!(bench.rrun(&["ps", "-aq"]).ok(), "");
    plugin.behave(&json!({}));
    bench.run(&["-v", "vol:/x"], "true").ok();
    bench.rrun(&["volume", "rm", "vol"]).ok();
}

/// A plugin that is dead, slow, or answers nonsense: its own volumes cannot be used, in time, and
/// nothing else is touched.
#[test]
fn misbehaviour() {
    need!(Need::Root, Need::Program("python3"));
    let mut bench = Bench::new();
    bench.set("RRUN_PLUGIN_TIMEOUT", "1");
    let mut plugin = Plugin::serve(&bench);
    bench.rrun(&["volume", "create", "-d", "py", "vol"]).ok();
    std::os::unix::fs::symlink("/tmp", bench.path("link")).unwrap();
    let at = |path: &str| json!({"Mountpoint": path});
    let cases: Vec<(Value, &str)> = vec![
        (json!("slow"), "plugin py did not answer within 1 s"),
        (json!("drips"), "plugin py did not answer within 1 s"),
        (json!("hangs up"), "the answer of plugin py cannot be used: there is none"),
        (json!("garbage"), "the answer of plugin py cannot be used: "),
        (json!("huge"), "the answer of plugin py cannot be used: it is too long"),
        (json!("html"), "the answer of plugin py cannot be used: expected value at line 1"),
        (json!("deep"), "the answer of plugin py cannot be used: EOF while parsing"),
        (json!("list"), "the answer of plugin py cannot be used: "),
        (json!("dies"), "the answer of plugin py cannot be used: there is none"),
        (at("data/vol"), "the mount point \"data/vol\" is no absolute path"),
        (at("/x/../y"), "the mount point \"/x/../y\" is no absolute path"),
        (at(&bench.text("link")), "it is a symbolic link"),
        (at("/nope"), "no such file or directory"),
        (at("/etc/passwd"), "not a directory"),
        (at("/"), "rrun's own store is there"),
        (at(&bench.text("store/containers")), "rrun's own store is there"),
        (at("/proc/self/root/tmp"), "too many"),
        (at("/proc/sys"), "it is in a file system of the kernel's own"),
    ];
    for (how, words) in cases {
        plugin.behave(&json!({"VolumeDriver.Mount": how}));
        let refused = bench.run(&["-v", "vol:/x"], "true");
        refused.failed(125, "error while mounting volume").within(5);
        assert!(refused.err.contains(words), "{how}: {}", refused.err);
        bench.unused("vol");
        if how == "dies" {
            std::fs::remove_file(bench.path("plugins/py.sock")).unwrap();
            plugin = Plugin::serve(&bench);
        }
    }
    plugin.behave(&json!({"VolumeDriver.Mount": {"Mountpoint": ""}}));
    bench.run(&["-v", "vol:/x"], "touch /x/by-path").ok();
    assert!(plugin.directory.join("data/vol/by-path").exists());
}

/// Commands that have nothing to do with a plugin never wait for it: V9.09.
#[test]
fn others_do_not_wait() {
    need!(Need::Root, Need::Program("python3"));
    let bench = Bench::new();
    let plugin = Plugin::serve(&bench);
    bench.rrun(&["volume", "create", "-d", "py", "vol"]).ok();
    let others = || {
        bench.rrun(&["ps", "-a"]).within(2).ok();
        bench.run(&["-v", "own:/x", "-v", "/anon"], "touch /x/f").within(3).ok();
        bench.rrun(&["volume", "create", "another"]).within(2).ok();
        bench.rrun(&["volume", "inspect", "own"]).within(2).ok();
        bench.rrun(&["volume", "rm", "another"]).within(2).ok();
        let listed = bench.rrun(&["volume", "ls", "-q"]);
        assert_eq!(listed.within(3).ok(), "own\nvol");
        listed.err
    };
    plugin.behave(&json!({
        "Plugin.Activate": "slow", "VolumeDriver.Mount": "slow", "VolumeDriver.Remove": "slow",
    }));
    assert!(others().contains("the volumes of a plugin are not all shown: "));
    // Someone waits for the plugin in each of the three ways, with whatever is locked then.
    let waiting = |words: &[&str]| bench.command(words).stderr(std::process::Stdio::null()).spawn();
    plugin.behave(&json!({"VolumeDriver.Mount": "slow", "VolumeDriver.Create": "slow"}));
    let mut run = waiting(&["run", "--rm", "-v", "vol:/x", "alpine", "true"]).unwrap();
    let mut create = waiting(&["volume", "create", "-d", "py", "slow"]).unwrap();
    until("the plugin was asked", || {
        let calls = std::fs::read_to_string(plugin.directory.join("calls")).unwrap();
        calls.contains("VolumeDriver.Mount") && calls.contains("VolumeDriver.Create")
    });
    bench.rrun(&["ps", "-a"]).within(2).ok();
    bench.run(&["-v", "own:/x"], "touch /x/f").within(3).ok();
    bench.rrun(&["volume", "create", "another"]).within(2).ok();
    bench.rrun(&["volume", "rm", "another"]).within(2).ok();
    for child in [&mut run, &mut create] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    for id in bench.rrun(&["ps", "-aq"]).ok().lines() {
        bench.rrun(&["rm", "-f", id]).ok();
    }
    // The maker of `slow` died: it is pending, and its next user asks again.
    plugin.behave(&json!({}));
    bench.run(&["-v", "slow:/x"], "touch /x/f").ok();
    assert!(plugin.directory.join("data/slow/f").exists());
    bench.rrun(&["volume", "rm", "slow"]).ok();
    // Dead, with its socket still there; then gone.
    drop(plugin);
    let shown = others();
    assert!(shown.contains("connect: Connection refused"), "{shown}");
    let begun = Instant::now();
    bench.run(&["-v", "vol:/x"], "true").failed(125, "connect: Connection refused");
    bench.rrun(&["volume", "rm", "vol"]).failed(1, "connect: Connection refused");
    let shown = bench.rrun(&["volume", "inspect", "vol"]);
    assert!(shown.ok().contains("\"py\"") && shown.err.contains("is shown in part"));
    std::fs::remove_file(bench.path("plugins/py.sock")).unwrap();
    bench.run(&["-v", "vol:/x"], "true").failed(125, "plugin \"py\" not found");
    assert_eq!(others(), "");
    assert_eq!(bench.rrun(&["volume", "rm", "-f", "vol"]).ok(), "vol");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

/// Users that were killed: the plugin hears of them from whoever comes next.
#[test]
fn killed_users() {
    need!(Need::Root, Need::Program("python3"));
    let bench = Bench::new();
    let plugin = Plugin::serve(&bench);
    let started = |name| bench.start(&["--volume-driver", "py", "-v", name], "true");
    started("vol:/x").kill();
    let dead = ids(&plugin.calls(), "Mount");
    bench.run(&["-v", "vol:/x"], "true").ok();
    let calls = plugin.calls();
    let unmounted = ids(&calls, "Unmount");
    assert_eq!(dead.len(), 1);
    assert_eq!(unmounted[0], dead[0]);
    assert_eq!(unmounted.len(), 2);
    bench.unused("vol");
    // With one that lives: the mount stays.
    let lives: Started = started("vol:/x");
    started("vol:/y").kill();
    let dead = ids(&plugin.calls(), "Mount").pop().unwrap();
    lives.end().ok();
    assert!(ids(&plugin.calls(), "Unmount").contains(&dead));
    bench.unused("vol");
    // Nobody comes but the one who removes it.
    started("vol:/x").kill();
    let dead = ids(&plugin.calls(), "Mount");
    for id in bench.rrun(&["ps", "-aq"]).ok().lines() {
        bench.rrun(&["rm", "-f", id]).ok();
    }
    bench.rrun(&["volume", "rm", "vol"]).ok();
    let calls = plugin.calls();
    assert_eq!(ids(&calls, "Unmount"), dead);
    assert_eq!(calls.last().unwrap().0, "Remove");
    assert_eq!(bench.mounts().len(), 0);
}
