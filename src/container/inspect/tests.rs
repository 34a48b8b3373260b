//! `inspect` as Docker shows it: the keys in their order, and the mounts of V10.

use super::*;
use crate::config::mount_flag::parse_volumes_from;
use crate::config::request::MountRequest;
use crate::container::options::{LogDriver, NetworkMode, Ulimit};
use crate::container::record::ContainerState;
use crate::container::testing::{Bench, container, mount_flag, resolved, tmpfs_flag, volume_flag};
use crate::say::template::Template;

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A container with these mounts, and what inspect says of it.
fn inspected(requests: &[MountRequest]) -> (Container, Value) {
    let bench = Bench::new();
    let mut web = container("web", 'a', bench.containers.directory());
    web.record.mounts = requests.iter().map(resolved).collect();
    web.record.options.mounts = requests.to_vec();
    let value = inspect(&web, &bench.volumes);
    (web, value)
}

/// V12.23: all keys, in Docker's order.
#[test]
fn keys_of_the_top() {
    let (web, value) = inspected(&[]);
    let want = "Id Created Path Args State Image ResolvConfPath HostnamePath HostsPath LogPath \
                Name RestartCount Driver Platform MountLabel ProcessLabel AppArmorProfile ExecIDs \
                HostConfig GraphDriver Mounts Config NetworkSettings";
    assert_eq!(keys(&value).join(" "), want);
    assert_eq!(value["Id"], web.record.id);
    assert_eq!((&value["Path"], &value["Args"]), (&json!("sh"), &json!([])));
    assert_eq!(value["Name"], "/web");
    assert_eq!(value["Mounts"], json!([]));
    assert_eq!(
        value["State"],
        json!({
            "Status": "created", "Running": false, "Paused": false, "Restarting": false,
            "OOMKilled": false, "Dead": false, "Pid": 0, "ExitCode": 0, "Error": "",
            "StartedAt": "0001-01-01T00:00:00Z", "FinishedAt": "0001-01-01T00:00:00Z",
        })
    );
    assert_eq!(
        value["Config"],
        json!({
            "Hostname": "aaaaaaaaaaaa", "Domainname": "", "User": "", "AttachStdin": false,
            "AttachStdout": true, "AttachStderr": true, "Tty": false, "OpenStdin": false,
            "StdinOnce": false, "Env": ["PATH=/bin"], "Cmd": ["sh"], "Image": "alpine",
            "Volumes": null, "WorkingDir": "/", "Entrypoint": null, "OnBuild": null, "Labels": {},
        })
    );
}

/// V10.01 to V10.08: every kind of mount, by destination, with the keys that it has.
#[test]
fn mounts() {
    let requests = [
        volume_flag("data:/v:ro,z"),
        volume_flag("/anon"),
        volume_flag("/srv/:/b/:ro,rslave"),
        mount_flag("type=bind,src=/srv,dst=/bb,ro"),
        mount_flag("type=tmpfs,dst=/t,ro"),
        tmpfs_flag("/u:size=1m"),
        mount_flag("type=image,src=alpine:3,dst=/i"),
    ];
    let (_, value) = inspected(&requests);
    let mounts = value["Mounts"].as_array().unwrap();
    let volumes = value["ResolvConfPath"].as_str().unwrap().split("/containers/").next().unwrap();
    let data = |name: &str| format!("{volumes}/volumes/{name}/_data");
    let want = json!([
        {"Type": "volume", "Name": "anonymous", "Source": data("anonymous"),
         "Destination": "/anon", "Driver": "local", "Mode": "", "RW": true, "Propagation": ""},
        {"Type": "bind", "Source": "/srv", "Destination": "/b", "Mode": "ro,rslave", "RW": false,
         "Propagation": "rslave"},
        {"Type": "bind", "Source": "/srv", "Destination": "/bb", "Mode": "", "RW": false,
         "Propagation": "rprivate"},
        {"Type": "image", "Name": "alpine:3", "Source": "/layers/data", "Destination": "/i",
         "Mode": "", "RW": false, "Propagation": "rprivate"},
        {"Type": "tmpfs", "Source": "", "Destination": "/t", "Mode": "", "RW": false,
         "Propagation": ""},
        {"Type": "volume", "Name": "data", "Source": data("data"), "Destination": "/v",
         "Driver": "local", "Mode": "ro,z", "RW": false, "Propagation": ""},
    ]);
    assert_eq!(value["Mounts"], want);
    assert_eq!(
        keys(&mounts[0]).join(" "),
        "Type Name Source Destination Driver Mode RW Propagation"
    );
    assert_eq!(keys(&mounts[1]).join(" "), "Type Source Destination Mode RW Propagation");
}

