//! `rrun pull`: an image from a registry.

use super::load::{LimitArgs, warn_left_out};
use super::{Context, Outcome};
use crate::image::import::Platform;
use crate::image::offline::{self, StandIn};
use crate::image::registry::{self, Client, Host, Pull, RegistryError, credential};
use crate::image::{ImageStore, Reference};
use crate::say::failure::Failure;
use crate::say::transfer::{Transfer, Where};

/// Fetch an image from a registry
///
/// A name without a registry means docker.io, one without a tag means "latest". What broke off is
/// continued by the next pull. Passwords are those of `rrun login`, shared with Docker.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Fetch all tags of the repository
    #[arg(short, long)]
    all_tags: bool,
    /// Fetch the image for another machine, as os[/architecture[/variant]]
    #[arg(long)]
    platform: Option<String>,
    /// Only print the name
    #[arg(short, long)]
    quiet: bool,
    /// Speak on standard error, and of a failure in JSON: how `run` and `create` pull
    #[arg(long, hide = true)]
    for_container: bool,
    #[command(flatten)]
    limits: LimitArgs,
    /// The image
    #[arg(required = true, value_name = "NAME[:TAG|@DIGEST]")]
    name: String,
}

/// Runs the command.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    if !cmd.for_container {
        return pull(cmd, cx).map(|()| 0);
    }
    // Who started this waits for it; nobody wants the image if that one ends.
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM));
    match pull(cmd, cx) {
        Ok(()) => Ok(0),
        Err(failure) => {
            let Failure { cause, hint, .. } = failure;
            let text = serde_json::json!({"cause": cause, "hint": hint}).to_string();
            cx.out.text(&text).map(|()| 1).map_err(|e| Failure::new("tell of a failure", e))
        }
    }
}

fn pull(cmd: &Cmd, cx: &Context) -> Result<(), Failure> {
    let wanted = format!("pull {}", cmd.name);
    let failed = |cause: &dyn std::fmt::Display| Failure::new(wanted.as_str(), cause);
    let name = Reference::parse(&cmd.name).map_err(|e| failed(&e))?;
    let bare = name.tag().is_none() && name.digest().is_none();
    if cmd.all_tags && !bare {
        return Err(failed(&"tag can't be used with --all-tags/-a"));
    }
    let platform = match &cmd.platform {
        Some(text) => Platform::parse(text).map_err(|e| failed(&e))?,
        None => Platform::host(),
    };
    let place = match (cmd.quiet, cmd.for_container) {
        (true, _) => Where::Nowhere,
        (false, true) => Where::Aside,
        (false, false) => Where::Output,
    };
    let transfer = Transfer::new(place);
    let told = |e| Failure::new(wanted.as_str(), e);
    if bare && !cmd.all_tags && !cmd.for_container {
        transfer.line("Using default tag: latest").map_err(told)?;
    }
    let store = ImageStore::open(&cx.store).map_err(|e| failed(&e))?;
    let pull = Pull {
        name: name.clone().with_default_tag(),
        platform,
        strict: cmd.platform.is_some(),
        limits: cmd.limits.limits(),
    };
    let work = Work { cx, store: &store, transfer: &transfer };
    let done = match cmd.all_tags {
        true => work.all_tags(&name, pull),
        false => work.one_or_stand_in(&pull),
    };
    let host = Host::of(&name);
    done.map_err(|e| super::registry_failure(&wanted, &e, &host))?;
    if !cmd.for_container {
        let last = if cmd.all_tags { name } else { name.with_default_tag() };
        cx.out.line(last.full()).map_err(told)?;
    }
    Ok(())
}

struct Work<'a> {
    cx: &'a Context,
    store: &'a ImageStore,
    transfer: &'a Transfer,
}

impl Work<'_> {
    fn client(name: &Reference) -> Result<Client, RegistryError> {
        let host = Host::of(name);
        let credential = credential::find(&host)?;
        Client::new(host, credential)
    }

    fn all_tags(&self, name: &Reference, mut pull: Pull) -> Result<(), RegistryError> {
        let client = Self::client(name)?;
        for tag in registry::tags(&client, name)? {
            pull.name = tag;
            self.one(&pull, &client)?;
        }
        Ok(())
    }

    fn one_or_stand_in(&self, pull: &Pull) -> Result<(), RegistryError> {
        let client = Self::client(&pull.name)?;
        match (self.one(pull, &client), offline::stand_in(&pull.name)) {
            (Err(error), Some(stand_in)) if error.is_offline() && !pull.strict => {
                self.take(&stand_in, pull, error)
            }
            (result, _) => result,
        }
    }

    /// Without a network: the image that was installed, unless there is a better one.
    fn take(
        &self,
        stand_in: &StandIn,
        pull: &Pull,
        error: RegistryError,
    ) -> Result<(), RegistryError> {
        match stand_in.take(self.store)? {
            Some(_) => {
                self.cx.out.warning(format_args!(
                    "{} is out of reach ({error}): {} is the offline image {}",
                    Host::of(&pull.name),
                    pull.name,
                    stand_in.archive().display()
                ));
                Ok(())
            }
            None => Err(error),
        }
    }

    fn one(&self, pull: &Pull, client: &Client) -> Result<(), RegistryError> {
        let name = &pull.name;
        let digest = name.digest().map(ToString::to_string);
        let which = digest.as_deref().or(name.tag()).unwrap_or("latest");
        // A reader who is gone does not stop the pull.
        let say = |text: std::fmt::Arguments<'_>| self.transfer.line(text).unwrap_or(());
        let first = std::sync::Once::new();
        let pulled = pull.run(self.store, client, &|layer, event| {
            first.call_once(|| say(format_args!("{which}: Pulling from {}", name.path())));
            self.transfer.event(layer, event);
        })?;
        first.call_once(|| say(format_args!("{which}: Pulling from {}", name.path())));
        warn_left_out(self.cx, &pulled.left_out);
        say(format_args!("Digest: {}", pulled.digest));
        match pulled.outcome {
            registry::Outcome::Newer => {
                say(format_args!("Status: Downloaded newer image for {name}"));
            }
            registry::Outcome::UpToDate => {
                say(format_args!("Status: Image is up to date for {name}"));
            }
        }
        Ok(())
    }
}
