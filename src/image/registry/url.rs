//! URLs: which may be asked, where they lead, how they are shown.

use ureq::http::Uri;

use super::error::RegistryError;
use super::host::is_loopback;

/// By TLS, or on the loopback interface.
pub fn may_be_asked(url: &Uri) -> bool {
    match (url.scheme_str(), url.authority()) {
        (Some("https"), Some(_)) => true,
        (Some("http"), Some(authority)) => is_loopback(authority.as_str()),
        _ => false,
    }
}

/// A `Location`, which may leave the host out.
pub fn join(from: &Uri, location: &str) -> Option<Uri> {
    if !location.starts_with('/') || location.starts_with("//") {
        return location.parse().ok().filter(|url: &Uri| url.scheme().is_some());
    }
    format!("{}://{}{location}", from.scheme_str()?, from.authority()?).parse().ok()
}

/// Reads a URL.
pub fn parse(text: &str) -> Result<Uri, RegistryError> {
    text.parse().map_err(|e: ureq::http::uri::InvalidUri| RegistryError::Broken {
        url: text.to_owned(),
        cause: e.to_string(),
    })
}

/// A URL for people: without its query, which may be a key to what it leads to.
pub fn shown(url: &Uri) -> String {
    let (scheme, path) = (url.scheme_str().unwrap_or_default(), url.path());
    let authority = url.authority().map(|a| a.as_str()).unwrap_or_default();
    // Somebody's name and password may stand in it.
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where redirects lead, and which are followed.
    #[test]
    fn redirects() {
        let from: Uri = "https://r.example/v2/x?k=1".parse().unwrap();
        let cases = [
            ("/v2/y?a=b", Some("https://r.example/v2/y?a=b"), true),
            ("https://cdn.example/y", Some("https://cdn.example/y"), true),
            ("http://cdn.example/y", Some("http://cdn.example/y"), false),
            ("http://127.0.0.1:1/y", Some("http://127.0.0.1:1/y"), true),
            ("file:///etc/passwd", None, false),
            ("ftp://h/x", Some("ftp://h/x"), false),
            ("//h/x", None, false),
            ("y", None, false),
            ("", None, false),
        ];
        for (location, wanted, followed) in cases {
            let url = join(&from, location);
            assert_eq!(url.as_ref().map(ToString::to_string).as_deref(), wanted, "{location}");
            assert_eq!(url.is_some_and(|u| may_be_asked(&u)), followed, "{location}");
        }
        let secret: Uri = "https://u:p@h/x?token=secret".parse().unwrap();
        assert_eq!(shown(&secret), "https://h/x");
    }
}
