//! Which stack of layers a layer is the top of.
//!
//! A directory that a layer's archive does not name, but has something in, looks as the layers
//! below say. So a layer can be unpacked rightly only on top of the others, and is kept under the
//! id of the whole stack (the image specification's ChainID); for a lowest layer that is its own.

use super::digest::Digest;

/// The id of `diff_id` on top of the stack `below`.
pub fn on_top(below: &[Digest], diff_id: &Digest) -> Digest {
    match below.last() {
        None => diff_id.clone(),
        Some(below) => Digest::of(format!("{below} {diff_id}").as_bytes()),
    }
}

/// The ids of all layers of an image, the lowest first.
pub fn chain_ids(diff_ids: &[Digest]) -> Vec<Digest> {
    let mut chain = Vec::with_capacity(diff_ids.len());
    for diff_id in diff_ids {
        chain.push(on_top(&chain, diff_id));
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the image specification computes it.
    #[test]
    fn chains() {
        let (a, b, c) = (Digest::of(b"a"), Digest::of(b"b"), Digest::of(b"c"));
        let ab = Digest::of(format!("{a} {b}").as_bytes());
        let abc = Digest::of(format!("{ab} {c}").as_bytes());
        assert_eq!(chain_ids(&[a.clone(), b, c]), [a, ab, abc]);
        assert_eq!(chain_ids(&[]), []);
    }
}
