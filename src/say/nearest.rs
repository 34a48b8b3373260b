//! The words for a slip of the finger.

use crate::config::nearest::nearest;

/// `did you mean size?`, if there is a word near `word` among `known`.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|near| format!("did you mean {near}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A near word is told, a strange one is left alone.
    #[test]
    fn words() {
        assert_eq!(did_you_mean("sise", ["size", "mode"]).as_deref(), Some("did you mean size?"));
        assert_eq!(did_you_mean("banana", ["size", "mode"]), None);
    }
}
