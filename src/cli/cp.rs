//! `rrun cp`, also `rrun container cp`.

use std::io::{self, BufWriter, IsTerminal};
use std::os::unix::ffi::OsStrExt;

use super::{Context, Outcome};
use crate::container::cp::{Follow, Named, Peer, archive_in, archive_out, copy_in, copy_out};
use crate::container::store::{Container, ContainerStore};
use crate::say::failure::Failure;
use crate::say::size;
use crate::tree::Owners;

/// Copy files between a container and the host
///
/// The container may run or not; what is in its volumes and binds is copied as it sees it. "-" as
/// the source or target on the host is a tar stream. DIR/. means what is in the directory.
#[derive(Debug, clap::Args)]
#[command(override_usage = "rrun cp [OPTIONS] CONTAINER:PATH PATH|-\n       \
                            rrun cp [OPTIONS] PATH|- CONTAINER:PATH")]
pub struct Cmd {
    /// Keep the owners of what is copied to the host, too, and all that depends on them
    #[arg(short, long)]
    archive: bool,
    /// Follow a link that is the source itself
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Say nothing when all went well
    #[arg(short, long)]
    quiet: bool,
    /// What to copy
    #[arg(required = true, value_name = "SOURCE")]
    source: String,
    /// Where to
    #[arg(required = true, value_name = "TARGET")]
    target: String,
}

/// One end, as it was typed.
#[derive(Debug, PartialEq, Eq)]
enum End<'a> {
    Container { name: &'a str, path: &'a str },
    Host(&'a str),
}

impl<'a> End<'a> {
    /// `name:path` is a container's, unless the text begins like a path.
    fn new(text: &'a str) -> Self {
        match text.split_once(':') {
            Some((name, path)) if !name.is_empty() && !name.starts_with(['.', '/']) => {
                End::Container { name, path }
            }
            _ => End::Host(text),
        }
    }
}

/// Copies.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let wanted = format!("copy {} to {}", cmd.source, cmd.target);
    let failed = |cause: &dyn std::fmt::Display| Failure::new(&wanted, cause);
    let here = std::env::current_dir().map_err(|e| failed(&e))?;
    let here = here.as_os_str().as_bytes();
    let follow = if cmd.follow_link { Follow::Links } else { Follow::Nothing };
    let find = |name: &str| -> Result<Container, Failure> {
        let containers = ContainerStore::open(&cx.store).map_err(|e| failed(&e))?;
        containers.find(name).map_err(|e| failed(&e))
    };
    let bytes = match (End::new(&cmd.source), End::new(&cmd.target)) {
        (End::Container { name, path }, End::Host(target)) => {
            let container = find(name)?;
            let peer = Peer { store: &cx.store, container: &container, named: name };
            let source = (&Named::new(path, b""), follow);
            if target == "-" {
                let out = BufWriter::with_capacity(64 << 10, io::stdout());
                archive_out(peer, source, out).map_err(|e| failed(&e))?;
                return Ok(0);
            }
            let owners = if cmd.archive { Owners::Kept } else { Owners::Ours };
            copy_out(peer, source, (&Named::new(target, here), owners)).map(|copied| copied.bytes)
        }
        (End::Host(source), End::Container { name, path }) => {
            let container = find(name)?;
            let peer = Peer { store: &cx.store, container: &container, named: name };
            let target = Named::new(path, b"");
            if source == "-" {
                if io::stdin().is_terminal() {
                    return Err(failed(&"standard input is a terminal, not an archive"));
                }
                return archive_in(peer, io::stdin(), &target).map(|()| 0).map_err(|e| failed(&e));
            }
            let source = (&Named::new(source, here), follow);
            copy_in(peer, source, &target).map(|copied| copied.bytes)
        }
        (End::Container { .. }, End::Container { .. }) => {
            return Err(failed(&"copying between containers is not supported")
                .hint("rrun cp ONE:PATH - | rrun cp - OTHER:PATH"));
        }
        (End::Host(_), End::Host(_)) => {
            return Err(failed(&"must specify at least one container source")
                .hint("a container's path is CONTAINER:PATH"));
        }
    };
    let bytes = bytes.map_err(|e| failed(&e))?;
    if !cmd.quiet {
        cx.out.aside(&format!("Successfully copied {} to {}\n", size::decimal(bytes), cmd.target));
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A colon in a path of the host's: the path then begins with a dot or a slash.
    #[test]
    fn ends() {
        let container = |name, path| End::Container { name, path };
        let cases = [
            ("web:/x", container("web", "/x")),
            ("web:x:y", container("web", "x:y")),
            ("web:", container("web", "")),
            ("./web:x", End::Host("./web:x")),
            ("/web:x", End::Host("/web:x")),
            ("-", End::Host("-")),
            (":x", End::Host(":x")),
            ("file", End::Host("file")),
        ];
        for (text, end) in cases {
            assert_eq!(End::new(text), end, "{text}");
        }
    }
}
