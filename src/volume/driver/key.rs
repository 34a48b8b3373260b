//! The key of an encrypted volume: where it comes from, and that it goes nowhere else.
//!
//! The store has the way to the key (`key-file`, `key-command`) and never the key. It reaches
//! gocryptfs by a pipe, so no argument list and no environment has it, and is overwritten here
//! when it is let go.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::PipeFlags;
use rustix::time::Timespec;

use super::encrypted_error::EncryptedError;
use crate::sys::spawn::{Death, Program, spawn};

/// gocryptfs reads no more.
const KEY_MAX: usize = 2000;
/// A command may have to ask its user.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);

/// Where the key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// `key-file=PATH`
    File(PathBuf),
    /// `key-command=WORDS`, for the shell
    Command(String),
    /// Asked for at the terminal.
    Terminal,
}

/// Is the key that of a volume that is being made?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// It is: a slip of the finger would close the volume for good, so it is asked for twice.
    New,
    /// The volume is there; a wrong key is found out.
    Known,
}

/// A key in memory.
pub(super) struct Key(Vec<u8>);

impl Drop for Key {
    fn drop(&mut self) {
        self.0.fill(0);
        // Else the compiler may leave it out: nobody reads it any more.
        std::hint::black_box(&mut self.0);
    }
}

impl Key {
    /// One line without its end.
    fn parse(mut bytes: Vec<u8>) -> Result<Self, &'static str> {
        if bytes.ends_with(b"\n") {
            bytes.pop();
            if bytes.ends_with(b"\r") {
                bytes.pop();
            }
        }
        let key = Self(bytes);
        match key.0.as_slice() {
            [] => Err("the key is empty"),
            long if long.len() > KEY_MAX => Err("the key is longer than 2000 bytes"),
            text if text.contains(&b'\n') || text.contains(&0) => {
                Err("the key is not one line of text (openssl rand -base64 32 makes one that is)")
            }
            _ => Ok(key),
        }
    }

    /// Writes it to a pipe, whose buffer has room for it.
    pub(super) fn write_to(&self, mut pipe: File) -> io::Result<()> {
        pipe.write_all(&self.0)?;
        pipe.write_all(b"\n")
    }
}

impl KeySource {
    /// Reads the options of the driver.
    pub fn from_options(options: &BTreeMap<String, String>) -> Result<Self, EncryptedError> {
        let known = ["key-file", "key-command"];
        if let Some(unknown) = options.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(EncryptedError::Unknown(unknown.clone()));
        }
        let value = |key: &str| options.get(key).filter(|value| !value.is_empty());
        match (value(known[0]), value(known[1])) {
            (Some(_), Some(_)) => Err(EncryptedError::TwoKeys),
            (Some(path), None) if !path.starts_with('/') => {
                Err(EncryptedError::RelativeKeyFile(path.clone()))
            }
            (Some(path), None) => Ok(Self::File(path.into())),
            (None, Some(command)) => Ok(Self::Command(command.clone())),
            (None, None) => Ok(Self::Terminal),
        }
    }

    /// Gets the key of the volume `name`.
    pub(super) fn fetch(&self, name: &str, occasion: Occasion) -> Result<Key, EncryptedError> {
        let (from, bytes) = match self {
            Self::File(path) => (format!("key-file {}", path.display()), read_file(path)),
            Self::Command(words) => ("key-command".into(), run(words)),
            Self::Terminal => ("terminal".into(), ask(name, occasion)),
        };
        let failed = |reason: String| EncryptedError::Key { from: from.clone(), reason };
        Key::parse(bytes.map_err(|e| failed(e.to_string()))?).map_err(|e| failed(e.into()))
    }
}

fn other(words: &str) -> io::Error {
    io::Error::other(words.to_owned())
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    // A fifo must not keep us waiting.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(other("not a regular file"));
    }
    let mut bytes = Vec::with_capacity(KEY_MAX + 3);
    file.take(KEY_MAX as u64 + 3).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Runs a command in the shell, in our own surroundings: what it needs to ask its user is there.
fn run(words: &str) -> io::Result<Vec<u8>> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let null = File::open("/dev/null")?;
    let pair = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        CString::new([name.into_vec(), b"=".to_vec(), value.into_vec()].concat()).ok()
    };
    let words = CString::new(words).map_err(|_| other("a zero byte in it"))?;
    let child = spawn(Program {
        path: c"/bin/sh".into(),
        arguments: vec![c"sh".into(), c"-c".into(), words],
        environment: std::env::vars_os().filter_map(pair).collect(),
        stdin: std::os::fd::AsFd::as_fd(&null),
        stdout: Some(std::os::fd::AsFd::as_fd(&write)),
        stderr: None,
        death: Death::OfItsOwn,
    })?;
    drop(write);
    let bytes = read_until(&File::from(read), Instant::now() + COMMAND_LIMIT);
    // It has closed its output, or its time is over.
    match child.wait_for(u64::from(bytes.is_ok()))? {
        Some(0) => bytes,
        Some(_) => Err(other("the command failed")),
        None => Err(bytes.err().unwrap_or_else(|| other("the command does not end"))),
    }
}

