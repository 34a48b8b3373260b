//! The nearest known word to one that is not known: a slip of the finger, not a guess.

/// The word among `known` that `word` was probably meant to be.
///
/// How many slips are allowed grows with the length: at `U` nothing is near, at `trget` much is.
/// Upper and lower case are alike here, since both are a frequent slip.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = match word.chars().count() {
        0 | 1 => 0,
        2..=4 => 1,
        5..=8 => 2,
        _ => 3,
    };
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate)
        })
        .filter(|(slips, _)| *slips <= allowed)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slips are found, strangers are not, the nearest wins.
    #[test]
    fn slips() {
        let known = ["ro", "size", "nr_inodes", "source", "target", "bind-propagation"];
        let cases = [
            ("RO", Some("ro")),
            ("sise", Some("size")),
            ("suorce", Some("source")),
            ("trget", Some("target")),
            ("bind-propogation", Some("bind-propagation")),
            ("U", None),
            ("", None),
            ("banana", None),
            ("x", None),
        ];
        for (word, want) in cases {
            assert_eq!(nearest(word, known), want, "{word:?}");
        }
    }
}
