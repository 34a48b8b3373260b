//! Registries: images that come from other machines, and go there.
//!
//! The protocol is the OCI distribution specification's, spoken with a blocking HTTP client. Its
//! threads live in `rrun pull` and `rrun push` alone; `run` and `create` start a `pull` of their
//! own, since a process that clones a container must never have had a thread.
//!
//! What must hold:
//! - Nothing is believed: manifests, configurations and layers are what their digests say, or
//!   they are refused, and no stream is read past the size that was announced.
//! - A credential is sent to the registry that it is for and to the token server that this
//!   registry names, by TLS or on the loopback interface, and never follows a redirect.
//! - A pull is seen whole or not at all: until it is published there are only partial blobs, from
//!   which the next pull goes on.
//!
//! Not here: unpacking (`layer`), which image gets which name (`store`), words (`say`).

mod answer;
mod challenge;
mod client;
mod connection;
pub mod credential;
mod download;
mod error;
pub mod event;
mod fetch;
pub mod host;
mod lookup;
mod manifest;
mod media;
mod partial;
mod pull;
mod push;
mod tags;
mod token;
mod url;

pub use client::Client;
pub use error::RegistryError;
pub use event::{Event, Watch};
pub use host::Host;
pub use pull::{Outcome, Pull, Pulled};
pub use push::{Push, Pushed};
pub use tags::tags;
