//! One blob on its way into the store: continued where it broke off, hashed as it comes.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use oci_spec::image::Descriptor;
use ureq::http::StatusCode;
use ureq::http::header::CONTENT_RANGE;

use super::answer::{Answer, unexpected};
use super::client::Client;
use super::error::RegistryError;
use super::event::{Event, Watch};
use super::media::is_config;
use super::partial::Partial;
use super::url::shown;
use crate::image::digest::Digest;

/// How often a connection may break without a byte in between. Docker's number.
const ATTEMPTS: u64 = 5;
/// The pause after the first break; each next one is longer by as much.
const PAUSE_S: u64 = 1;
const BUFFER_BYTES: usize = 128 << 10;

/// Where blobs come from, who watches, and whether they are still wanted.
#[derive(Clone, Copy)]
pub struct Line<'a> {
    /// The registry.
    pub client: &'a Client,
    /// The repository: `library/alpine`.
    pub repository: &'a str,
    /// Who watches.
    pub watch: Watch<'a>,
    /// Set when it is all in vain.
    pub cancelled: &'a AtomicBool,
}

/// Fetches what is missing of a blob, and checks all of it.
pub fn blob(
    line: Line<'_>,
    wanted: &Descriptor,
    partial: &mut Partial,
) -> Result<(), RegistryError> {
    let digest = Digest::parse(wanted.digest().as_ref())
        .map_err(|e| RegistryError::NoImage { name: line.repository.into(), why: e.to_string() })?;
    let continued = partial.length() > 0;
    match whole(line, wanted, &digest, partial) {
        // What was there may have been damaged: once more, all of it.
        Err(RegistryError::Digest { .. } | RegistryError::Size { .. }) if continued => {
            partial.restart()?;
            whole(line, wanted, &digest, partial)
        }
        result => result,
    }
}

fn whole(
    line: Line<'_>,
    wanted: &Descriptor,
    digest: &Digest,
    partial: &mut Partial,
) -> Result<(), RegistryError> {
    let mut broken = 0;
    while partial.length() < wanted.size() {
        let before = partial.length();
        match rest(line, wanted, digest, partial) {
            Ok(()) => break,
            Err(error) if error.is_passing() && !line.cancelled.load(Ordering::Relaxed) => {
                broken = if partial.length() > before { 1 } else { broken + 1 };
                if broken > ATTEMPTS {
                    return Err(error);
                }
                let seconds = PAUSE_S * broken;
                (line.watch)(digest, Event::Retrying { seconds });
                std::thread::sleep(Duration::from_secs(seconds));
            }
            Err(error) => return Err(error),
        }
    }
    let actual = partial.digest();
    let checked = match (partial.length() == wanted.size(), actual == *digest) {
        (false, _) => Err(size_error(wanted)),
        (true, false) => {
            let what = if is_config(wanted) { "image config" } else { "filesystem layer" };
            Err(RegistryError::Digest { what, wanted: digest.clone(), actual })
        }
        (true, true) => Ok(()),
    };
    if checked.is_err() {
        // Nobody can go on from here.
        partial.restart()?;
    }
    checked
}

fn size_error(wanted: &Descriptor) -> RegistryError {
    RegistryError::Size { what: format!("blob {}", wanted.digest()), announced: wanted.size() }
}

/// Asks for what is missing; the answer begins where `partial` ends.
fn ask(
    line: Line<'_>,
    wanted: &Descriptor,
    digest: &Digest,
    partial: &mut Partial,
) -> Result<Answer, RegistryError> {
    let mut headers = Vec::new();
    if partial.length() > 0 {
        headers.push(("range", format!("bytes={}-", partial.length())));
    }
    let path = format!("/v2/{}/blobs/{digest}", line.repository);
    let answer = line.client.get(&path, headers)?;
    match answer.response.status() {
        // All of it, whatever was asked for.
        StatusCode::OK => partial.restart()?,
        StatusCode::PARTIAL_CONTENT => {
            let range = answer.response.headers().get(CONTENT_RANGE);
            if range.and_then(|h| h.to_str().ok()).and_then(start) != Some(partial.length()) {
                return Err(unexpected(answer));
            }
        }
        StatusCode::RANGE_NOT_SATISFIABLE => {
            partial.restart()?;
            let (url, cause) = (shown(&answer.url), "the registry does not continue".into());
            return Err(RegistryError::Broken { url, cause });
        }
        _ => return Err(unexpected(answer)),
    }
    // What will not fit is not even begun, and never tried again.
    if answer
        .response
        .body()
        .content_length()
        .is_some_and(|l| partial.length() + l != wanted.size())
    {
        return Err(size_error(wanted));
    }
    Ok(answer)
}

/// One request for what is missing.
fn rest(
    line: Line<'_>,
    wanted: &Descriptor,
    digest: &Digest,
    partial: &mut Partial,
) -> Result<(), RegistryError> {
    let answer = ask(line, wanted, digest, partial)?;
    let url = shown(&answer.url);
    let broken = |cause: String| RegistryError::Broken { url: url.clone(), cause };
    let mut body = answer.response.into_body().into_reader();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = body.read(&mut buffer).map_err(|e| broken(e.to_string()))?;
        if read == 0 {
            break;
        }
        if line.cancelled.load(Ordering::Relaxed) {
            return Err(broken("it is no longer wanted".into()));
        }
        if partial.length() + read as u64 > wanted.size() {
            partial.restart()?;
            return Err(size_error(wanted));
        }
        partial.add(&buffer[..read])?;
        let (at, of) = (partial.length(), wanted.size());
        (line.watch)(digest, Event::Moved { at, of });
    }
    match partial.length() == wanted.size() {
        true => Ok(()),
        false => Err(broken("unexpected EOF".into())),
    }
}

/// Where the content of a partial answer starts: `bytes 100-199/200`.
fn start(range: &str) -> Option<u64> {
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let cases = [("bytes 100-199/200", Some(100)), ("bytes 0-1/*", Some(0)), ("x 1-2", None)];
        for (text, wanted) in cases {
            assert_eq!(start(text), wanted, "{text}");
        }
    }
}
