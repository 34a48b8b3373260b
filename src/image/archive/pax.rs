//! The records of a PAX header: `<length> <key>=<value>\n`, again and again.
//!
//! Values are bytes and may hold anything, a newline too (a capability's value often does), so
//! only the length says where a record ends.

use super::{ArchiveError, Extent, Time};

/// What a PAX header says about the entry after it.
#[derive(Debug, Default)]
pub struct Records {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<u64>,
    pub gid: Option<u64>,
    pub modified: Option<Time>,
    pub accessed: Option<Time>,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub sparse: Sparse,
}

/// The records of a sparse file, in GNU tar's three formats.
#[derive(Debug, Default)]
pub struct Sparse {
    pub major: Option<u64>,
    pub minor: Option<u64>,
    pub name: Option<Vec<u8>>,
    pub real_size: Option<u64>,
    /// Formats 0.0 and 0.1: the map itself.
    pub map: Option<Vec<Extent>>,
    /// Format 0.0: an offset whose length has not come yet.
    offset: Option<u64>,
}

impl Sparse {
    /// Is the entry a sparse file at all?
    pub fn is_present(&self) -> bool {
        self.major.is_some() || self.map.is_some() || self.real_size.is_some()
    }
}

const XATTR: &[u8] = b"SCHILY.xattr.";

/// Reads the records of one header. `path` is the header's own, for errors.
pub fn parse(path: &[u8], data: &[u8]) -> Result<Records, ArchiveError> {
    let mut records = Records::default();
    for record in split(data) {
        let (key, value) =
            record.ok_or_else(|| ArchiveError::entry(path, "malformed PAX record"))?;
        records.take(key, value).ok_or_else(|| {
            let key = String::from_utf8_lossy(key);
            ArchiveError::entry(path, format!("the PAX record {key:?} has no valid value"))
        })?;
    }
    if records.sparse.offset.is_some() {
        return Err(ArchiveError::entry(path, "GNU.sparse.offset without numbytes"));
    }
    Ok(records)
}

/// Does a global header say only what may be ignored? Readers disagree on whether its records
/// count for the entries after it, so those with a meaning are refused.
pub fn global_is_harmless(data: &[u8]) -> bool {
    split(data).all(|record| {
        record.is_some_and(|(key, value)| {
            let mut one = Records::default();
            let known = matches!(key, b"path" | b"linkpath" | b"size" | b"uid" | b"gid");
            let vendor = key.starts_with(XATTR) || key.starts_with(b"GNU.sparse.");
            !known && !vendor && one.take(key, value).is_some()
        })
    })
}

fn split(mut data: &[u8]) -> impl Iterator<Item = Option<(&[u8], &[u8])>> {
    std::iter::from_fn(move || {
        // Some writers pad the records with NULs.
        if data.iter().all(|b| *b == 0) {
            return None;
        }
        let record = first_record(data);
        data = match &record {
            Some((_, _, rest)) => rest,
            None => &[],
        };
        Some(record.map(|(key, value, _)| (key, value)))
    })
}

fn first_record(data: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = data.iter().take(20).position(|b| *b == b' ')?;
    let length = usize::try_from(decimal(&data[..blank])?).ok()?;
    let record = data.get(blank + 1..length)?;
    let (last, record) = record.split_last()?;
    let equals = record.iter().position(|b| *b == b'=')?;
    let key = &record[..equals];
    (*last == b'\n' && !key.is_empty()).then_some((key, &record[equals + 1..], &data[length..]))
}

/// A decimal number without sign or blanks.
pub fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |sum, b| match b {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(b - b'0')),
        _ => None,
    })
}

/// `[-]seconds[.fraction]`, rounded down to nanoseconds.
fn time(text: &[u8]) -> Option<Time> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut parts = text.splitn(2, |b| *b == b'.');
    let seconds = i64::try_from(decimal(parts.next()?)?).ok()?;
    let fraction = parts.next().unwrap_or_default();
    let mut nanoseconds = 0u32;
    for place in 0..9 {
        let digit = match fraction.get(place) {
            Some(b @ b'0'..=b'9') => u32::from(b - b'0'),
            Some(_) => return None,
            None => 0,
        };
        nanoseconds = nanoseconds * 10 + digit;
    }
    Some(match (negative, nanoseconds) {
        (false, _) => Time { seconds, nanoseconds },
        (true, 0) => Time { seconds: -seconds, nanoseconds },
        (true, _) => Time { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds },
    })
}

