//! From a config to a container in the foreground: facts, plan, the clone, supervision.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oci_spec::runtime::{Box as OciBox, BoxBuilder, LinuxNamespaceType, Spec};
use rustix::io::Errno;

use super::resources::{self, ResourceError};
use super::signals::Signals;
use super::spawn::{Given, Running, SpawnError, report, spawn};
use super::streams::Streams;
use super::supervise::{exit_status, supervise};
use super::terminal::{Output, Terminal};
use crate::apply::hook::{self, HookState, Moment};
use crate::apply::report::{Report, Tracing};
use crate::config::cgroup::path::CgroupPath;
use crate::config::mount_option::MountOptions;
use crate::config::path::HostPath;
use crate::facts::sources::SourceReader;
use crate::facts::{Facts, Kernel};
use crate::plan::check::{Unsound, check};
use crate::plan::compile::{Input, Lifetime, RootSource, Stdio, compile};
use crate::plan::error::CompileError;
use crate::plan::hooks;
use crate::plan::mounts::is_bind;
use crate::plan::step::{HookSpec, Plan};

/// Why a config has no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The config cannot be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The config asks for what this host cannot give.
    #[error(transparent)]
    Resource(#[from] ResourceError),
    /// The plan contradicts itself: a mistake of ours, found before anything was done.
    #[error("the plan is unsound, which is a mistake in rrun: {0}")]
    Unsound(#[from] Unsound),
}

/// A bundle: a directory with a config.
#[derive(Debug)]
pub struct Bundle {
    /// Its directory, absolute.
    pub directory: PathBuf,
    /// Its config, with absolute sources.
    pub spec: Spec,
}

impl Bundle {
    /// The bundle in `directory`; sources of mounts are counted from there.
    pub fn new(directory: PathBuf, mut spec: Spec) -> Self {
        if let Some(mounts) = spec.mounts_mut() {
            for mount in mounts {
                let relative = mount.source().as_ref().filter(|s| s.is_relative()).cloned();
                let Some(source) = relative else { continue };
                let words = mount.options().iter().flatten().map(String::as_str);
                if is_bind(mount, &MountOptions::parse(words)) {
                    mount.set_source(Some(directory.join(source)));
                }
            }
        }
        if let Some(process) = spec.process_mut()
            && process.terminal().unwrap_or(false)
            && let Some(size) = callers_size()
        {
            process.set_console_size(Some(size));
        }
        Self { directory, spec }
    }

    /// The root file system's directory.
    pub fn root(&self) -> Result<HostPath, CompileError> {
        let root = self.spec.root().as_ref().ok_or(CompileError::Missing { field: "/root" })?;
        Ok(HostPath::new(self.directory.join(root.path())))
    }
}

/// Does a config put its process where others live already?
pub fn joins_pid_namespace(spec: &Spec) -> bool {
    let namespaces = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_ref());
    namespaces
        .into_iter()
        .flatten()
        .any(|namespace| namespace.typ() == LinuxNamespaceType::Pid && namespace.path().is_some())
}

/// The size of the caller's terminal: known before the process asks for its own.
fn callers_size() -> Option<OciBox> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdin()).ok()?;
    let known = Some(size).filter(|size| size.ws_row > 0 && size.ws_col > 0)?;
    BoxBuilder::default().height(known.ws_row).width(known.ws_col).build().ok()
}

/// Reads what a plan for `spec` depends on.
pub fn facts(spec: &Spec, kernel: Kernel, root: &Path) -> Facts {
    let absolute = |mount: &&oci_spec::runtime::Mount| {
        mount.source().as_ref().is_some_and(|source| source.is_absolute())
    };
    let count = spec.mounts().iter().flatten().filter(absolute).count();
    let mut reader = SourceReader::new(root, count);
    let namespaces = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_ref());
    let locks =
        namespaces.into_iter().flatten().any(|entry| entry.typ() == LinuxNamespaceType::User);
    let read = |mount: &oci_spec::runtime::Mount| {
        let source = mount.source().as_ref().filter(|source| source.is_absolute())?;
        Some(if locks { reader.read_with_flags(source) } else { reader.read(source) })
    };
    let sources = spec.mounts().iter().flatten().map(read).collect();
    let foreign_namespaces = crate::facts::namespaces::foreign(spec);
    Facts { kernel, cgroups: crate::facts::cgroup::read(), sources, foreign_namespaces }
}

/// Compiles and checks a plan.
pub fn plan(input: &Input<'_>) -> Result<Plan, PlanError> {
    let plan = compile(input)?;
    check(&plan)?;
    Ok(plan)
}

