//! `rrun load`.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use super::{Context, Outcome};
use crate::config::size::parse_bytes;
use crate::image::layer::LeftOut;
use crate::image::load::{LoadError, Loaded};
use crate::image::store::Published;
use crate::image::{ImageStore, Limits};
use crate::say::failure::Failure;
use crate::say::progress::{Progress, Show};
use crate::say::setup::how_far;

/// Load images that other tools saved
///
/// Takes an OCI layout (a directory or an archive) or a Docker archive, plain or compressed with
/// gzip or zstd. Every digest is verified.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Read from this file or directory instead of standard input
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    limits: LimitArgs,
}

/// What an archive may cost before it is taken for a bomb.
#[derive(Debug, clap::Args)]
pub(super) struct LimitArgs {
    /// Refuse more bytes than this, unpacked
    #[arg(long, value_name = "SIZE", default_value = "256g", value_parser = parse_bytes)]
    max_size: u64,
    /// Refuse more files and directories than this in one layer
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().entries)]
    max_entries: u64,
}

impl LimitArgs {
    pub(super) fn limits(&self) -> Limits {
        Limits { bytes: self.max_size, entries: self.max_entries, ..Limits::default() }
    }
}

/// Runs the command.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let wanted = match &cmd.input {
        Some(path) => format!("load {}", path.display()),
        None => "load from standard input".into(),
    };
    let failed = |cause: &dyn std::fmt::Display| Failure::new(wanted.as_str(), cause);
    let store = ImageStore::open(&cx.store).map_err(|e| failed(&e))?;
    let loaded = match &cmd.input {
        Some(path) => from_path(&store, path, cmd)
            .map_err(|e| failed(&e).perhaps(missing(path, &e).or_else(|| e.hint())))?,
        None if io::stdin().is_terminal() => {
            return Err(failed(&"requested load from stdin, but stdin is empty")
                .hint("rrun load -i FILE, or rrun load < FILE"));
        }
        None => store
            .load(Progress::over(io::stdin(), shown(cmd, Show::Bytes(LABEL))), &cmd.limits.limits())
            .map_err(|e| failed(&e).perhaps(e.hint()))?,
    };
    warn_left_out(cx, &loaded.left_out);
    for image in &loaded.images {
        for line in lines(image) {
            cx.out.line(line).map_err(|e| failed(&e))?;
        }
    }
    Ok(0)
}

const LABEL: &str = "loading";

fn shown<'a>(cmd: &Cmd, show: Show<'a>) -> Show<'a> {
    if cmd.quiet { Show::Nothing } else { show }
}

fn from_path(store: &ImageStore, path: &Path, cmd: &Cmd) -> Result<Loaded, LoadError> {
    if path.is_dir() {
        return store.load_directory(path, &cmd.limits.limits());
    }
    let file = File::open(path).map_err(|source| LoadError::Open { source })?;
    let length = file.metadata().map_err(|source| LoadError::Open { source })?.len();
    let input = Progress::over(file, shown(cmd, Show::Share(LABEL, length)));
    store.load(input, &cmd.limits.limits())
}

/// How far the path of a file exists that is not there.
fn missing(path: &Path, error: &LoadError) -> Option<String> {
    match error {
        LoadError::Open { source } if source.kind() == io::ErrorKind::NotFound => how_far(path),
        _ => None,
    }
}

/// What Docker says about a loaded image.
fn lines(image: &Published) -> Vec<String> {
    let taken = image.taken.iter().map(|(name, loser)| {
        format!(
            "The image {name} already exists, renaming the old one with ID {loser} to empty string"
        )
    });
    let mut lines: Vec<String> = taken.collect();
    lines.extend(image.references.iter().map(|name| format!("Loaded image: {name}")));
    if image.references.is_empty() {
        lines.push(format!("Loaded image ID: {}", image.id));
    }
    lines
}

/// Tells what of an image could not be made here.
pub(super) fn warn_left_out(cx: &Context, left_out: &LeftOut) {
    if left_out.devices > 0 {
        cx.out.warning(format_args!(
            "{} device nodes were left out: making them needs more rights",
            left_out.devices
        ));
    }
    if left_out.xattrs > 0 {
        cx.out.warning(format_args!(
            "{} extended attributes were left out: the file system or the rights refuse them",
            left_out.xattrs
        ));
    }
}