/// V1.47, V10.07, V10.08, V7.19: the requests, as HostConfig keeps them.
#[test]
fn requests() {
    let (mut web, _) = inspected(&[
        volume_flag("data:/v:ro"),
        volume_flag("/anon"),
        volume_flag("./x:/x"),
        tmpfs_flag("/t:size=1m"),
        mount_flag("type=bind,src=/srv,dst=/b,ro,bind-propagation=rslave"),
        mount_flag("type=volume,src=data,dst=/w,volume-nocopy,volume-label=a=b"),
        mount_flag("type=tmpfs,dst=/s,tmpfs-size=1m,tmpfs-mode=0700"),
    ]);
    web.record.options.volumes_from.push(parse_volumes_from("db:ro").unwrap());
    let config = host_config(&web.record.options);
    assert_eq!(config["Binds"], json!(["data:/v:ro", "/here/x:/x"]));
    assert_eq!(config["VolumesFrom"], json!(["db:ro"]));
    assert_eq!(config["Tmpfs"], json!({"/t": "size=1m"}));
    assert_eq!(
        config["Mounts"],
        json!([
            {"Type": "bind", "Source": "/srv", "Target": "/b", "ReadOnly": true,
             "BindOptions": {"Propagation": "rslave"}},
            {"Type": "volume", "Source": "data", "Target": "/w",
             "VolumeOptions": {"NoCopy": true, "Labels": {"a": "b"}}},
            {"Type": "tmpfs", "Target": "/s",
             "TmpfsOptions": {"SizeBytes": 1_048_576, "Mode": 448}},
        ])
    );
}

/// What is not asked for is Go's nil or zero; the keys of rare things are missing.
#[test]
fn host_config_of_nothing() {
    let (_, value) = inspected(&[]);
    let config = &value["HostConfig"];
    for key in ["Binds", "VolumesFrom", "CapAdd", "CapDrop", "SecurityOpt", "PidsLimit"] {
        assert_eq!(config[key], Value::Null, "{key}");
    }
    assert_eq!((config.get("Tmpfs"), config.get("Mounts")), (None, None));
    assert_eq!(config["LogConfig"], json!({"Type": "json-file", "Config": {}}));
    assert_eq!((&config["ShmSize"], &config["Memory"]), (&json!(67_108_864), &json!(0)));
    assert_eq!(config["Ulimits"], json!([]));
    assert_eq!(config["NetworkMode"], "none");
    assert!(config["MaskedPaths"].as_array().unwrap().contains(&json!("/proc/kcore")));
    let order = keys(config);
    let at = |name: &str| order.iter().position(|key| *key == name).unwrap();
    let landmarks = ["Binds", "LogConfig", "AutoRemove", "CapAdd", "ShmSize", "Memory", "Ulimits"];
    assert!(landmarks.windows(2).all(|pair| at(pair[0]) < at(pair[1])), "{order:?}");
    assert_eq!(order.last(), Some(&"ReadonlyPaths"));
}

/// Limits and privileges.
#[test]
fn host_config_of_limits() {
    let (mut web, _) = inspected(&[]);
    let options = &mut web.record.options;
    options.limits.cap_add = vec!["sys_admin".into(), "ALL".into()];
    options.limits.cap_drop = vec!["CAP_CHOWN".into()];
    options.limits.memory = Some(64 << 20);
    options.limits.nano_cpus = Some(1_500_000_000);
    options.limits.pids = Some(-1);
    options.limits.privileged = true;
    options.limits.read_only_root = true;
    options.limits.ulimits = vec![Ulimit { name: "core".into(), soft: 0, hard: u64::MAX }];
    options.network.mode = NetworkMode::Host;
    options.remove = true;
    let config = host_config(options);
    assert_eq!(config["CapAdd"], json!(["CAP_SYS_ADMIN", "ALL"]));
    assert_eq!(config["CapDrop"], json!(["CAP_CHOWN"]));
    assert_eq!((&config["Memory"], &config["MemorySwap"]), (&json!(64 << 20), &json!(128 << 20)));
    assert_eq!((&config["NanoCpus"], &config["PidsLimit"]), (&json!(1_500_000_000), &json!(-1)));
    assert_eq!(config["Ulimits"], json!([{"Name": "core", "Hard": -1, "Soft": 0}]));
    for key in ["Privileged", "ReadonlyRootfs", "AutoRemove"] {
        assert_eq!(config[key], true, "{key}");
    }
    assert_eq!((&config["NetworkMode"], &config["MaskedPaths"]), (&json!("host"), &Value::Null));
}