/// What a runtime has for its containers beside their bundles.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The running kernel.
    pub kernel: Kernel,
    /// Where the container's cgroup is made if its config does not say it.
    pub cgroup: CgroupPath,
    /// Where compiled filters of system calls are kept.
    pub seccomp_cache: &'a Path,
}

/// The plan of a bundle as `rrun-oci` runs it.
pub fn plan_of(bundle: &Bundle, surroundings: Surroundings<'_>) -> Result<Plan, PlanError> {
    let root = bundle.root()?;
    let facts = facts(&bundle.spec, surroundings.kernel, root.as_path());
    let cgroup = resources::cgroup(&bundle.spec, &facts.cgroups, surroundings.cgroup)?;
    plan(&Input {
        spec: &bundle.spec,
        facts: &facts,
        root: RootSource::Directory(root),
        mounts: &[],
        seccomp: resources::seccomp(&bundle.spec, surroundings.seccomp_cache)?,
        cgroup,
        stdio: Stdio::Inherited,
        lifetime: Lifetime::Supervised,
    })
}

/// What hooks are told of a container.
pub fn hook_state(bundle: &Bundle, id: &str) -> HookState {
    let annotations = bundle.spec.annotations().clone().unwrap_or_default();
    HookState {
        id: id.into(),
        bundle: bundle.directory.display().to_string(),
        oci_version: bundle.spec.version().clone(),
        annotations: annotations.into_iter().collect::<BTreeMap<_, _>>(),
    }
}

/// How a container in the foreground ended.
#[derive(Debug)]
pub struct Ended {
    /// The status that a shell would give.
    pub status: u8,
    /// Hooks that failed when it did not matter to the container any more.
    pub warnings: Vec<String>,
}

/// Runs a bundle's container with the caller's own streams, to its end.
pub fn run(bundle: &Bundle, plan: &Plan, id: &str) -> Result<Ended, SpawnError> {
    run_reported(bundle, plan, id, &report(plan, Tracing::Off)?)
}

/// As [`run`], with a report of the caller's: it stays readable however the run ends.
pub fn run_reported(
    bundle: &Bundle,
    plan: &Plan,
    id: &str,
    report: &Report,
) -> Result<Ended, SpawnError> {
    let mut signals = Signals::block().map_err(|e| SpawnError::Prepare {
        call: "signalfd",
        errno: Errno::from_raw_os_error(e as i32),
    })?;
    let state = hook_state(bundle, id);
    let given = Given { files: Vec::new(), hook_state: state.clone() };
    let mut running = spawn(plan, given, report)?;
    let mut warnings = plan.warnings.clone();
    warnings.extend(running.late_warnings(plan));
    let watched = connect(&running).and_then(|(mut streams, terminal)| {
        supervise(&running, &mut signals, &mut streams, terminal.as_ref())
            .map_err(|errno| SpawnError::Prepare { call: "poll", errno })
    });
    let undone = match watched {
        Ok(_) => running.undo.run(),
        Err(_) => running.abandon(),
    };
    warnings.extend(undone.err().map(|error| error.to_string()));
    warnings.extend(poststop(bundle, &state));
    Ok(Ended { status: exit_status(watched?), warnings })
}

/// What the caller and the container's terminal say to each other, where it has one.
fn connect(running: &Running) -> Result<(Streams, Option<Terminal>), SpawnError> {
    let Some(inner) = &running.terminal else { return Ok((Streams::default(), None)) };
    let copy = || {
        let errno = |e: std::io::Error| Errno::from_io_error(&e).unwrap_or(Errno::IO);
        inner.try_clone().map_err(|e| SpawnError::Prepare { call: "dup", errno: errno(e) })
    };
    let streams = Streams::default().typed(copy()?).output(copy()?, rustix::stdio::stdout());
    Ok((streams, Terminal::of_stdin(Output::Processed)))
}

/// Runs the poststop hooks; what fails is told and changes nothing.
fn poststop(bundle: &Bundle, state: &HookState) -> Vec<String> {
    let moment = Moment { pid: 0, umask: None };
    match hooks::hooks(&bundle.spec, "poststop") {
        Ok(hooks) => {
            let failed = |spec: &HookSpec| {
                let fault = hook::run(spec, state, moment).err()?;
                Some(format!("/hooks/poststop/{}: {}", spec.index, fault.words))
            };
            hooks.iter().filter_map(failed).collect()
        }
        Err(error) => vec![error.to_string()],
    }
}
