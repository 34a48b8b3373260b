//! The terminal of the process: a pty of the container's own devpts.

use super::compiler::Compiler;
use super::error::CompileError;
use super::input::Stdio;
use super::mounts::Mounted;
use super::step::{LineEnds, Missing, Op, Slot, SlotKind, TerminalSpec};
use crate::config::path::{HostPath, RootPath};
use crate::sys::path::Links;
use crate::sys::stub::Executor;

/// linux/magic.h.
const DEVPTS_SUPER_MAGIC: u64 = 0x1cd1;

fn wanted(c: &Compiler<'_>) -> Result<bool, CompileError> {
    Ok(c.input.process()?.terminal().unwrap_or(false))
}

/// The pty that becomes the process's terminal, and /dev/console.
pub(super) fn in_tree(c: &mut Compiler<'_>, mounted: Mounted) -> Result<(), CompileError> {
    if !wanted(c)? {
        return Ok(());
    }
    c.plan.origin_text("/process/terminal");
    let devpts = match mounted.devpts {
        Some(tree) => tree,
        None => pin(c, "/dev/pts", Missing::Fails),
    };
    let (master, peer) = open(c, devpts)?;
    let tree = c.plan.slot(SlotKind::Tree);
    c.push(
        Op::CloneTerminal { peer, tree },
        "/dev/console is bound from the descriptor: the name could be a link (CVE-2025-52565)",
    );
    let place = match mounted.dev {
        Some(directory) => {
            let place = c.plan.slot(SlotKind::Place);
            c.push(
                Op::MakeFile { directory, place, name: "console".into() },
                "a bind needs a place, and a device goes onto a file",
            );
            place
        }
        None => pin(c, "/dev/console", Missing::MakeFile),
    };
    c.push(Op::Attach { tree, place }, "programs write to the console when all else is gone");
    hand_over(c, master, peer);
    Ok(())
}

/// The terminal of a container without a mount namespace: one of the host's devpts.
pub(super) fn of_the_host(c: &mut Compiler<'_>) -> Result<(), CompileError> {
    if !wanted(c)? {
        return Ok(());
    }
    c.plan.origin_text("/process/terminal");
    let devpts = c.plan.slot(SlotKind::Place);
    c.push(
        Op::OpenPlace { place: devpts, path: HostPath::new("/dev/pts") },
        "without a mount namespace the container has no devpts of its own",
    );
    let (master, peer) = open(c, devpts)?;
    hand_over(c, master, peer);
    Ok(())
}

/// The terminal of one more process in a container: of the devpts that is there.
///
/// What a session leader leaves to others is hung up when it ends, and the child does end where
/// another process executes the program: then that one takes the terminal as its own.
pub(super) fn in_running(c: &mut Compiler<'_>, executor: Executor) -> Result<(), CompileError> {
    if !wanted(c)? {
        return Ok(());
    }
    c.plan.origin_text("/process/terminal");
    let place = c.root;
    c.push(
        Op::OpenPlace { place, path: HostPath::new("/") },
        "after the namespaces are joined this is the container's root",
    );
    let devpts = pin(c, "/dev/pts", Missing::Fails);
    c.push(
        Op::ExpectFilesystem { place: devpts, magic: DEVPTS_SUPER_MAGIC, name: "devpts" },
        "the container may have put anything there: a terminal comes from a devpts only",
    );
    let (master, peer) = open(c, devpts)?;
    if executor == Executor::Itself {
        hand_over(c, master, peer);
        return Ok(());
    }
    send(c, master);
    for number in 0..3 {
        c.push(
            Op::Duplicate { file: peer, number },
            "not yet the session's own: a terminal is hung up when the leader of its session ends",
        );
    }
    Ok(())
}

fn open(c: &mut Compiler<'_>, devpts: Slot) -> Result<(Slot, Slot), CompileError> {
    let process = c.input.process()?;
    let (size, user) = (process.console_size(), process.user());
    // `values` has seen that they fit.
    let size = size.map(|s| (side(s.height()), side(s.width())));
    let line_ends = match c.input.stdio {
        Stdio::Inherited => LineEnds::Plain,
        Stdio::Given => LineEnds::Converted,
    };
    let terminal = TerminalSpec { size, owner: (user.uid(), user.gid()), line_ends };
    let (master, peer) =
        (c.plan.slot(SlotKind::TerminalMaster), c.plan.slot(SlotKind::TerminalPeer));
    c.push(
        Op::OpenTerminal { devpts, master, peer, terminal },
        "a terminal of the container's own devpts, so that ttyname works inside",
    );
    Ok((master, peer))
}

fn send(c: &mut Compiler<'_>, master: Slot) {
    c.push(
        Op::SendTerminal { master },
        "the host moves bytes between it and the caller's terminal",
    );
}

fn hand_over(c: &mut Compiler<'_>, master: Slot, peer: Slot) {
    send(c, master);
    c.push(
        Op::ControllingTerminal { peer },
        "^C and window changes reach the processes of the session that owns the terminal",
    );
}

fn side(length: u64) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

fn pin(c: &mut Compiler<'_>, path: &str, missing: Missing) -> Slot {
    let place = c.plan.slot(SlotKind::Place);
    let (root, path) = (c.root, RootPath::clean(path));
    c.push(
        Op::Pin { place, root, path, links: Links::Refused, missing },
        "a link here could lead the terminal to another file",
    );
    place
}