fn read_until(mut pipe: &File, end: Instant) -> io::Result<Vec<u8>> {
    // Never moved: what is read stands nowhere else in memory.
    let mut bytes = Vec::with_capacity(KEY_MAX + 3);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let limit = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 0 });
        let ready = poll(&mut [PollFd::new(&pipe, PollFlags::IN)], Some(&limit));
        if rustix::io::retry_on_intr(|| ready)? == 0 {
            return Err(other("no answer within 120 s"));
        }
        let mut part = [0; 256];
        let count = pipe.read(&mut part)?;
        bytes.extend_from_slice(&part[..count]);
        part.fill(0);
        std::hint::black_box(&mut part);
        if count == 0 || bytes.len() > KEY_MAX + 2 {
            return Ok(bytes);
        }
    }
}

/// What was asked for in this process, by volume: one command may need it to make the volume, to
/// fill it and to start with it.
static ASKED: Mutex<BTreeMap<String, Key>> = Mutex::new(BTreeMap::new());

fn ask(name: &str, occasion: Occasion) -> io::Result<Vec<u8>> {
    let mut asked = ASKED.lock().map_err(|_| other("a thread broke off"))?;
    if let Some(key) = asked.get(name) {
        return Ok(key.0.clone());
    }
    let mut terminal = super::prompt::Terminal::open()?;
    let key = Key(terminal.ask(&format!("Passphrase of volume {name}: "))?);
    if occasion == Occasion::New {
        let again = Key(terminal.ask("The same again: ")?);
        if again.0 != key.0 {
            return Err(other("the two are not the same"));
        }
    }
    let bytes = key.0.clone();
    asked.insert(name.to_owned(), key);
    Ok(bytes)
}

/// A wrong key is not given twice.
pub(super) fn forget(name: &str) {
    if let Ok(mut asked) = ASKED.lock() {
        asked.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(pairs: &[(&str, &str)]) -> Result<KeySource, String> {
        let options = pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        KeySource::from_options(&options).map_err(|e| e.to_string())
    }

    /// One way to the key, or the terminal.
    #[test]
    fn options() {
        assert_eq!(source(&[]), Ok(KeySource::Terminal));
        assert_eq!(source(&[("key-file", "/k")]), Ok(KeySource::File("/k".into())));
        assert_eq!(source(&[("key-command", "x y")]), Ok(KeySource::Command("x y".into())));
        let refused = |pairs| source(pairs).unwrap_err();
        assert_eq!(refused(&[("key", "x")]), "invalid option: \"key\"");
        assert_eq!(refused(&[("key-file", "k")]), "invalid key-file: 'k' path must be absolute");
        let both = refused(&[("key-file", "/k"), ("key-command", "c")]);
        assert_eq!(both, "conflicting options: key-file and key-command");
    }

    /// A key is one line: what gocryptfs would cut is refused.
    #[test]
    fn keys() {
        let scratch = tempfile::NamedTempFile::new().unwrap();
        let read = |text: &[u8]| {
            std::fs::write(scratch.path(), text).unwrap();
            let fetched = KeySource::File(scratch.path().into()).fetch("v", Occasion::Known);
            fetched.map(|key| key.0.clone()).map_err(|e| e.to_string())
        };
        assert_eq!(read(b"k\n").unwrap(), b"k");
        assert_eq!(read(b" k \r\n").unwrap(), b" k ");
        assert_eq!(read(&[b'x'; 2000]).unwrap().len(), 2000);
        assert!(read(b"").unwrap_err().ends_with(": the key is empty"));
        assert!(read(b"\n").unwrap_err().ends_with(": the key is empty"));
        assert!(read(&[b'x'; 9000]).unwrap_err().ends_with("is longer than 2000 bytes"));
        assert!(read(b"a\nb\n").unwrap_err().contains("is not one line of text"));
        assert!(read(b"a\0b").unwrap_err().contains("is not one line of text"));
        let missing = KeySource::File("/nope".into()).fetch("v", Occasion::Known).err().unwrap();
        let words = "no key from key-file /nope: No such file or directory (os error 2)";
        assert_eq!(missing.to_string(), words);
    }

    /// A command's output; its failure is told without what it wrote.
    #[test]
    fn commands() {
        let run = |words: &str| {
            let fetched = KeySource::Command(words.into()).fetch("v", Occasion::Known);
            fetched.map(|key| key.0.clone()).map_err(|e| e.to_string())
        };
        assert_eq!(run("echo secret").unwrap(), b"secret");
        let failed = "no key from key-command: the command failed";
        assert_eq!(run("echo secret; exit 3").unwrap_err(), failed);
        assert_eq!(run("true").unwrap_err(), "no key from key-command: the key is empty");
        let endless = run("cat /dev/zero").unwrap_err();
        assert!(endless.contains("the command failed"), "{endless}");
        let stays = run("echo x; exec >&-; sleep 100").unwrap_err();
        assert_eq!(stays, "no key from key-command: the command does not end");
    }
}
