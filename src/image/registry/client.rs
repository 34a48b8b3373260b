//! Requests to a registry: with its authorization, through its redirects, to an answer that
//! means something.

use std::io::Read;
use std::sync::{Mutex, PoisonError};

use ureq::http::header::{AUTHORIZATION, CONTENT_LENGTH, LOCATION, WWW_AUTHENTICATE};
use ureq::http::{Method, Request, Response, StatusCode, Uri};
use ureq::{Body, SendBody};

use super::answer::{Answer, told, unexpected, words};
use super::challenge::{self, Challenge};
use super::connection::Agents;
use super::credential::Credential;
use super::error::RegistryError;
use super::host::{Host, is_loopback};
use super::token::{self, basic};
use super::url::{join, may_be_asked, parse, shown};

/// Redirects that lead to redirects; more are a circle.
const MAX_REDIRECTS: usize = 8;

/// A registry to talk with, from any thread.
#[derive(Debug)]
pub struct Client {
    host: Host,
    /// `https://host[:port]`
    base: Uri,
    credential: Option<Credential>,
    agents: Agents,
    /// What the registry was content with last: `Basic …`, `Bearer …`.
    authorization: Mutex<Option<String>>,
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Call {
    /// How.
    pub method: Method,
    /// Whom and for what.
    pub url: Uri,
    /// Headers beside those that every request has.
    pub headers: Vec<(&'static str, String)>,
}

/// What is sent along.
pub enum Payload<'a> {
    /// Nothing.
    Nothing,
    /// This, again if need be.
    Bytes(&'a [u8]),
    /// So many bytes, once.
    Stream(&'a mut dyn Read, u64),
}

impl Client {
    /// A client for a registry. Only on the loopback interface it is asked whether it has TLS.
    pub fn new(host: Host, credential: Option<Credential>) -> Result<Self, RegistryError> {
        let base = |scheme: &str| parse(&format!("{scheme}://{}", host.authority()));
        let (secure, plain) = (base("https")?, base("http")?);
        let loopback = is_loopback(host.authority());
        let mut client = Self {
            host,
            base: secure,
            credential,
            agents: Agents::default(),
            authorization: Mutex::default(),
        };
        if loopback && client.speaks_no_tls() {
            client.base = plain;
        }
        Ok(client)
    }

    /// The registry.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// A URL of the registry; `path` begins with a slash.
    pub fn url(&self, path: &str) -> Result<Uri, RegistryError> {
        parse(&format!("{}{path}", self.base.to_string().trim_end_matches('/')))
    }

    /// Is the credential one that the registry takes?
    pub fn check(&self) -> Result<(), RegistryError> {
        let answer = self.get("/v2/", Vec::new())?;
        match answer.response.status() {
            StatusCode::OK => Ok(()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let cause = "incorrect username or password".into();
                Err(RegistryError::Unauthorized { url: shown(&answer.url), cause })
            }
            _ => Err(unexpected(answer)),
        }
    }

    fn speaks_no_tls(&self) -> bool {
        let Ok(url) = self.url("/v2/") else { return false };
        let Ok(agent) = self.agents.of(&url) else { return false };
        agent.get(&url).call().is_err()
    }

    /// Asks for `path` of the registry.
    pub fn get(
        &self,
        path: &str,
        headers: Vec<(&'static str, String)>,
    ) -> Result<Answer, RegistryError> {
        let call = Call { method: Method::GET, url: self.url(path)?, headers };
        self.send(call, Payload::Nothing)
    }

    /// Sends a request, with a new authorization if the registry wants one, and follows redirects
    /// of requests that send nothing.
    pub fn send(&self, call: Call, mut payload: Payload<'_>) -> Result<Answer, RegistryError> {
        let mut call = call;
        let mut authorized = false;
        for _ in 0..MAX_REDIRECTS {
            let repeatable = !matches!(payload, Payload::Stream(..));
            let response = self.once(&call, &mut payload)?;
            let status = response.status();
            if status == StatusCode::UNAUTHORIZED && self.is_own(&call.url) && !authorized {
                self.authorize(&call.url, response)?;
                authorized = true;
                if repeatable {
                    continue;
                }
                // The next attempt has what this one lacked.
                let cause = "the authorization ended while it was sent".into();
                return Err(RegistryError::Broken { url: shown(&call.url), cause });
            }
            if status.is_redirection() && matches!(payload, Payload::Nothing) {
                call.url = target(&call.url, &response)?;
                continue;
            }
            return Ok(Answer { response, url: call.url });
        }
        let why = "there are too many redirects";
        Err(RegistryError::Redirect { url: shown(&call.url), target: shown(&call.url), why })
    }

    fn once(
        &self,
        call: &Call,
        payload: &mut Payload<'_>,
    ) -> Result<Response<Body>, RegistryError> {
        let failed = |e| told(&call.url, &e);
        let mut request = Request::builder().method(call.method.clone()).uri(call.url.clone());
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        // Nobody but the registry itself sees what it gave us.
        if self.is_own(&call.url)
            && let Some(authorization) = self.authorization()
        {
            request = request.header(AUTHORIZATION, authorization);
        }
        let agent = self.agents.of(&call.url)?;
        let empty = call.method == Method::GET || call.method == Method::HEAD;
        match payload {
            Payload::Nothing if empty => agent.run(request.body(()).map_err(|e| failed(e.into()))?),
            Payload::Nothing => agent.run(request.body(&[][..]).map_err(|e| failed(e.into()))?),
            Payload::Bytes(bytes) => agent.run(request.body(*bytes).map_err(|e| failed(e.into()))?),
            Payload::Stream(stream, length) => {
                let request = request.header(CONTENT_LENGTH, *length);
                let body = SendBody::from_reader(stream);
                agent.run(request.body(body).map_err(|e| failed(e.into()))?)
            }
        }
        .map_err(failed)
    }

    fn authorization(&self) -> Option<String> {
        self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_own(&self, url: &Uri) -> bool {
        url.scheme() == self.base.scheme() && url.authority() == self.base.authority()
    }

    /// Does what a registry wants before it answers.
    fn authorize(&self, url: &Uri, response: Response<Body>) -> Result<(), RegistryError> {
        let headers = response.headers().get_all(WWW_AUTHENTICATE);
        let challenges: Vec<Challenge> =
            headers.iter().filter_map(|h| h.to_str().ok()).flat_map(challenge::parse).collect();
        let bearer = challenges.iter().find_map(|challenge| match challenge {
            Challenge::Bearer(bearer) => Some(bearer),
            Challenge::Basic => None,
        });
        let authorization = match (bearer, &self.credential) {
            (Some(bearer), credential) => {
                let token = token::fetch(&self.agents, bearer, credential.as_ref())?;
                format!("Bearer {token}")
            }
            (None, Some(credential)) if challenges.contains(&Challenge::Basic) => basic(credential)
                .ok_or_else(|| RegistryError::Unauthorized {
                    url: shown(url),
                    cause: "the registry wants a password, and there is only a token".into(),
                })?,
            (None, None) if challenges.contains(&Challenge::Basic) => {
                return Err(RegistryError::NoPassword(shown(url)));
            }
            _ => {
                let cause = words(response, "authentication required");
                return Err(RegistryError::Unauthorized { url: shown(url), cause });
            }
        };
        *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(authorization);
        Ok(())
    }
}

/// Where a redirect leads, if it may be followed.
fn target(from: &Uri, response: &Response<Body>) -> Result<Uri, RegistryError> {
    let refused = |target: &str, why| RegistryError::Redirect {
        url: shown(from),
        target: target.to_owned(),
        why,
    };
    let text = response.headers().get(LOCATION).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let url = join(from, text).ok_or_else(|| refused("", "it is no URL"))?;
    match may_be_asked(&url) {
        true => Ok(url),
        false => Err(refused(&shown(&url), "only the loopback interface needs no TLS")),
    }
}
