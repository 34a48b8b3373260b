//! Tokens: a registry names a server that gives them, for a name and password or for nothing.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE};
use ureq::http::{Request, StatusCode};

use super::answer::{Answer, told, unexpected, words};
use super::challenge::Bearer;
use super::connection::Agents;
use super::credential::Credential;
use super::error::RegistryError;
use super::url::{may_be_asked, parse, shown};

/// Who we are, to a token server.
const CLIENT: &str = "rrun";
/// Longer tokens do not fit into a header.
const MAX_TOKEN_BYTES: u64 = 256 << 10;

/// What a token server answers; some use the one name, some the other.
#[derive(serde::Deserialize)]
struct Answered {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
}

/// Gets a token.
pub fn fetch(
    agents: &Agents,
    bearer: &Bearer,
    credential: Option<&Credential>,
) -> Result<String, RegistryError> {
    let realm = parse(&bearer.realm)?;
    if !may_be_asked(&realm) {
        return Err(RegistryError::Redirect {
            url: "the registry".into(),
            target: shown(&realm),
            why: "a token server needs TLS",
        });
    }
    let mut fields = vec![("service", bearer.service.as_str())];
    if !bearer.scope.is_empty() {
        fields.push(("scope", &bearer.scope));
    }
    let agent = agents.of(&realm)?;
    let response = match credential {
        Some(Credential::Token(token)) => {
            fields.extend([("grant_type", "refresh_token"), ("client_id", CLIENT)]);
            fields.push(("refresh_token", token));
            let request = Request::post(realm.clone())
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(encoded(&fields));
            agent.run(request.map_err(|e| told(&realm, &e.into()))?)
        }
        credential => {
            let joint = if bearer.realm.contains('?') { '&' } else { '?' };
            let url = parse(&format!("{}{joint}{}", bearer.realm, encoded(&fields)))?;
            let mut request = Request::get(url);
            if let Some(basic) = credential.and_then(basic) {
                request = request.header(AUTHORIZATION, basic);
            }
            agent.run(request.body(()).map_err(|e| told(&realm, &e.into()))?)
        }
    };
    let response = response.map_err(|e| told(&realm, &e))?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let cause = words(response, "incorrect username or password");
            return Err(RegistryError::Unauthorized { url: shown(&realm), cause });
        }
        _ => return Err(unexpected(Answer { response, url: realm })),
    }
    let broken = |cause: String| RegistryError::Broken { url: shown(&realm), cause };
    let mut text = Vec::new();
    let body = response.into_body().into_reader().take(MAX_TOKEN_BYTES);
    { body }.read_to_end(&mut text).map_err(|e| broken(e.to_string()))?;
    let answered: Answered =
        serde_json::from_slice(&text).map_err(|e| broken(format!("the token: {e}")))?;
    match (answered.token, answered.access_token) {
        (token, other) if token.is_empty() && other.is_empty() => {
            Err(broken("there is no token in it".into()))
        }
        (token, other) if token.is_empty() => Ok(other),
        (token, _) => Ok(token),
    }
}

/// The header that shows a name and a password; a token is none.
pub fn basic(credential: &Credential) -> Option<String> {
    match credential {
        Credential::Password { user, password } => {
            Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
        }
        Credential::Token(_) => None,
    }
}

/// Fields as they stand in a query or a form.
fn encoded(fields: &[(&str, &str)]) -> String {
    let field = |(name, value): &(&str, &str)| format!("{name}={}", escaped(value));
    fields.iter().map(field).collect::<Vec<_>>().join("&")
}

pub(super) fn escaped(text: &str) -> String {
    let byte = |b: u8| match b {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(b).to_string()
        }
        b => format!("%{b:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a scope looks like in a URL, and that a token is no password.
    #[test]
    fn texts() {
        let fields = [("service", "a b"), ("scope", "repository:x/y:pull,push")];
        let wanted = "service=a%20b&scope=repository%3Ax%2Fy%3Apull%2Cpush";
        assert_eq!(encoded(&fields), wanted);
        let user = Credential::Password { user: "u".into(), password: "p".into() };
        assert_eq!(basic(&user).as_deref(), Some("Basic dTpw"));
        assert_eq!(basic(&Credential::Token("t".into())), None);
    }
}
