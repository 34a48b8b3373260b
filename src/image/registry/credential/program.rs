//! Programs that keep passwords: `docker-credential-NAME get|store|erase`, by Docker's protocol.
//!
//! The request goes to standard input, the answer comes from standard output.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::CredentialError;
use super::secret::Credential;
use crate::sys::spawn::ask;

/// More than this is no password.
const MAX_ANSWER_BYTES: u64 = 1 << 20;
/// A program may ask the user something; nobody thinks longer than this.
const PATIENCE_S: u64 = 120;
/// The name that stands for a token instead of a password.
const TOKEN_USER: &str = "<token>";
/// What such programs say where there is nothing.
const NOTHING: &str = "credentials not found in native keychain";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    #[serde(rename = "ServerURL", default)]
    server_url: String,
    username: String,
    secret: String,
}

/// Asks a program for a registry's credential.
pub fn get(name: &str, key: &str) -> Result<Option<Credential>, CredentialError> {
    let answer = run(name, "get", key.as_bytes())?;
    if !answer.done {
        return match answer.text.trim() {
            NOTHING => Ok(None),
            words => Err(failed(name, words)),
        };
    }
    let entry: Entry =
        serde_json::from_str(&answer.text).map_err(|e| failed(name, &e.to_string()))?;
    Ok(match (entry.username.as_str(), entry.secret) {
        ("", _) => None,
        (TOKEN_USER, token) => Some(Credential::Token(token)),
        (user, password) => Some(Credential::Password { user: user.into(), password }),
    })
}

/// Gives a program a registry's credential to keep.
pub fn store(name: &str, key: &str, credential: &Credential) -> Result<(), CredentialError> {
    let (username, secret) = match credential {
        Credential::Password { user, password } => (user.clone(), password.clone()),
        Credential::Token(token) => (TOKEN_USER.into(), token.clone()),
    };
    let entry = Entry { server_url: key.into(), username, secret };
    let text = serde_json::to_vec(&entry).map_err(|e| failed(name, &e.to_string()))?;
    match run(name, "store", &text)? {
        answer if answer.done => Ok(()),
        answer => Err(failed(name, answer.text.trim())),
    }
}

/// Lets a program forget a registry's credential; was there one?
pub fn erase(name: &str, key: &str) -> Result<bool, CredentialError> {
    let answer = run(name, "erase", key.as_bytes())?;
    match answer.text.trim() {
        _ if answer.done => Ok(true),
        NOTHING => Ok(false),
        words => Err(failed(name, words)),
    }
}

fn failed(name: &str, why: &str) -> CredentialError {
    CredentialError::Program { name: format!("docker-credential-{name}"), why: why.into() }
}

struct Answer {
    /// Was its status 0?
    done: bool,
    text: String,
}

fn run(name: &str, action: &str, request: &[u8]) -> Result<Answer, CredentialError> {
    let io = |e: io::Error| failed(name, &e.to_string());
    let path = find(name).ok_or_else(|| failed(name, "executable file not found in $PATH"))?;
    let arguments = [path.as_os_str(), OsStr::new(action)];
    let answered = ask(&path, &arguments, request, Some(PATIENCE_S)).map_err(io)?;
    let status = answered.status.ok_or_else(|| failed(name, "it did not answer and was killed"))?;
    let mut text = String::new();
    answered.output.take(MAX_ANSWER_BYTES).read_to_string(&mut text).map_err(io)?;
    Ok(Answer { done: status == 0, text })
}

/// The program in the search path. The name is a name, not a way to somewhere.
fn find(name: &str) -> Option<PathBuf> {
    let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if name.is_empty() || !name.bytes().all(letter) {
        return None;
    }
    let runs = |path: &Path| {
        path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(format!("docker-credential-{name}")))
        .find(|path| runs(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name in the file cannot name any program of the machine.
    #[test]
    fn names() {
        for bad in ["", "../../bin/sh", "a/b", "a b", "a\0b"] {
            assert_eq!(find(bad), None, "{bad:?}");
            let error = get(bad, "k").unwrap_err().to_string();
            assert!(error.contains("not found in $PATH"), "{error}");
        }
    }
}
