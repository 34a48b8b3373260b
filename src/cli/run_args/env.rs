//! `-e` and `--env-file`: the environment that the user gives (V12.06).

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags};

use super::refusal::{invalid, refused};
use crate::facts::file;
use crate::say::failure::Failure;
use crate::say::setup::how_far;

/// Looks up a variable of the caller.
pub type Caller<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The variables of `files` and then those of `words`, of each name the last one, in the order
/// in which the names came. One without a value takes the caller's, and is left out if the
/// caller has none.
pub fn environment(
    files: &[String],
    words: &[String],
    caller: Caller<'_>,
) -> Result<Vec<String>, Failure> {
    let mut env = Vec::new();
    for path in files {
        for variable in read(path, caller).map_err(|reason| {
            let cause = format_args!("invalid env file ({path}): {reason}");
            let failure = refused(&format!("--env-file {path}"), cause);
            let there = Path::new(path).exists();
            failure.perhaps((!there).then(|| how_far(Path::new(path))).flatten())
        })? {
            set(&mut env, variable);
        }
    }
    for word in words {
        if word.is_empty() || word.starts_with('=') {
            let reason = format_args!("invalid environment variable: {word}");
            return Err(invalid("-e, --env", word, reason));
        }
        let variable = valued(word, caller).map_err(|e| invalid("-e, --env", word, e))?;
        variable.into_iter().for_each(|variable| set(&mut env, variable));
    }
    Ok(env)
}

fn set(env: &mut Vec<String>, variable: String) {
    let name = |text: &str| text.split('=').next().unwrap_or_default().to_owned();
    let new = name(&variable);
    match env.iter_mut().find(|earlier| name(earlier) == new) {
        Some(earlier) => *earlier = variable,
        None => env.push(variable),
    }
}

fn valued(word: &str, caller: Caller<'_>) -> Result<Option<String>, String> {
    if word.contains('=') {
        return Ok(Some(word.into()));
    }
    match caller(word).map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(format!("{word}={value}"))),
        Some(Err(value)) => Err(format!("its value is not UTF-8: {value:?}")),
    }
}

/// All variables together must fit into the 2 MiB or so that execve(2) takes.
const FILE_LIMIT_BYTES: u64 = 4 << 20;
/// MAX_ARG_STRLEN of execve(2), with the NUL at the end.
const VARIABLE_LIMIT_BYTES: usize = 128 << 10;
/// PIPEFS_MAGIC: a pipe that has no name, as the shell's `<(…)`.
const PIPEFS: u64 = 0x5049_5045;

/// The bytes of an env file: also of a pipe, as `<(…)` is one, and of a terminal.
fn content(path: &str) -> io::Result<Vec<u8>> {
    // O_NONBLOCK: to open a fifo waits for a writer, who may never come.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
    let kind = crate::sys::path::node(&file)?.kind;
    let mut bytes = Vec::new();
    if kind == FileType::Fifo && crate::sys::path::filesystem_magic(&file)? != PIPEFS {
        first_bytes_of_fifo(file.as_fd(), &mut bytes)?;
    }
    rustix::fs::fcntl_setfl(&file, OFlags::empty())?;
    let rest = File::from(file).take(FILE_LIMIT_BYTES + 1);
    file::bounded(rest, FILE_LIMIT_BYTES, &mut bytes)?;
    Ok(bytes)
}

