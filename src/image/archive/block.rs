//! The unit of a tar archive: 512 bytes.

use std::io::{self, BufRead};

use super::ArchiveError;

/// The size of a block.
pub const BLOCK: usize = 512;

/// Reads one block. `within` is for the error.
pub fn read(input: &mut impl BufRead, within: &str) -> Result<[u8; BLOCK], ArchiveError> {
    let mut block = [0; BLOCK];
    match input.read_exact(&mut block) {
        Ok(()) => Ok(block),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
            Err(ArchiveError::Truncated { within: within.into() })
        }
        Err(e) => Err(ArchiveError::Read(e)),
    }
}
