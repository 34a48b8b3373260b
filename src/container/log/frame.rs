//! The form of `local`: frames of bytes, half as long as the JSON and kept as they came.
//!
//! ```text
//! length: u32   stream: u8 (1 stdout, 2 stderr)   time: i64, ns since 1970   line   length: u32
//! ```
//!
//! Numbers are big-endian. `length` counts stream, time and line. It stands at both ends, so that
//! a reader who wants the last lines can walk backwards.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::entry::{Entry, Piece, Stream};

/// Stream and time.
const HEAD_BYTES: usize = 9;
/// A length.
const LENGTH_BYTES: usize = 4;
/// A line is written in parts of 16 KiB: what is longer is no frame of ours.
const MOST_BYTES: usize = 1 << 20;

pub(super) fn encode(entry: &Entry, text: &mut Vec<u8>) {
    let Ok(length) = u32::try_from(HEAD_BYTES + entry.bytes.len()) else { return };
    // 2262 is the last year that an i64 of nanoseconds can name.
    let nanoseconds = i64::try_from(entry.time.as_nanosecond()).unwrap_or(i64::MAX);
    text.extend(length.to_be_bytes());
    text.push(match entry.stream {
        Stream::Stdout => 1,
        Stream::Stderr => 2,
    });
    text.extend(nanoseconds.to_be_bytes());
    text.extend(&entry.bytes);
    text.extend(length.to_be_bytes());
}

pub(super) fn first(bytes: &[u8]) -> Piece {
    let Some(length) = length_at(bytes, 0) else { return Piece::Incomplete };
    if !(HEAD_BYTES..=MOST_BYTES).contains(&length) {
        // Where the next frame begins is lost with this one's length.
        return Piece::Whole(bytes.len(), None);
    }
    match bytes.get(LENGTH_BYTES..LENGTH_BYTES + length) {
        Some(body) if bytes.len() >= length + 2 * LENGTH_BYTES => {
            Piece::Whole(length + 2 * LENGTH_BYTES, decode(body))
        }
        _ => Piece::Incomplete,
    }
}

pub(super) fn last(bytes: &[u8]) -> Piece {
    let end = bytes.len().checked_sub(LENGTH_BYTES);
    let Some((end, length)) = end.and_then(|end| Some((end, length_at(bytes, end)?))) else {
        return Piece::Incomplete;
    };
    if !(HEAD_BYTES..=MOST_BYTES).contains(&length) {
        return Piece::Whole(bytes.len(), None);
    }
    let Some(start) = end.checked_sub(length + LENGTH_BYTES) else { return Piece::Incomplete };
    let fits = length_at(bytes, start) == Some(length);
    let entry = decode(&bytes[start + LENGTH_BYTES..end]).filter(|_| fits);
    Piece::Whole(length + 2 * LENGTH_BYTES, entry)
}

fn length_at(bytes: &[u8], at: usize) -> Option<usize> {
    let length = bytes.get(at..at + LENGTH_BYTES)?;
    usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()
}

fn decode(body: &[u8]) -> Option<Entry> {
    let (head, line) = body.split_at_checked(HEAD_BYTES)?;
    let stream = match head[0] {
        1 => Stream::Stdout,
        2 => Stream::Stderr,
        _ => return None,
    };
    let nanoseconds = i64::from_be_bytes(head[1..].try_into().ok()?);
    let time = Timestamp::from_nanosecond(nanoseconds.into()).ok()?;
    Some(Entry { stream, time, bytes: line.into(), attributes: BTreeMap::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(bytes: &[u8]) -> Entry {
        Entry {
            stream: Stream::Stderr,
            time: "2024-05-01T10:00:00.123456789Z".parse().unwrap(),
            bytes: bytes.into(),
            attributes: BTreeMap::new(),
        }
    }

    /// Bytes that are no text come back as they were, from either end.
    #[test]
    fn both_ends() {
        let mut text = Vec::new();
        encode(&entry(b"one\n"), &mut text);
        let one = text.len();
        encode(&entry(b"\xff\0two"), &mut text);
        assert_eq!(first(&text), Piece::Whole(one, Some(entry(b"one\n"))));
        assert_eq!(last(&text), Piece::Whole(text.len() - one, Some(entry(b"\xff\0two"))));
        assert_eq!(last(&text[..one]), Piece::Whole(one, Some(entry(b"one\n"))));
        assert_eq!(first(&text[..one - 1]), Piece::Incomplete);
        assert_eq!(last(&text[one + 1..]), Piece::Incomplete);
    }

    /// A length that cannot be is no reason to take all memory.
    #[test]
    fn damage() {
        assert_eq!(first(&[0xff; 40]), Piece::Whole(40, None));
        assert_eq!(last(&[0xff; 40]), Piece::Whole(40, None));
    }
}
