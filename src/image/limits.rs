//! What an archive may cost before it is taken for a bomb.

/// Generous bounds: real images stay far below them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The most entries in one layer.
    pub entries: u64,
    /// The most bytes of one layer or archive, unpacked.
    pub bytes: u64,
    /// The most that compressed data may grow, as a factor…
    pub ratio: u64,
    /// …from this size on. Below it any factor is fine: a log of blanks shrinks a thousandfold.
    pub ratio_from_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 1 << 22, bytes: 256 << 30, ratio: 200, ratio_from_bytes: 1 << 30 }
    }
}

/// A bound was passed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Too many entries.
    #[error("the archive has more than {0} entries")]
    Entries(u64),
    /// Too much data.
    #[error("the archive unpacks to more than {0} bytes")]
    Bytes(u64),
    /// Too well compressed to be honest.
    #[error("the archive unpacks to more than {0} times its size: a compression bomb?")]
    Ratio(u64),
}

impl Limits {
    /// Is so much data out of so much still credible?
    pub fn check_unpacked(&self, packed: u64, unpacked: u64) -> Result<(), LimitError> {
        if unpacked > self.bytes {
            return Err(LimitError::Bytes(self.bytes));
        }
        if unpacked > self.ratio_from_bytes && unpacked / self.ratio > packed {
            return Err(LimitError::Ratio(self.ratio));
        }
        Ok(())
    }

    /// Is this many entries still credible?
    pub fn check_entries(&self, entries: u64) -> Result<(), LimitError> {
        if entries > self.entries { Err(LimitError::Entries(self.entries)) } else { Ok(()) }
    }
}
