//! `rrun version`. The program is its own server: there is no daemon.

use serde_json::{Value, json};

use super::Outcome;
use crate::say::failure::Failure;
use crate::say::output::Output;
use crate::say::template::Template;

/// Show the version
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// How to print: json, or a Go template ({{.Server.Version}})
    #[arg(short, long, value_name = "FORMAT", default_value = "", hide_default_value = true)]
    format: String,
}

/// The version of rrun.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The processor in Go's words.
pub fn go_architecture(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "armv7l" => "arm",
        "i686" => "386",
        other => other,
    }
}

/// Shows it.
pub fn run(cmd: &Cmd, out: &Output) -> Outcome {
    let failed = |cause: &dyn std::fmt::Display| Failure::new("show the version", cause);
    let kernel = rustix::system::uname();
    let release = kernel.release().to_string_lossy();
    let architecture = go_architecture(&kernel.machine().to_string_lossy()).to_owned();
    let text = match cmd.format.as_str() {
        "" => format!(
            "rrun\n Version:           {VERSION}\n OS/Arch:           linux/{architecture}\n \
             Kernel version:    {release}\n"
        ),
        "json" => versions(&release, &architecture).to_string() + "\n",
        template => {
            let template = Template::parse(template).map_err(|e| failed(&e))?;
            let text = template.render(&versions(&release, &architecture));
            text.map_err(|e| failed(&e))? + "\n"
        }
    };
    out.text(&text).map_err(|e| failed(&e))?;
    Ok(0)
}

/// Client and server in Docker's shape: both are rrun.
fn versions(release: &str, architecture: &str) -> Value {
    let one = json!({
        "Version": VERSION,
        "Os": "linux",
        "Arch": architecture,
        "KernelVersion": release,
    });
    json!({"Client": one, "Server": one})
}
