//! A case: its steps, the engine they drive, and what is cleared away after it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use crate::expect::{Answer, Expect};

/// One line of `cases.jsonl`.
#[derive(Debug, Deserialize)]
pub struct Case {
    /// The row of the semantics that it checks.
    pub id: String,
    pub title: String,
    steps: Vec<Value>,
    /// Records an oddity of Docker.
    #[serde(default)]
    pub quirk: bool,
}

/// What a step does: the engine with arguments, or a line for the shell.
///
/// The shell has `$E` (the engine), `$D` (a scratch directory), `$V` and `$C` (prefixes for names
/// of volumes and containers); arguments and expectations have `{d}`, `{v}` and `{c}`.
#[derive(Debug, Deserialize)]
struct Step {
    run: Option<Vec<String>>,
    sh: Option<String>,
    #[serde(rename = "in", default)]
    input: String,
    /// Keeps what standard output said under this name.
    set: Option<String>,
    timeout: Option<u64>,
    #[serde(flatten)]
    expect: Expect,
}

/// The program under test and its store.
pub struct Engine {
    command: Vec<String>,
    scratch: PathBuf,
}

/// The cases, in the order of the file.
pub fn cases() -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/cases.jsonl");
    let file = std::fs::File::open(&path).unwrap();
    let lines = BufReader::new(file).lines().map(Result::unwrap);
    lines
        .map(|line| serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect()
}

impl Engine {
    /// The binary under test with a store of its own, and the images of the cases in it.
    pub fn open() -> Result<Engine, String> {
        let scratch = tempfile::Builder::new().prefix("rrun-cases.").tempdir().unwrap().keep();
        std::fs::set_permissions(&scratch, PermissionsExt::from_mode(0o755)).unwrap();
        if let Ok(command) = std::env::var("RRUN_CASES_COMMAND") {
            let command = command.split(' ').map(str::to_owned).collect();
            return Ok(Engine { command, scratch });
        }
        let store = scratch.join("store").to_str().unwrap().to_owned();
        let command = vec![env!("CARGO_BIN_EXE_rrun").to_owned(), "--root".to_owned(), store];
        let engine = Engine { command, scratch };
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("rootfs-fixtures/cases");
        let mut import = Command::new(fixtures);
        import.args(&engine.command).arg("import");
        let answer = finish(import, "", Duration::from_secs(300));
        if answer.status != 0 {
            engine.close();
            let (out, err) = (answer.out.trim_end(), answer.err.trim_end());
            return Err(format!("rootfs-fixtures/cases ended with {}\n{out}{err}", answer.status));
        }
        Ok(engine)
    }

    /// Removes the store.
    pub fn close(&self) {
        let removed = std::fs::remove_dir_all(&self.scratch);
        removed.unwrap_or_else(|e| eprintln!("{}: {e}", self.scratch.display()));
    }

    fn with(&self, arguments: &[String]) -> Command {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).args(arguments);
        command
    }

    fn names(&self, arguments: &[&str]) -> BTreeSet<String> {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        let answer = finish(self.with(&arguments), "", Duration::from_secs(60));
        answer.out.split_whitespace().map(str::to_owned).collect()
    }

    fn containers(&self) -> BTreeSet<String> {
        self.names(&["ps", "-aq", "--no-trunc"])
    }

    fn volumes(&self) -> BTreeSet<String> {
        self.names(&["volume", "ls", "-q"])
    }

    fn remove(&self, how: &[&str], names: Vec<String>) {
        if !names.is_empty() {
            let how = how.iter().map(|word| (*word).to_owned());
            let arguments: Vec<String> = how.chain(names).collect();
            finish(self.with(&arguments), "", Duration::from_secs(60));
        }
    }
}

/// Runs the steps of `case` up to the first that is not as expected, and clears up.
pub fn run(case: &Case, engine: &Engine) -> Result<(), String> {
    let directory = tempfile::Builder::new().prefix("case.").tempdir_in(&engine.scratch).unwrap();
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let before = (engine.containers(), engine.volumes());
    let result = run_steps(case, engine, directory.path());
    let containers = engine.containers().difference(&before.0).cloned().collect();
    engine.remove(&["rm", "-f", "-v"], containers);
    let volumes = engine.volumes().difference(&before.1).cloned().collect();
    engine.remove(&["volume", "rm", "-f"], volumes);
    unmount_below(directory.path());
    result
}

