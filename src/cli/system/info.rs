//! `rrun info`, also `rrun system info`.

use std::fs;

use serde_json::{Value, json};

use crate::cli::version::VERSION;
use crate::cli::{Context, Outcome};
use crate::container::record::Status;
use crate::container::store::ContainerStore;
use crate::facts::cgroup;
use crate::image::ImageStore;
use crate::say::failure::Failure;
use crate::say::template::Template;

/// Show what rrun has and what it runs on
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// How to print: json, or a Go template ({{.DockerRootDir}})
    #[arg(short, long, value_name = "FORMAT", default_value = "", hide_default_value = true)]
    format: String,
}

/// Shows it.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let failed = |cause: &dyn std::fmt::Display| Failure::new("show what there is", cause);
    let info = info(cx)?;
    let text = match cmd.format.as_str() {
        "" => text(&info),
        "json" => info.to_string() + "\n",
        template => {
            let template = Template::parse(template).map_err(|e| failed(&e))?;
            template.render(&info).map_err(|e| failed(&e))? + "\n"
        }
    };
    cx.out.text(&text).map_err(|e| failed(&e))?;
    Ok(0)
}

/// The facts, under Docker's names.
fn info(cx: &Context) -> Result<Value, Failure> {
    let failed = |cause: &dyn std::fmt::Display| Failure::new("show what there is", cause);
    let containers = ContainerStore::open(&cx.store).map_err(|e| failed(&e))?;
    let (containers, _) = containers.list().map_err(|e| failed(&e))?;
    let images = ImageStore::open(&cx.store).and_then(|images| images.list());
    let images = images.map_err(|e| failed(&e))?.images.len();
    let count = |wanted: fn(Status) -> bool| {
        containers.iter().filter(|container| wanted(container.state.status)).count()
    };
    let kernel = rustix::system::uname();
    let word = |word: &std::ffi::CStr| word.to_string_lossy().into_owned();
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(json!({
        "Containers": containers.len(),
        "ContainersRunning": count(Status::has_supervisor),
        "ContainersPaused": 0,
        "ContainersStopped": count(|status| !status.has_supervisor()),
        "Images": images,
        "ServerVersion": VERSION,
        "Driver": "overlay2",
        "LoggingDriver": "json-file",
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": cgroup_version(),
        "Plugins": {"Volume": ["encrypted", "local"], "Log": ["json-file", "local", "none"]},
        "DefaultRuntime": "rrun",
        "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
        "KernelVersion": word(kernel.release()),
        "OperatingSystem": operating_system(),
        "OSType": word(kernel.sysname()).to_lowercase(),
        "Architecture": word(kernel.machine()),
        "NCPU": cpus,
        "MemTotal": memory_bytes(),
        "Name": word(kernel.nodename()),
        "DockerRootDir": cx.store.root(),
    }))
}

/// The lines of the text: a label and the name of a fact.
const LINES: [(&str, &str); 20] = [
    ("Containers", "Containers"),
    (" Running", "ContainersRunning"),
    (" Paused", "ContainersPaused"),
    (" Stopped", "ContainersStopped"),
    ("Images", "Images"),
    ("Server Version", "ServerVersion"),
    ("Storage Driver", "Driver"),
    ("Logging Driver", "LoggingDriver"),
    ("Cgroup Driver", "CgroupDriver"),
    ("Cgroup Version", "CgroupVersion"),
    ("Default Runtime", "DefaultRuntime"),
    ("Security Options", "SecurityOptions"),
    ("Kernel Version", "KernelVersion"),
    ("Operating System", "OperatingSystem"),
    ("OSType", "OSType"),
    ("Architecture", "Architecture"),
    ("CPUs", "NCPU"),
    ("Total Memory", "MemTotal"),
    ("Name", "Name"),
    ("Root Dir", "DockerRootDir"),
];

fn text(info: &Value) -> String {
    let mut text = String::new();
    for (label, name) in LINES {
        let value = match (&info[name], name) {
            (Value::Number(bytes), "MemTotal") => gibibytes(bytes.as_u64().unwrap_or_default()),
            (Value::String(word), _) => word.clone(),
            (Value::Array(words), _) => {
                words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
            }
            (other, _) => other.to_string(),
        };
        text += &format!("{label}: {value}\n");
    }
    text
}

fn gibibytes(bytes: u64) -> String {
    let hundredths = bytes / ((1 << 30) / 100);
    format!("{}.{:02}GiB", hundredths / 100, hundredths % 100)
}

/// `1` as long as a controller is on one of the old hierarchies.
fn cgroup_version() -> &'static str {
    use crate::config::cgroup::layout::Kind;
    match cgroup::read().kind() {
        Kind::V2 => "2",
        _ => "1",
    }
}

fn memory_bytes() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) << 10
}

fn operating_system() -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    line.map_or("Linux".into(), |name| name.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every line's fact is there, and numbers are for people.
    #[test]
    fn lines() {
        let store = tempfile::tempdir().unwrap();
        let store = crate::store::Store::open(&store.path().join("store")).unwrap();
        let cx = Context { store, out: crate::say::output::Output };
        let info = info(&cx).unwrap();
        assert!(LINES.iter().all(|(_, name)| !info[name].is_null()), "{info}");
        assert!(text(&info).starts_with("Containers: 0\n Running: 0\n"));
        assert_eq!(gibibytes(3 << 29), "1.50GiB");
    }
}
