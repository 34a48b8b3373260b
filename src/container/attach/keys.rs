//! The keys that let go of a container: found in what is typed, and kept from it.

/// Why keys cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Unknown character: '{0}'")]
pub struct UnknownKey(pub String);

/// A sequence of keys, and how much of it has been typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    sequence: Vec<u8>,
    typed: usize,
}

/// What is typed to detach, if nobody says otherwise: ctrl-p, ctrl-q.
impl Default for Keys {
    fn default() -> Self {
        Self { sequence: vec![0x10, 0x11], typed: 0 }
    }
}

/// What came of typing.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// For the container.
    Passed(Vec<u8>),
    /// The sequence is complete; this came before it.
    Detach(Vec<u8>),
}

impl Keys {
    /// `ctrl-p,ctrl-q`, `a,b`, `ctrl-@`: single characters and `ctrl-` with a letter or one of
    /// `@[\]^_`.
    pub fn parse(text: &str) -> Result<Self, UnknownKey> {
        let key = |word: &str| {
            let unknown = || UnknownKey(word.to_owned());
            let control = word.strip_prefix("ctrl-").or_else(|| word.strip_prefix("CTRL-"));
            match (control.map(str::as_bytes), word.as_bytes()) {
                (Some([letter @ (b'a'..=b'z' | b'@' | b'['..=b'_')]), _) => Ok(letter & 0x1f),
                (None, [byte]) if byte.is_ascii() => Ok(*byte),
                _ => Err(unknown()),
            }
        };
        let sequence = text.split(',').map(key).collect::<Result<_, _>>()?;
        Ok(Self { sequence, typed: 0 })
    }

    /// Takes what was typed; the beginning of the sequence is held back until it is clear that it
    /// is none.
    pub fn take(&mut self, bytes: &[u8]) -> Typed {
        let mut passed = Vec::with_capacity(bytes.len());
        for byte in bytes {
            if self.sequence.get(self.typed) == Some(byte) {
                self.typed += 1;
                if self.typed == self.sequence.len() {
                    self.typed = 0;
                    return Typed::Detach(passed);
                }
                continue;
            }
            passed.extend_from_slice(&self.sequence[..self.typed]);
            self.typed =
                usize::from(self.sequence.first() == Some(byte) && self.sequence.len() > 1);
            if self.typed == 0 {
                passed.push(*byte);
            }
        }
        Typed::Passed(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        assert_eq!(Keys::parse("ctrl-p,ctrl-q"), Ok(Keys::default()));
        Keys::default()
    }

    /// The sequence is found over several reads, and what only begins like it is passed on.
    #[test]
    fn sequence() {
        assert_eq!(keys().take(b"ls\x10\x11rest"), Typed::Detach(b"ls".to_vec()));
        let mut apart = keys();
        assert_eq!(apart.take(b"a\x10"), Typed::Passed(b"a".to_vec()));
        assert_eq!(apart.take(b"\x11"), Typed::Detach(Vec::new()));
        let mut other = keys();
        assert_eq!(other.take(b"\x10"), Typed::Passed(Vec::new()));
        assert_eq!(other.take(b"x\x10\x10\x11"), Typed::Detach(b"\x10x\x10".to_vec()));
    }

    /// Docker's words for keys.
    #[test]
    fn words() {
        assert_eq!(Keys::parse("ctrl-a,b,ctrl-@").unwrap().sequence, [1, b'b', 0]);
        assert_eq!(Keys::parse("ctrl-").unwrap_err().to_string(), "Unknown character: 'ctrl-'");
        assert!(Keys::parse("").is_err() && Keys::parse("ctrl-5").is_err());
    }
}
