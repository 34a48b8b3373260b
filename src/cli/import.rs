//! `rrun import`.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use super::load::{LimitArgs, warn_left_out};
use super::{Context, Outcome};
use crate::image::import::{Import, Platform};
use crate::image::{ImageConfig, ImageStore, Reference, change};
use crate::say::failure::Failure;
use crate::say::progress::{Progress, Show};
use crate::say::setup::how_far;

/// Make an image from the archive of a root file system
///
/// The archive is a tar file, plain or compressed with gzip or zstd; "-" reads it from standard
/// input. Owners, modes, times, extended attributes, holes and device nodes are kept.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Apply a Dockerfile instruction to the image (CMD, ENTRYPOINT, ENV, EXPOSE, LABEL,
    /// STOPSIGNAL, USER, VOLUME, WORKDIR)
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// Comment of the image's history
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// What the image is for, as os[/architecture[/variant]]
    #[arg(long)]
    platform: Option<String>,
    #[command(flatten)]
    limits: LimitArgs,
    /// The archive, or "-"
    #[arg(value_name = "FILE|-")]
    source: String,
    /// The image's name
    #[arg(value_name = "NAME[:TAG]")]
    name: Option<String>,
}

/// Runs the command.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let failed =
        |cause: &dyn std::fmt::Display| Failure::new(format!("import {}", cmd.source), cause);
    let mut config = ImageConfig::default();
    for instruction in &cmd.change {
        change::apply(&mut config, instruction).map_err(|e| failed(&e))?;
    }
    let reference = match &cmd.name {
        Some(name) => {
            let name = Reference::parse(name).map_err(|e| failed(&e))?;
            if name.digest().is_some() {
                return Err(failed(&"cannot import digest reference"));
            }
            Some(name.with_default_tag())
        }
        None => None,
    };
    let platform = match &cmd.platform {
        Some(text) => Platform::parse(text).map_err(|e| failed(&e))?,
        None => Platform::host(),
    };
    let comment = cmd.message.clone().unwrap_or_else(|| format!("Imported from {}", cmd.source));
    let created = jiff::Timestamp::now().to_string();
    let wanted = Import { config, comment, platform, reference, created };
    let input = open(&cmd.source)?;
    let store = ImageStore::open(&cx.store).map_err(|e| failed(&e))?;
    let imported = store
        .import(input, &wanted, &cmd.limits.limits())
        .map_err(|e| failed(&e).perhaps(e.hint()))?;
    warn_left_out(cx, &imported.left_out);
    cx.out.line(&imported.id).map_err(|e| failed(&e))?;
    Ok(0)
}

fn open(source: &str) -> Result<Progress<Box<dyn Read>>, Failure> {
    let failed = |cause: &dyn std::fmt::Display| Failure::new(format!("import {source}"), cause);
    if source == "-" {
        if io::stdin().is_terminal() {
            return Err(failed(&"standard input is a terminal, not an archive")
                .hint("tar -C ROOTFS -c . | rrun import - NAME"));
        }
        return Ok(Progress::over(Box::new(io::stdin()), Show::Bytes("importing")));
    }
    if source.starts_with("http://") || source.starts_with("https://") {
        return Err(failed(&"rrun does not fetch from URLs")
            .hint(format!("curl -fsSL {source} | rrun import - NAME")));
    }
    let file = File::open(source).map_err(|e| {
        let missing = e.kind() == io::ErrorKind::NotFound;
        failed(&e).perhaps(missing.then(|| how_far(Path::new(source))).flatten())
    })?;
    let seen = file.metadata().map_err(|e| failed(&e))?;
    if seen.is_dir() {
        return Err(failed(&"it is a directory, not an archive").hint(format!(
            "tar -C {source} --numeric-owner --xattrs --xattrs-include='*' -c . | \
             rrun import - NAME"
        )));
    }
    let show = match seen.is_file() {
        true => Show::Share("importing", seen.len()),
        false => Show::Bytes("importing"),
    };
    Ok(Progress::over(Box::new(file), show))
}
