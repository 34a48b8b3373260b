//! Encrypted volumes: gocryptfs mounts the plain files at `_data` while the volume is used.
//!
//! ```text
//! volumes/NAME/cipher/   what is on disk: encrypted names and contents, gocryptfs.conf
//! volumes/NAME/_data/    empty, but for the mount
//! ```
//!
//! Why gocryptfs: it works on every file system and without privileges, grows with its content and
//! needs nothing prepared by an administrator; fscrypt needs a file system made for it, dm-crypt a
//! device of a fixed size. docs/volume-drivers.md has what was measured.
//!
//! gocryptfs stays as one process in a session of its own until the mount is undone. Its first
//! process ends with the mount made, or with a status that says why not.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::pipe::PipeFlags;

use super::encrypted_error::EncryptedError;
use super::key::{self, Key, KeySource, Occasion};
use crate::sys::spawn::{Death, Program, spawn};

/// The program, which is that of a package of the same name.
const PROGRAM: &str = "gocryptfs";
/// Its status for a wrong key.
const WRONG_KEY: i32 = 12;
/// What it may take to make or to mount a volume.
const LIMIT_SECONDS: u64 = 120;
/// What it may write about it. It keeps the file open, so it has an end.
const OUTPUT_MAX: u64 = 16 << 10;

/// The way to an encrypted volume.
#[derive(Debug)]
pub(in crate::volume) struct Vault {
    key: KeySource,
}

fn cipher(directory: &Path) -> PathBuf {
    directory.join("cipher")
}

impl Vault {
    /// Reads the options.
    pub(super) fn from_options(options: &BTreeMap<String, String>) -> Result<Self, EncryptedError> {
        Ok(Self { key: KeySource::from_options(options)? })
    }

    /// Makes an empty volume. What a try that broke off has left is made anew: it was never used.
    pub(super) fn make(&self, directory: &Path, name: &str) -> Result<(), EncryptedError> {
        let program = find(PROGRAM)?;
        let key = self.key.fetch(name, Occasion::New)?;
        let cipher = cipher(directory);
        let failed = |call, source| EncryptedError::Io { call, path: cipher.clone(), source };
        match fs::remove_dir_all(&cipher) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed("unlink", e)),
            _ => fs::create_dir(&cipher).map_err(|e| failed("mkdir", e))?,
        }
        run(&program, &[c"-q".into(), c"-init".into(), c"--".into(), text(&cipher)?], &key)?;
        File::open(&cipher).and_then(|d| d.sync_all()).map_err(|e| failed("fsync", e))
    }

    /// Mounts it at `_data`. A wrong key is refused before anything is mounted.
    pub(super) fn mount(&self, directory: &Path, name: &str) -> Result<(), EncryptedError> {
        let program = find(PROGRAM)?;
        let key = self.key.fetch(name, Occasion::Known)?;
        let data = directory.join("_data");
        let arguments = [
            c"-q".into(),
            // Its output is a file of ours, not the system's log.
            c"-nosyslog".into(),
            // Containers have users of their own, and volumes their programs and devices.
            c"-allow_other".into(),
            c"-suid".into(),
            c"-dev".into(),
            // Containers see the source of a mount; where the store is concerns none.
            c"-fsname".into(),
            c"encrypted".into(),
            c"--".into(),
            text(&cipher(directory))?,
            text(&data)?,
        ];
        let mounted = run(&program, &arguments, &key);
        if matches!(mounted, Err(EncryptedError::WrongKey)) {
            key::forget(name);
        }
        mounted
    }
}

fn text(path: &Path) -> Result<CString, EncryptedError> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| EncryptedError::Failed("a zero byte in a path".into()))
}

fn search() -> std::ffi::OsString {
    let usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    std::env::var_os("PATH").unwrap_or_else(|| usual.into())
}

fn find(program: &str) -> Result<PathBuf, EncryptedError> {
    let places = search();
    let mut places = std::env::split_paths(&places).filter(|place| place.is_absolute());
    let found = places.find_map(|place| {
        let path = place.join(program);
        path.is_file().then_some(path)
    });
    found.ok_or(EncryptedError::NoProgram)
}

/// Runs the program with the key on its standard input.
fn run(program: &Path, arguments: &[CString], key: &Key) -> Result<(), EncryptedError> {
    let failed = |e: io::Error| EncryptedError::Failed(e.to_string());
    let (read, write) =
        rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|e| failed(e.into()))?;
    key.write_to(File::from(write)).map_err(failed)?;
    let output = output().map_err(failed)?;
    let path = text(program)?;
    let mut with_name = vec![path.clone()];
    with_name.extend_from_slice(arguments);
    let environment = [b"PATH=".as_slice(), search().as_bytes()].concat();
    let child = spawn(Program {
        path,
        arguments: with_name,
        environment: CString::new(environment).into_iter().collect(),
        stdin: read.as_fd(),
        stdout: Some(output.as_fd()),
        stderr: Some(output.as_fd()),
        death: Death::OfItsOwn,
    });
    let status = child.and_then(|child| child.wait_for(LIMIT_SECONDS));
    let status = status.map_err(|e| failed(e.into()))?;
    let exited = |status: i32| libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
    match status.map(exited) {
        Some(Some(0)) => Ok(()),
        Some(Some(WRONG_KEY)) => Err(EncryptedError::WrongKey),
        Some(Some(_)) => Err(EncryptedError::Failed(words(output).map_err(failed)?)),
        Some(None) => Err(EncryptedError::Failed("it was killed".into())),
        None => Err(EncryptedError::Failed(format!("no end within {LIMIT_SECONDS} s"))),
    }
}

/// A file in memory that cannot grow: the program may write to it as long as it lives.
fn output() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = rustix::fs::memfd_create("gocryptfs", flags)?;
    rustix::fs::ftruncate(&file, OUTPUT_MAX)?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::GROW | SealFlags::SHRINK)?;
    Ok(file)
}

/// What it wrote, in one line.
fn words(output: OwnedFd) -> io::Result<String> {
    let mut file = File::from(output);
    file.rewind()?;
    let mut text = String::new();
    file.take(OUTPUT_MAX).read_to_string(&mut text)?;
    let lines: Vec<_> = text
        .trim_end_matches('\0')
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    Ok(lines.join("; ").chars().filter(|c| !c.is_control()).collect())
}
