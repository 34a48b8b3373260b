//! Ids and names that nobody chose: 64 random hex digits, an adjective and a surname (V12.11).

use super::error::ContainerError;
use super::store::ContainerStore;
use crate::config::name::ContainerName;
use crate::store::StoreError;

/// How something is.
const ADJECTIVES: [&str; 64] = [
    "able", "amber", "apt", "awake", "bold", "brave", "bright", "brisk", "calm", "careful",
    "cheerful", "clear", "clever", "cosy", "curious", "daring", "deft", "eager", "early",
    "earnest", "fair", "fond", "frank", "fresh", "gentle", "glad", "golden", "graceful", "grand",
    "handy", "happy", "hardy", "hearty", "honest", "humble", "jolly", "keen", "kind", "lively",
    "lucid", "lucky", "mellow", "merry", "mindful", "modest", "neat", "nimble", "patient",
    "placid", "plucky", "polite", "proud", "quick", "quiet", "ready", "serene", "sharp", "sincere",
    "steady", "sunny", "tidy", "upbeat", "warm", "wise",
];

/// People to whom computing, and storage above all, owes something.
const SURNAMES: [&str; 80] = [
    "allen",
    "amdahl",
    "babbage",
    "bachman",
    "backus",
    "bartik",
    "bayer",
    "berners",
    "blaauw",
    "bonwick",
    "booth",
    "boyce",
    "brin",
    "brooks",
    "cerf",
    "chamberlin",
    "church",
    "clarke",
    "codd",
    "conway",
    "corbato",
    "cray",
    "date",
    "diffie",
    "dijkstra",
    "dolby",
    "eckert",
    "engelbart",
    "estridge",
    "forrester",
    "gray",
    "hamilton",
    "hamming",
    "hellman",
    "hoare",
    "hopper",
    "huffman",
    "iverson",
    "jacquard",
    "joy",
    "kahn",
    "kay",
    "kernighan",
    "kilburn",
    "knuth",
    "lamarr",
    "lamport",
    "lampson",
    "leibniz",
    "lempel",
    "licklider",
    "liskov",
    "lovelace",
    "masuoka",
    "mccarthy",
    "mckusick",
    "merkle",
    "milner",
    "moore",
    "naur",
    "neumann",
    "noyce",
    "ousterhout",
    "pascal",
    "patterson",
    "perlman",
    "ritchie",
    "rosenblum",
    "saltzer",
    "samet",
    "shannon",
    "stonebraker",
    "tanenbaum",
    "thacker",
    "thompson",
    "turing",
    "wilkes",
    "wirth",
    "ziv",
    "zuse",
];

/// How often another name is tried before the id serves as one.
const TRIES: usize = 12;

/// 64 random hex digits.
pub fn random_id() -> Result<String, ContainerError> {
    loop {
        let id: String = random::<32>()?.iter().map(|byte| format!("{byte:02x}")).collect();
        // Its first digits are the container's host name, which must not look like a number.
        if id[..12].contains(|c: char| !c.is_ascii_digit()) {
            return Ok(id);
        }
    }
}

/// The name asked for, if it is free, or one of ours.
pub fn choose(
    wanted: &Option<ContainerName>,
    containers: &ContainerStore,
    id: &str,
) -> Result<ContainerName, ContainerError> {
    let (known, _) = containers.list()?;
    let owner = |name: &str| known.iter().find(|c| c.record.name.as_str() == name);
    if let Some(name) = wanted {
        return match owner(name.as_str()) {
            None => Ok(name.clone()),
            Some(owner) => {
                let id = owner.record.id.clone();
                Err(ContainerError::NameTaken { name: name.to_string(), id })
            }
        };
    }
    invent(&|name| owner(name.as_str()).is_some(), id)
}

/// A name that is not taken; the beginning of the id, if none of those tried is free.
pub fn invent(
    taken: &dyn Fn(&ContainerName) -> bool,
    id: &str,
) -> Result<ContainerName, ContainerError> {
    let draws = random::<{ 3 * TRIES }>()?;
    let is_taken = |name: &str| ContainerName::parse(name).is_ok_and(|name| taken(&name));
    let name = generated(&draws, is_taken).unwrap_or_else(|| id[..12].into());
    Ok(ContainerName::parse(&name)?)
}

/// The first free name that three random bytes each give; after the first clash with a digit.
fn generated(draws: &[u8], taken: impl Fn(&str) -> bool) -> Option<String> {
    let names = draws.chunks_exact(3).enumerate().map(|(at, draw)| {
        let adjective = ADJECTIVES[usize::from(draw[0]) % ADJECTIVES.len()];
        let surname = SURNAMES[usize::from(draw[1]) % SURNAMES.len()];
        match at {
            0 => format!("{adjective}_{surname}"),
            _ => format!("{adjective}_{surname}{}", draw[2] % 10),
        }
    });
    names.into_iter().find(|name| !taken(name))
}

fn random<const BYTES: usize>() -> Result<[u8; BYTES], ContainerError> {
    let mut bytes = [0; BYTES];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|e| StoreError::io("getrandom", "", e))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// V12.08: an id is 64 hex digits, another each time.
    #[test]
    fn ids() {
        let (one, two) = (random_id().unwrap(), random_id().unwrap());
        assert!(one.len() == 64 && one.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        assert_ne!(one, two);
    }

    /// V12.11: adjective_surname, a digit after clashes, nothing when all are taken.
    #[test]
    fn names() {
        let draws = [0, 1, 7, 0, 1, 7, 63, 79, 9];
        assert_eq!(generated(&draws, |_| false).as_deref(), Some("able_amdahl"));
        assert_eq!(
            generated(&draws, |name| name == "able_amdahl").as_deref(),
            Some("able_amdahl7")
        );
        assert_eq!(
            generated(&draws, |name| name.starts_with("able")).as_deref(),
            Some("wise_zuse9")
        );
        assert_eq!(generated(&draws, |_| true), None);
    }

    /// Every pair is a container's name, and no word stands twice.
    #[test]
    fn words() {
        for words in [&ADJECTIVES[..], &SURNAMES[..]] {
            assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len());
            assert!(words.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase())));
        }
    }
}
