//! Requests together: which of them meet at one target, and who wins (V1.28, V3.06, V3.13).

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::config::path::RootPath;
use crate::config::request::{MountRequest, Style};

use super::error::MountFlagError;

/// Takes the requests of one command line and leaves at most one a target, in the order given.
///
/// What else can be at a target (an image's VOLUME, another container's volumes) is weaker than
/// any request here but an anonymous `-v`; that is decided where those are known.
pub fn combine(requests: Vec<MountRequest>) -> Result<Vec<MountRequest>, MountFlagError> {
    let mut kept: Vec<Option<MountRequest>> = Vec::with_capacity(requests.len());
    let mut places: HashMap<RootPath, usize> = HashMap::with_capacity(requests.len());
    for request in requests {
        match places.entry(request.target.clone()) {
            Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push(Some(request));
            }
            Entry::Occupied(mut place) => {
                let earlier = &mut kept[*place.get()];
                if winner(earlier.as_ref(), &request)? == Winner::Later {
                    *earlier = None;
                    place.insert(kept.len());
                    kept.push(Some(request));
                }
            }
        }
    }
    Ok(kept.into_iter().flatten().collect())
}

#[derive(PartialEq, Eq)]
enum Winner {
    Earlier,
    Later,
}

fn winner(earlier: Option<&MountRequest>, later: &MountRequest) -> Result<Winner, MountFlagError> {
    let Some(earlier) = earlier else { return Ok(Winner::Later) };
    if yields(later) {
        return Ok(Winner::Earlier);
    }
    if yields(earlier) || (earlier.style == Style::Tmpfs && later.style == Style::Tmpfs) {
        return Ok(Winner::Later);
    }
    if earlier.style == Style::Volume && earlier == later {
        return Ok(Winner::Earlier);
    }
    Err(MountFlagError::Duplicate {
        target: later.target.clone(),
        earlier: earlier.flag.clone(),
        later: later.flag.clone(),
    })
}

/// An anonymous `-v` asks for a place that keeps its content; any other request gives it that.
/// One of `--mount` does not yield: there the user named the kind of mount.
fn yields(request: &MountRequest) -> bool {
    request.style == Style::Volume && request.is_anonymous_volume()
}