/// What is in a fifo now. The end at once means that there is nobody who writes.
fn first_bytes_of_fifo(fifo: impl AsFd, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut start = [0; 4096];
    match rustix::io::read(fifo, &mut start) {
        Ok(0) => Err(io::Error::other("it is a fifo that nobody writes to")),
        Ok(length) => {
            bytes.extend_from_slice(&start[..length]);
            Ok(())
        }
        Err(rustix::io::Errno::AGAIN) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// A line a variable; comments begin with `#`; values are taken as they are, quotes included.
fn read(path: &str, caller: Caller<'_>) -> Result<Vec<String>, String> {
    let bytes = content(path).map_err(|e| format!("open {path}: {e}"))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut variables = Vec::new();
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = std::str::from_utf8(line)
            .map_err(|_| format!("invalid utf8 bytes at line {}: {line:?}", at + 1))?;
        let line = line.strip_suffix('\r').unwrap_or(line).trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line.split('=').next().unwrap_or_default();
        if name.is_empty() {
            return Err(format!("no variable name on line '{line}'"));
        }
        if name.contains(char::is_whitespace) {
            return Err(format!("variable '{name}' contains whitespaces"));
        }
        if line.contains('\0') {
            return Err(format!("line {} has a NUL byte, which no variable can have", at + 1));
        }
        let Some(variable) = valued(line, caller)? else { continue };
        if variable.len() >= VARIABLE_LIMIT_BYTES {
            return Err(format!("line {}: a variable has less than 128 KiB", at + 1));
        }
        variables.push(variable);
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn caller(name: &str) -> Option<OsString> {
        match name {
            "HOME" => Some("/home/me".into()),
            "BYTES" => Some(OsString::from_vec(vec![0xff])),
            _ => None,
        }
    }

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|word| (*word).to_owned()).collect()
    }

    /// V12.06, and the order of files and flags.
    #[test]
    fn variables() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("env").display().to_string();
        std::fs::write(&path, "\u{feff}# comment\n\n A=1 \nB='x y'\r\nHOME\nUNSET\nC=\nA=3")
            .unwrap();
        let got = environment(&[path], &words(&["B=2", "D", "HOME=/", "E=", "F=a=b"]), &caller);
        assert_eq!(got.unwrap(), ["A=3", "B=2", "HOME=/", "C=", "E=", "F=a=b"]);
        assert_eq!(
            environment(&[], &words(&["HOME", "NOPE"]), &caller).unwrap(),
            ["HOME=/home/me"]
        );
    }

    /// `--env-file <(…)` is a pipe. A fifo is read if there is a writer, and not waited for.
    #[test]
    fn pipes() {
        use std::io::Write;
        let (read_end, mut write_end) = io::pipe().unwrap();
        write_end.write_all(b"A=1\n").unwrap();
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&read_end));
        let writer = std::thread::spawn(move || write_end.write_all(b"B=2\n"));
        assert_eq!(environment(&[path], &[], &caller).unwrap(), ["A=1", "B=2"]);
        writer.join().unwrap().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, 0o600.into(), 0).unwrap();
        let path = fifo.display().to_string();
        let failure = environment(std::slice::from_ref(&path), &[], &caller).unwrap_err();
        assert!(failure.cause.ends_with("it is a fifo that nobody writes to"), "{failure}");
        let keeper = File::options().read(true).write(true).open(&fifo).unwrap();
        (&keeper).write_all(b"C=3\n").unwrap();
        let writer = std::thread::spawn(move || drop(keeper));
        assert_eq!(environment(&[path], &[], &caller).unwrap(), ["C=3"]);
        writer.join().unwrap();
    }

    /// What is refused, and where it is.
    #[test]
    fn refusals() {
        let flags = [
            (
                "=x",
                "invalid argument \"=x\" for \"-e, --env\" flag: invalid environment variable: =x",
            ),
            ("", "invalid argument \"\" for \"-e, --env\" flag: invalid environment variable: "),
            (
                "BYTES",
                "invalid argument \"BYTES\" for \"-e, --env\" flag: its value is not UTF-8: \
                 \"\\xFF\"",
            ),
        ];
        for (word, want) in flags {
            let failure = environment(&[], &words(&[word]), &caller).unwrap_err();
            assert_eq!((failure.cause.as_str(), failure.status.code()), (want, 125));
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("env").display().to_string();
        let long = [b"A=", vec![b'x'; 128 << 10].as_slice()].concat();
        let files: [(&[u8], &str); 5] = [
            (b"A=1\nB=\0", "line 2 has a NUL byte, which no variable can have"),
            (&long, "line 1: a variable has less than 128 KiB"),
            (b"A B=1", "variable 'A B' contains whitespaces"),
            (b"A=1\n=2", "no variable name on line '=2'"),
            (b"A=1\nB=\xff", "invalid utf8 bytes at line 2: [66, 61, 255]"),
        ];
        for (text, want) in files {
            std::fs::write(&path, text).unwrap();
            let failure = environment(std::slice::from_ref(&path), &[], &caller).unwrap_err();
            assert_eq!(failure.cause, format!("invalid env file ({path}): {want}"));
        }
        let kinds = [("/dev/zero", "it is larger than 4 MiB"), ("/etc", "Is a directory")];
        for (path, want) in kinds {
            let failure = environment(&words(&[path]), &[], &caller).unwrap_err();
            assert!(failure.to_string().contains(want), "{failure}");
        }
        assert_eq!(environment(&words(&["/dev/null"]), &[], &caller).unwrap(), [""; 0]);
        let missing = environment(&words(&["/nope/env"]), &[], &caller).unwrap_err();
        assert!(missing.cause.contains("open /nope/env: No such file"), "{missing}");
    }
}
