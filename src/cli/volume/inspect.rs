//! `rrun volume inspect`: V4.11 to V4.14.

use clap::Args;

use super::shown::{Inspected, indented};
use super::start::{failure, named, volumes, write_failure};
use crate::cli::{Context, Outcome};
use crate::say::failure::Failure;
use crate::say::template::Template;
use crate::volume::store::VolumeStore;

/// Display detailed information on one or more volumes
///
/// Prints a JSON array. Volumes that are not there are told on standard error, after the others.
#[derive(Debug, Args)]
pub struct Cmd {
    /// How to print: json, or a Go template for each volume
    #[arg(short, long, value_name = "FORMAT", default_value = "", hide_default_value = true)]
    format: String,
    /// The volumes
    #[arg(required = true, value_name = "VOLUME")]
    volumes: Vec<String>,
}

/// Shows the volumes.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let volumes = volumes(cx)?;
    let mut found = Vec::new();
    let mut failures = Vec::new();
    for text in &cmd.volumes {
        match find(text, &volumes) {
            Ok(volume) => found.push(volume),
            Err(missing) => failures.push(missing),
        }
    }
    cx.out.text(&render(&cmd.format, &found)?).map_err(write_failure)?;
    for missing in &failures {
        cx.out.failure(missing);
    }
    Ok(u8::from(!failures.is_empty()))
}

fn find(text: &str, volumes: &VolumeStore) -> Result<Inspected, Failure> {
    let wanted = format!("inspect volume {text}");
    let name = named(text).map_err(|cause| Failure::new(&wanted, cause))?;
    let volume = volumes.get(&name).map_err(|e| failure(&wanted, &e))?;
    Ok(Inspected::new(&volume, volumes))
}

fn render(format: &str, found: &[Inspected]) -> Result<String, Failure> {
    let wanted = "show the volumes";
    let failed = |e: serde_json::Error| Failure::new(wanted, e);
    match format {
        "" => indented(&found).map(|text| text + "\n").map_err(failed),
        "json" => serde_json::to_string(found).map(|text| text + "\n").map_err(failed),
        template => {
            let template = Template::parse(template).map_err(|e| Failure::new(wanted, e))?;
            // Docker's answer to a template without a volume is an empty line.
            let mut text = String::from(if found.is_empty() { "\n" } else { "" });
            for volume in found {
                let value = serde_json::to_value(volume).map_err(failed)?;
                text += &template.render(&value).map_err(|e| Failure::new(wanted, e))?;
                text.push('\n');
            }
            Ok(text)
        }
    }
}
