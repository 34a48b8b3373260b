//! Answers: what a registry said, and what went wrong where it did not.

use std::io::{self, Read};

use ureq::Body;
use ureq::http::{Response, Uri};

use super::error::RegistryError;
use super::url::shown;

/// The most that is read of an answer that tells of a failure.
const MAX_WORDS_BYTES: u64 = 64 << 10;

/// What came back, and from where in the end.
#[derive(Debug)]
pub struct Answer {
    /// It.
    pub response: Response<Body>,
    /// The URL that gave it.
    pub url: Uri,
}

/// Which failure is it?
pub fn told(url: &Uri, error: &ureq::Error) -> RegistryError {
    use io::ErrorKind as K;
    let host = url.authority().map(|a| a.as_str()).unwrap_or_default().to_owned();
    let cause = match error {
        ureq::Error::HostNotFound => format!("lookup {host}: no such host"),
        ureq::Error::Io(e) => e.to_string(),
        other => other.to_string(),
    };
    let url = shown(url);
    if let Some(rustls::Error::InvalidCertificate(why)) = tls_error(error) {
        let why = match why {
            rustls::CertificateError::UnknownIssuer => {
                "x509: certificate signed by unknown authority".to_owned()
            }
            other => other.to_string(),
        };
        let cause = format!("tls: failed to verify certificate: {why}");
        return RegistryError::Certificate { url, host, cause };
    }
    match error {
        ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
            RegistryError::NoConnection { url, cause }
        }
        ureq::Error::Io(e)
            if matches!(
                e.kind(),
                K::ConnectionRefused
                    | K::HostUnreachable
                    | K::NetworkUnreachable
                    | K::NetworkDown
                    | K::AddrNotAvailable
            ) =>
        {
            RegistryError::NoConnection { url, cause }
        }
        _ => RegistryError::Broken { url, cause },
    }
}

/// What TLS says comes by itself or as an error of input and output.
fn tls_error(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}

/// What a server says about a failure, in the form of the specification; else `otherwise`.
pub fn words(response: Response<Body>, otherwise: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Errors {
        errors: Vec<One>,
    }
    #[derive(serde::Deserialize)]
    struct One {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let mut text = Vec::new();
    let _ = response.into_body().into_reader().take(MAX_WORDS_BYTES).read_to_end(&mut text);
    let parsed: Option<Errors> = serde_json::from_slice(&text).ok();
    let first = parsed.and_then(|all| all.errors.into_iter().next());
    match first {
        Some(one) => {
            let code = one.code.to_lowercase().replace('_', " ");
            plain(&format!("{code}: {}", one.message))
        }
        None => otherwise.to_owned(),
    }
}

/// A server's words on one line, and nothing in them that a terminal would obey.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(1000).collect()
}

/// An answer that is not the one hoped for.
pub fn unexpected(answer: Answer) -> RegistryError {
    let (url, status) = (shown(&answer.url), answer.response.status().as_u16());
    let detail = match words(answer.response, "") {
        words if words.is_empty() => words,
        words => format!(": {words}"),
    };
    RegistryError::Answer { url, status, detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server says is shown, but never obeyed.
    #[test]
    fn escapes() {
        assert_eq!(plain("a\u{1b}[31mb\n"), "a[31mb");
    }
}
