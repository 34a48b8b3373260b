//! `rrun commit`, also `rrun container commit`.

use super::{Context, Outcome};
use crate::container::commit::{Pause, Wanted, commit, config_of};
use crate::container::store::ContainerStore;
use crate::image::{Reference, change};
use crate::say::failure::Failure;

/// Make an image of a container's image and what the container has changed in it
///
/// What is in volumes is not part of it. A container that runs is held still meanwhile.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Author of the image: "Ada <ada@example.org>"
    #[arg(short, long, value_name = "TEXT")]
    author: Option<String>,
    /// Apply a Dockerfile instruction to the image (CMD, ENTRYPOINT, ENV, EXPOSE, LABEL,
    /// STOPSIGNAL, USER, VOLUME, WORKDIR)
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// Comment of the image's history
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Hold a container that runs still meanwhile: --pause=false does not
    #[arg(short, long, value_name = "BOOL", num_args = 1, default_value = "true")]
    pause: String,
    /// The container, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    container: String,
    /// The image's name
    #[arg(value_name = "NAME[:TAG]")]
    name: Option<String>,
}

/// Runs the command.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let failed =
        |cause: &dyn std::fmt::Display| Failure::new(format!("commit {}", cmd.container), cause);
    let pause = match cmd.pause.as_str() {
        "true" | "1" | "t" => Pause::Yes,
        "false" | "0" | "f" => Pause::No,
        other => return Err(failed(&format_args!("--pause={other}: it is true or false"))),
    };
    let containers = ContainerStore::open(&cx.store).map_err(|e| failed(&e))?;
    let container = containers.find(&cmd.container).map_err(|e| failed(&e))?;
    let mut config = config_of(&container);
    for instruction in &cmd.change {
        change::apply(&mut config, instruction).map_err(|e| failed(&e))?;
    }
    let reference = match &cmd.name {
        Some(name) => {
            let name = Reference::parse(name).map_err(|e| failed(&e))?;
            if name.digest().is_some() {
                return Err(failed(&"cannot commit to digest reference"));
            }
            Some(name.with_default_tag())
        }
        None => None,
    };
    let wanted = Wanted {
        reference,
        config,
        author: cmd.author.clone().unwrap_or_default(),
        comment: cmd.message.clone().unwrap_or_default(),
        created: jiff::Timestamp::now().to_string(),
    };
    let made = commit(&cx.store, &container, (wanted, pause)).map_err(|e| failed(&e))?;
    cx.out.line(&made.id).map_err(|e| failed(&e))?;
    Ok(0)
}
