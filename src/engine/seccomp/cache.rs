//! Programs that were made before, in a directory of the caller's.
//!
//! A program is found by what it was made from, which stands whole in the file: the name is only
//! a slot, so that no choice of profiles can make one container get the program of another. The
//! number of slots bounds the directory. Whatever is odd about a file makes it a miss, and what
//! cannot be written is not written: a cache is never a reason to fail.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use oci_spec::runtime::LinuxSeccomp;
use rustix::fs::{AtFlags, Mode, OFlags};

use super::{INSTRUCTION, MAX_INSTRUCTIONS, Program, SeccompError, compile, load_flags};

/// The first bytes of a file; changed with the form of the file or the way programs are made.
const MAGIC: &[u8] = b"rrun-seccomp-01\n";

/// How many programs are kept. Engines use one or two profiles.
const SLOTS: u64 = 64;

/// A profile of a hostile config must not fill the disk or our memory.
const MAX_KEY_BYTES: usize = 256 * 1024;

/// The program of `profile`: from the cache in `directory`, or made and put there.
///
/// The directory is made with mode 0700 if it is missing, and not used if it is not ours alone.
pub fn compile_cached(profile: &LinuxSeccomp, directory: &Path) -> Result<Program, SeccompError> {
    let Some(key) = key(profile) else { return compile(profile) };
    let slot = slot(&key);
    if let Some(bytes) = read(directory, &slot, &key) {
        return Ok(Program { bytes, flags: load_flags(profile) });
    }
    let program = compile(profile)?;
    // A read-only store or a full disk costs the time of compiling, nothing else.
    let _ = write(directory, &slot, &[MAGIC, &length(&key)[..], &key, &program.bytes].concat());
    Ok(program)
}

/// Everything that the program depends on: the profile without what only concerns the agent and
/// the flags, the library and the machine. `None`: too big to be worth keeping.
fn key(profile: &LinuxSeccomp) -> Option<Vec<u8>> {
    let version = libseccomp::ScmpVersion::current().ok()?;
    let mut key = format!(
        "{}.{}.{} {} {} ",
        version.major,
        version.minor,
        version.micro,
        std::env::consts::ARCH,
        env!("CARGO_PKG_VERSION"),
    )
    .into_bytes();
    let parts = (
        profile.default_action(),
        profile.default_errno_ret(),
        profile.architectures(),
        profile.syscalls(),
    );
    serde_json::to_writer(&mut key, &parts).ok()?;
    (key.len() <= MAX_KEY_BYTES).then_some(key)
}

/// The file's name. The hash may differ between releases of Rust: then it is a miss.
fn slot(key: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    format!("{:02}", hasher.finish() % SLOTS)
}

fn length(key: &[u8]) -> [u8; 8] {
    (key.len() as u64).to_le_bytes()
}

/// The program in `slot`, if the file is ours, whole, and made from `key`.
fn read(directory: &Path, slot: &str, key: &[u8]) -> Option<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = File::from(rustix::fs::open(directory, flags, Mode::empty()).ok()?);
    if !is_ours_alone(&directory.metadata().ok()?) {
        return None;
    }
    // NONBLOCK: a fifo in the file's place must not hold us up.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(&directory, slot, flags, Mode::empty()).ok()?);
    let seen = file.metadata().ok()?;
    if !seen.is_file() || !is_ours_alone(&seen) {
        return None;
    }
    let head = MAGIC.len() + 8 + key.len();
    let longest = head + MAX_INSTRUCTIONS * INSTRUCTION;
    let mut content = Vec::with_capacity(longest.min(usize::try_from(seen.len()).ok()? + 1));
    file.take(longest as u64 + 1).read_to_end(&mut content).ok()?;
    if content.get(..head)? != [MAGIC, &length(key)[..], key].concat() {
        return None;
    }
    let program = content.split_off(head);
    let whole = program.len() % INSTRUCTION == 0
        && (1..=MAX_INSTRUCTIONS).contains(&(program.len() / INSTRUCTION));
    whole.then_some(program)
}

fn is_ours_alone(seen: &fs::Metadata) -> bool {
    seen.uid() == rustix::process::geteuid().as_raw() && seen.mode() & 0o022 == 0
}

/// Puts the file there whole: a reader sees the old one or the new one.
fn write(directory: &Path, slot: &str, content: &[u8]) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let seen = rustix::fs::statat(rustix::fs::CWD, directory, AtFlags::SYMLINK_NOFOLLOW)?;
    let ours = seen.st_uid == rustix::process::geteuid().as_raw() && seen.st_mode & 0o022 == 0;
    if !ours || !rustix::fs::FileType::from_raw_mode(seen.st_mode).is_dir() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(directory)?;
    file.write_all(content)?;
    file.persist(directory.join(slot)).map_err(|e| e.error)?;
    Ok(())
}

#[cfg(test)]
mod tests;
