//! The form of `json-file`: `{"log":"x\n","stream":"stdout","time":"…Z"}`, one a line (V12.21).
//!
//! Where there are attributes, they stand before the time, as `attrs`. JSON is text: bytes that
//! are no UTF-8 become U+FFFD, as with Docker. `local` keeps them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::entry::{Entry, Piece, Stream};

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    #[serde(default, borrow)]
    log: Cow<'a, str>,
    #[serde(default, borrow)]
    stream: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    attrs: BTreeMap<String, String>,
    #[serde(borrow)]
    time: Cow<'a, str>,
}

/// RFC 3339 with nine digits, UTC.
pub(super) fn time_text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string()
}

pub(super) fn encode(entry: &Entry, text: &mut Vec<u8>) {
    let line = Line {
        log: String::from_utf8_lossy(&entry.bytes),
        stream: entry.stream.word().into(),
        attrs: entry.attributes.clone(),
        time: time_text(entry.time).into(),
    };
    let before = text.len();
    match serde_json::to_writer(&mut *text, &line) {
        Ok(()) => text.push(b'\n'),
        // Of strings alone, to memory: there is nothing that could fail.
        Err(_) => text.truncate(before),
    }
}

pub(super) fn first(bytes: &[u8]) -> Piece {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => Piece::Whole(end + 1, decode(&bytes[..end])),
        None => Piece::Incomplete,
    }
}

pub(super) fn last(bytes: &[u8]) -> Piece {
    let Some((_, line)) = bytes.split_last() else { return Piece::Incomplete };
    match line.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => Piece::Whole(bytes.len() - end - 1, decode(&line[end + 1..])),
        None => Piece::Incomplete,
    }
}

/// A line without its end; none if it is not one of a log.
pub(super) fn decode(line: &[u8]) -> Option<Entry> {
    let line: Line = serde_json::from_slice(line).ok()?;
    Some(Entry {
        stream: Stream::called(&line.stream)?,
        time: line.time.parse().ok()?,
        bytes: line.log.into_owned().into_bytes(),
        attributes: line.attrs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(bytes: &[u8]) -> Entry {
        Entry {
            stream: Stream::Stderr,
            time: "2024-05-01T10:00:00.5Z".parse().unwrap(),
            bytes: bytes.into(),
            attributes: BTreeMap::new(),
        }
    }

    /// V12.21: the line, byte for byte; attributes before the time.
    #[test]
    fn lines() {
        let mut text = Vec::new();
        encode(&entry(b"a \"b\"\n"), &mut text);
        let time = "2024-05-01T10:00:00.500000000Z";
        let want = format!(r#"{{"log":"a \"b\"\n","stream":"stderr","time":"{time}"}}"#);
        assert_eq!(String::from_utf8_lossy(&text), want + "\n");
        assert_eq!(first(&text), Piece::Whole(text.len(), Some(entry(b"a \"b\"\n"))));

        let mut tagged = entry(b"x");
        tagged.attributes.insert("tag".into(), "web".into());
        text.clear();
        encode(&tagged, &mut text);
        let attrs = r#""attrs":{"tag":"web"},"time""#;
        assert!(String::from_utf8_lossy(&text).contains(attrs), "{text:?}");
        assert_eq!(first(&text), Piece::Whole(text.len(), Some(tagged)));
    }

    /// What Docker's own daemon writes can be read, other text is no entry and is passed over.
    #[test]
    fn foreign_lines() {
        let cases = [
            (r#"{"log":"x\u003c\n","stream":"stdout","time":"2024-05-01T10:00:00Z"}"#, true),
            (r#"{"time":"2024-05-01T10:00:00.1Z","log":"x","stream":"stderr"}"#, true),
            (r#"{"log":"x","stream":"other","time":"2024-05-01T10:00:00Z"}"#, false),
            (r#"{"log":"x","stream":"stdout"}"#, false),
            (r#"{"log":"x","str"#, false),
            ("", false),
        ];
        for (line, readable) in cases {
            let text = format!("{line}\n");
            let Piece::Whole(length, found) = first(text.as_bytes()) else { panic!("{line}") };
            assert_eq!((length, found.is_some()), (text.len(), readable), "{line}");
        }
        assert_eq!(first(b"{\"log\""), Piece::Incomplete);
        assert_eq!(last(b"one line\n"), Piece::Incomplete);
    }
}
