//! All tags of a repository.

use std::io::Read;

use ureq::http::StatusCode;
use ureq::http::header::LINK;

use super::answer::{unexpected, words};
use super::client::Client;
use super::error::RegistryError;
use super::url::{join, shown};
use crate::image::reference::Reference;

const MAX_PAGE_BYTES: u64 = 4 << 20;
/// A list that never ends is no list.
const MAX_PAGES: usize = 1000;

#[derive(serde::Deserialize)]
struct Page {
    tags: Option<Vec<String>>,
}

/// Asks for all tags of a name's repository; gives their names.
pub fn tags(client: &Client, name: &Reference) -> Result<Vec<Reference>, RegistryError> {
    let mut path = format!("/v2/{}/tags/list", name.path());
    let mut found = Vec::new();
    for _ in 0..MAX_PAGES {
        let answer = client.get(&path, Vec::new())?;
        let denied = "denied: requested access to the resource is denied";
        match answer.response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => {
                let cause = words(answer.response, "name unknown: repository name not known");
                return Err(RegistryError::NotFound { name: name.familiar_repository(), cause });
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let cause = words(answer.response, denied);
                return Err(RegistryError::Denied { name: name.familiar_repository(), cause });
            }
            _ => return Err(unexpected(answer)),
        }
        let link = answer.response.headers().get(LINK).and_then(|h| h.to_str().ok());
        // `</v2/x/tags/list?n=100&last=b>; rel="next"`
        let link = link.and_then(|text| text.strip_prefix('<')?.split('>').next());
        // Only the path counts: the next page is the same registry's.
        let next = link.and_then(|text| join(&answer.url, text)?.path_and_query().cloned());
        let url = shown(&answer.url);
        let broken = |cause: String| RegistryError::Broken { url: url.clone(), cause };
        let mut text = Vec::new();
        let body = answer.response.into_body().into_reader();
        body.take(MAX_PAGE_BYTES).read_to_end(&mut text).map_err(|e| broken(e.to_string()))?;
        let page: Page = serde_json::from_slice(&text).map_err(|e| broken(e.to_string()))?;
        found.extend(page.tags.unwrap_or_default().iter().filter_map(|tag| name.tagged(tag)));
        match next {
            Some(next) => path = next.as_str().to_owned(),
            None => return Ok(found),
        }
    }
    Err(RegistryError::Size { what: "the list of tags".into(), announced: MAX_PAGE_BYTES })
}
