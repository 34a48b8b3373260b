//! Reading a container's log: what is there, and what comes.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::chain::Chain;
pub use super::follow::Last;
use super::follow::Watch;
use super::form::Form;
use super::reading::Reading;
pub use super::reading::{Seen, Sink};
pub use super::wanted::Wanted;

/// Passes the wanted entries of the log in `directory` to `sink`.
pub fn read(
    (directory, form): (&Path, Form),
    wanted: Wanted,
    sink: &mut dyn Sink,
) -> io::Result<Seen> {
    let chain = Chain::open(directory, form)?;
    let mut reading = Reading::new(chain, wanted, sink);
    unless_unread(reading.read_all()).map(|()| reading.seen())
}

/// The same, and then what is written from now on, until there is nothing more to come.
pub fn read_on(
    (directory, form): (&Path, Form),
    (wanted, last): (Wanted, Last),
    sink: &mut dyn Sink,
) -> io::Result<Seen> {
    // The watch comes first, so that nothing is written between the reading and the watching.
    let watch = Watch::new(directory, last)?;
    let chain = Chain::open(directory, form)?;
    let mut reading = Reading::new(chain, wanted, sink);
    unless_unread(reading.read_all().and_then(|()| watch.follow(&mut reading)))
        .map(|()| reading.seen())
}

/// That nobody reads any more is an end as good as any.
fn unless_unread(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