fn run_steps(case: &Case, engine: &Engine, directory: &Path) -> Result<(), String> {
    let directory = directory.to_str().unwrap().to_owned();
    let prefix = format!("s{}x{}", std::process::id(), unique());
    let mut known = BTreeMap::from([
        ("d".to_owned(), directory.clone()),
        ("v".to_owned(), format!("{prefix}v")),
        ("c".to_owned(), format!("{prefix}c")),
    ]);
    for (n, step) in case.steps.iter().enumerate() {
        let step: Step = serde_json::from_value(replace_in(step, &known)).unwrap();
        let mut command = match (&step.run, &step.sh) {
            (Some(arguments), None) => engine.with(arguments),
            (None, Some(line)) => shell(line),
            _ => panic!("{}: step {}: either run or sh", case.id, n + 1),
        };
        let names = [("D", "d"), ("V", "v"), ("C", "c")];
        command.envs(names.map(|(variable, name)| (variable, known[name].clone())));
        command.envs(known.iter().filter(|(name, _)| !["d", "v", "c"].contains(&name.as_str())));
        command.env("E", engine.command.join(" ")).env("NS", "").env("ENGINE", "rrun");
        command.current_dir(&directory);
        let timeout = Duration::from_secs(step.timeout.unwrap_or(60));
        let answer = finish(command, &step.input, timeout);
        let findings = step.expect.findings(&answer);
        if !findings.is_empty() {
            let what = step.run.map_or(step.sh.unwrap_or_default(), |words| words.join(" "));
            let err = answer.err.trim_end();
            return Err(format!("step {} ({what}): {}\n{err}", n + 1, findings.join("; ")));
        }
        if let Some(name) = step.set {
            known.insert(name, answer.out.trim().to_owned());
        }
    }
    Ok(())
}

fn unique() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn shell(line: &str) -> Command {
    let mut command = Command::new("/bin/bash");
    command.arg("-c").arg(line);
    command
}

/// The same document with every `{name}` that is known replaced, in keys too.
fn replace_in(value: &Value, known: &BTreeMap<String, String>) -> Value {
    let replace = |text: &str| {
        known
            .iter()
            .fold(text.to_owned(), |text, (name, by)| text.replace(&format!("{{{name}}}"), by))
    };
    match value {
        Value::String(text) => Value::String(replace(text)),
        Value::Array(list) => list.iter().map(|element| replace_in(element, known)).collect(),
        Value::Object(object) => {
            object.iter().map(|(key, value)| (replace(key), replace_in(value, known))).collect()
        }
        other => other.clone(),
    }
}

/// Runs `command` in a process group of its own to its end; at the timeout the group is killed.
fn finish(mut command: Command, input: &str, timeout: Duration) -> Answer {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0);
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let mut stdin = child.stdin.take().unwrap();
    // A program that ends without reading gives EPIPE, which is its right.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let out = read_all(child.stdout.take().unwrap());
    let err = read_all(child.stderr.take().unwrap());
    let status = wait(&mut child, timeout);
    let (Ok(out), Ok(err)) = (out.recv_timeout(GRACE), err.recv_timeout(GRACE)) else {
        let err = format!("something still holds its output {GRACE:?} after its end");
        return Answer { status: 124, out: String::new(), err };
    };
    match status {
        Some(status) => Answer { status: number(status), out, err },
        None => Answer { status: 124, out, err: err + "\ntimeout" },
    }
}

/// How long a child's child may keep the output open.
const GRACE: Duration = Duration::from_secs(10);

fn read_all(mut from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        // Nobody waits any more where the grace was over.
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

fn wait(child: &mut Child, timeout: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + timeout;
    while Instant::now() < until {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let group = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
    child.wait().unwrap();
    None
}

fn number(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// A case may leave mounts in its scratch directory, innermost last in the table.
fn unmount_below(directory: &Path) {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let targets: Vec<&str> = table.lines().filter_map(|line| line.split(' ').nth(4)).collect();
    for target in
        targets.into_iter().rev().filter(|target| Path::new(target).starts_with(directory))
    {
        let _ = nix::mount::umount2(target, nix::mount::MntFlags::MNT_DETACH);
    }
}
