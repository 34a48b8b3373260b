//! `rrun push`: an image to a registry.

use super::{Context, Outcome};
use crate::image::registry::{Client, Host, Push, RegistryError, credential};
use crate::image::{ImageStore, Reference};
use crate::say::failure::Failure;
use crate::say::transfer::{Transfer, Where};

/// Send an image to a registry
///
/// `rrun tag` gives an image the name that says where it goes: host/repository:tag. Layers are
/// sent as they are kept: those of a pulled image have their digests again.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Send all tags of the repository
    #[arg(short, long)]
    all_tags: bool,
    /// Only print the name
    #[arg(short, long)]
    quiet: bool,
    /// The image
    #[arg(required = true, value_name = "NAME[:TAG]")]
    name: String,
}

/// Runs the command.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let wanted = format!("push {}", cmd.name);
    let failed = |cause: &dyn std::fmt::Display| Failure::new(wanted.as_str(), cause);
    let name = Reference::parse(&cmd.name).map_err(|e| failed(&e))?;
    if name.digest().is_some() {
        return Err(failed(&"cannot push a digest reference"));
    }
    if cmd.all_tags && name.tag().is_some() {
        return Err(failed(&"tag can't be used with --all-tags/-a"));
    }
    let told = |e| Failure::new(wanted.as_str(), e);
    let transfer = Transfer::new(if cmd.quiet { Where::Nowhere } else { Where::Output });
    if !cmd.all_tags && name.tag().is_none() {
        transfer.line("Using default tag: latest").map_err(told)?;
    }
    let store = ImageStore::open(&cx.store).map_err(|e| failed(&e))?;
    let host = Host::of(&name);
    let repository = format!("{host}/{}", name.path());
    transfer.line(format_args!("The push refers to repository [{repository}]")).map_err(told)?;
    let names = match cmd.all_tags {
        true => own_tags(&store, &name).map_err(|e| failed(&e))?,
        false => vec![name.clone().with_default_tag()],
    };
    if names.is_empty() {
        let nothing = RegistryError::NothingToPush(name.familiar_repository());
        return Err(super::registry_failure(&wanted, &nothing, &host));
    }
    send(&store, &host, names, &transfer)
        .map_err(|e| super::registry_failure(&wanted, &e, &host))?;
    if cmd.quiet {
        cx.out.line(name.with_default_tag().full()).map_err(told)?;
    }
    Ok(0)
}

fn send(
    store: &ImageStore,
    host: &Host,
    names: Vec<Reference>,
    transfer: &Transfer,
) -> Result<(), RegistryError> {
    let client = Client::new(host.clone(), credential::find(host)?)?;
    for name in names {
        let tag = name.tag().unwrap_or_default().to_owned();
        let push = Push { name };
        let pushed = push.run(store, &client, &|layer, event| transfer.event(layer, event))?;
        let (digest, size) = (pushed.digest, pushed.size_bytes);
        // A reader who is gone does not stop the push.
        let _ = transfer.line(format_args!("{tag}: digest: {digest} size: {size}"));
    }
    Ok(())
}

/// The names of the store that are in the same repository.
fn own_tags(
    store: &ImageStore,
    name: &Reference,
) -> Result<Vec<Reference>, crate::image::ImageError> {
    let all = store.list()?.images.into_iter().flat_map(|image| image.references);
    let own = |other: &Reference| other.same_repository(name) && other.tag().is_some();
    Ok(all.filter(own).collect())
}