impl Records {
    /// Takes one record; the last of a key counts, an empty value takes it back (POSIX).
    fn take(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let bytes = (!value.is_empty()).then(|| value.to_vec());
        match key {
            b"path" => self.path = bytes,
            b"linkpath" => self.link = bytes,
            b"size" => self.size = optional(value, decimal)?,
            b"uid" => self.uid = optional(value, decimal)?,
            b"gid" => self.gid = optional(value, decimal)?,
            b"mtime" => self.modified = optional(value, time)?,
            b"atime" => self.accessed = optional(value, time)?,
            _ => match (key.strip_prefix(XATTR), key.strip_prefix(b"GNU.sparse.")) {
                (Some(name), _) => self.take_xattr(name, value)?,
                (_, Some(name)) => self.sparse.take(name, value)?,
                _ => {}
            },
        }
        Some(())
    }

    fn take_xattr(&mut self, name: &[u8], value: &[u8]) -> Option<()> {
        if name.is_empty() || name.contains(&0) {
            return None;
        }
        self.xattrs.retain(|(known, _)| known != name);
        self.xattrs.push((name.to_vec(), value.to_vec()));
        Some(())
    }
}

impl Sparse {
    fn take(&mut self, name: &[u8], value: &[u8]) -> Option<()> {
        match name {
            b"major" => self.major = Some(decimal(value)?),
            b"minor" => self.minor = Some(decimal(value)?),
            b"name" => self.name = Some(value.to_vec()),
            b"realsize" | b"size" => self.real_size = Some(decimal(value)?),
            b"numblocks" => {
                decimal(value)?;
                self.map.get_or_insert_default();
            }
            b"offset" => {
                if self.offset.replace(decimal(value)?).is_some() {
                    return None;
                }
            }
            b"numbytes" => {
                let extent = Extent { offset: self.offset.take()?, length: decimal(value)? };
                self.map.get_or_insert_default().push(extent);
            }
            b"map" => {
                let numbers: Vec<u64> =
                    value.split(|b| *b == b',').map(decimal).collect::<Option<_>>()?;
                let pair = |p: &[u64]| Extent { offset: p[0], length: p[1] };
                if !numbers.len().is_multiple_of(2) {
                    return None;
                }
                self.map = Some(numbers.chunks_exact(2).map(pair).collect());
            }
            _ => return None,
        }
        Some(())
    }
}

fn optional<T>(value: &[u8], read: impl Fn(&[u8]) -> Option<T>) -> Option<Option<T>> {
    if value.is_empty() { Some(None) } else { read(value).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fractions, negative times and what is no time.
    #[test]
    fn times() {
        let at = |seconds, nanoseconds| Some(Time { seconds, nanoseconds });
        let cases: [(&[u8], Option<Time>); 8] = [
            (b"981173106", at(981173106, 0)),
            (b"1.5", at(1, 500_000_000)),
            (b"1.1234567899", at(1, 123_456_789)),
            (b"-1.5", at(-2, 500_000_000)),
            (b"-3", at(-3, 0)),
            (b"", None),
            (b"1.x", None),
            (b"99999999999999999999", None),
        ];
        for (text, value) in cases {
            assert_eq!(time(text), value, "{text:?}");
        }
    }

    /// A value may hold newlines: only the length ends a record.
    #[test]
    fn values_are_bytes() {
        let records = parse(b"f", b"30 SCHILY.xattr.user.x=a\n=\0\xffb\n").unwrap();
        assert_eq!(records.xattrs, [(b"user.x".to_vec(), b"a\n=\0\xffb".to_vec())]);
        for bad in [&b"9 path=x\n"[..], b"x path=x\n", b"11 path=x\n", b"8 path=x\n", b"6 =xx\n"] {
            assert_eq!(parse(b"f", bad).is_err(), bad != b"9 path=x\n", "{bad:?}");
        }
    }
}
