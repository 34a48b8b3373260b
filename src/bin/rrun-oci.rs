//! `rrun-oci`: the command line that engines call, on rrun's core.
//!
//! It has `run` and `spec` so far.
#![no_main]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use rrun::config::cgroup::path::CgroupPath;
use rrun::config::name::ContainerId;
use rrun::engine::bundle::{self, Bundle, Surroundings};
use rrun::engine::state::Claim;
use rrun::facts::{Kernel, bundle_config};
use rrun::say::plain::plain;
use rrun::say::setup;
use rrun::sys::process::exit_now;
use rrun::sys::sealed;

/// A container runtime for OCI bundles, whose subject is storage mounts
#[derive(Parser)]
#[command(name = "rrun-oci", version, args_override_self = true)]
struct CommandLine {
    /// Where the state of running containers is kept
    #[arg(long, global = true, value_name = "DIR", default_value = "/run/rrun-oci")]
    root: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Run(Run),
    Spec(Spec),
}

/// Run a bundle's container in the foreground
#[derive(Args)]
struct Run {
    /// The bundle's directory
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    bundle: PathBuf,
    /// The container's id
    id: String,
}

/// Write a config to start from
#[derive(Args)]
struct Spec {
    /// The bundle's directory
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    bundle: PathBuf,
}

rrun::program!(start);

fn start() -> i32 {
    let command_line = CommandLine::parse();
    let outcome = match &command_line.verb {
        Verb::Run(run) => run_bundle(&command_line.root, run),
        Verb::Spec(spec) => write_spec(spec),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {}", plain(&error));
        1
    })
}

fn run_bundle(root: &std::path::Path, run: &Run) -> Result<i32, String> {
    let id: ContainerId = run.id.parse().map_err(|e| format!("{e}"))?;
    let kernel = Kernel::probe().map_err(|e| e.to_string())?;
    let directory = run
        .bundle
        .canonicalize()
        .map_err(|e| format!("cannot open the bundle {:?}: {e}", run.bundle))?;
    let config = bundle_config::read(&directory.join("config.json"), kernel.last_capability)
        .map_err(|e| format!("cannot read the config: {e}"))?;
    if bundle::joins_pid_namespace(&config.spec) {
        // The child makes its mount tree there: who lives there must find no file of ours.
        sealed::run_sealed()
            .map_err(|e| format!("cannot run {id}: a sealed copy of rrun-oci: {e}"))?;
    }
    config.warnings.iter().for_each(|warning| warn(&warning.to_string()));
    let bundle = Bundle::new(directory, config.spec);
    // An id cannot begin with a dot.
    let surroundings = Surroundings {
        kernel,
        cgroup: CgroupPath::of_oci_id(&id),
        seccomp_cache: &root.join(".seccomp"),
    };
    let plan =
        bundle::plan_of(&bundle, surroundings).map_err(|e| format!("cannot run {id}: {e}"))?;
    let claim = Claim::new(root, &id, &bundle.directory).map_err(|e| e.to_string())?;
    match bundle::run(&bundle, &plan, id.as_str()) {
        Ok(ended) => {
            ended.warnings.iter().for_each(|warning| warn(warning));
            if let Some(why) = setup::killed_by_limit(&plan, ended.status) {
                warn(&why);
            }
            drop(claim);
            // Here, so that what is left goes with the process: to free it piece by piece, on
            // pages that are shared with the child, costs more than to end.
            exit_now(ended.status.into())
        }
        Err(error) => match setup::exec_line(&plan, &error) {
            // The one failure that engines want without a word of ours around it.
            Some(line) => {
                eprintln!("{line}");
                Ok(1)
            }
            None => Err(setup::failure(&plan, &error).one_line()),
        },
    }
}

fn warn(warning: &str) {
    eprintln!("warning: {}", plain(warning));
}

fn write_spec(spec: &Spec) -> Result<i32, String> {
    let path = spec.bundle.join("config.json");
    let config = rrun::config::default_spec::json();
    let mut file = std::fs::File::options()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(|e| format!("cannot write {path:?}: {e}"))?;
    serde_json::to_writer_pretty(&mut file, &config)
        .map_err(|e| format!("cannot write {path:?}: {e}"))?;
    Ok(0)
}