/// A container that ran: its log, its exit, its words from image and user.
#[test]
fn ended() {
    let (mut web, _) = inspected(&[]);
    web.record.process.entrypoint = vec!["/bin/echo".into(), "ep".into()];
    web.record.process.command = vec!["cmd".into()];
    web.record.process.exposed_ports = vec!["80/tcp".into()];
    web.record.process.volumes = vec!["/vol".into()];
    web.record.process.stop_signal = Some("SIGINT".into());
    web.state = ContainerState {
        status: Status::Exited,
        exit_code: 7,
        started: "2024-01-01T00:00:00.000000001Z".into(),
        finished: "2024-01-01T00:00:01.000000001Z".into(),
        ..ContainerState::default()
    };
    let value = inspect(&web, &Bench::new().volumes);
    assert_eq!((&value["Path"], &value["Args"]), (&json!("/bin/echo"), &json!(["ep", "cmd"])));
    assert_eq!(value["LogPath"], web.directory.join("log.json").to_str().unwrap());
    assert_eq!(value["State"]["ExitCode"], 7);
    assert_eq!(value["State"]["FinishedAt"], web.state.finished);
    assert_eq!(value["Config"]["ExposedPorts"], json!({"80/tcp": {}}));
    assert_eq!(value["Config"]["Volumes"], json!({"/vol": {}}));
    assert_eq!(value["Config"]["StopSignal"], "SIGINT");
    web.record.options.log.driver = LogDriver::Local;
    assert_eq!(inspect(&web, &Bench::new().volumes)["LogPath"], "");
}

/// The templates that documents and scripts use.
#[test]
fn templates() {
    let mounts = [volume_flag("data:/data:ro"), volume_flag("/srv:/www")];
    let (mut web, _) = inspected(&mounts);
    web.record.process.labels.insert("com.example.x".into(), "front".into());
    web.record.process.env = vec!["A=1".into(), "B=2".into()];
    let value = inspect(&web, &Bench::new().volumes);
    let cases = [
        ("{{range .Mounts}}{{.Destination}} {{end}}", "/data /www "),
        ("{{range .Mounts}}{{if eq .Type \"volume\"}}{{.Name}}{{end}}{{end}}", "data"),
        ("{{(index .Mounts 1).Source}}", "/srv"),
        ("{{range $m := .Mounts}}{{$m.RW}},{{end}}", "false,true,"),
        ("{{len .Mounts}}", "2"),
        ("{{.State.Status}}/{{.State.Running}}/{{.State.ExitCode}}", "created/false/0"),
        ("{{index .Config.Labels \"com.example.x\"}}", "front"),
        ("{{index .Config.Labels \"absent\"}}", ""),
        ("{{.NetworkSettings.IPAddress}}", ""),
        ("{{range .NetworkSettings.Networks}}[{{.IPAddress}}]{{end}}", "[]"),
        ("{{range $k, $v := .NetworkSettings.Networks}}{{$k}}{{end}}", "none"),
        ("{{json .Config.Env}}", "[\"A=1\",\"B=2\"]"),
        ("{{range .Config.Env}}{{println .}}{{end}}", "A=1\nB=2\n"),
        ("{{.Name}}", "/web"),
        ("{{.HostConfig.LogConfig.Type}}", "json-file"),
        ("{{.HostConfig.RestartPolicy.Name}}", "no"),
        ("{{if .State.Running}}up{{else}}down{{end}}", "down"),
        ("{{.HostConfig.Binds}}", "[data:/data:ro /srv:/www]"),
        ("{{join .Config.Env \"|\"}}", "A=1|B=2"),
        ("{{slice .Id 0 3}}", "aaa"),
    ];
    for (template, want) in cases {
        let rendered = Template::parse(template).and_then(|template| template.render(&value));
        assert_eq!(rendered.as_deref(), Ok(want), "{template}");
    }
}
