//! Sparse files: the three ways GNU tar writes down where the data is.

use std::io::BufRead;

use tar::{GnuExtSparseHeader, GnuSparseHeader, Header};

use super::block;
use super::field::number;
use super::pax::{self, decimal};
use super::{ArchiveError, Extent};

/// More stretches than this in one file are not credible, and each costs memory.
const MAX_EXTENTS: usize = 1 << 20;

/// The map of an old GNU sparse entry: four places in the header, more in blocks after it.
pub fn old_gnu(
    input: &mut impl BufRead,
    header: &Header,
    path: &[u8],
) -> Result<(u64, Vec<Extent>), ArchiveError> {
    let bad = |why: &str| ArchiveError::entry(path, why);
    let gnu = header.as_gnu().ok_or_else(|| bad("a sparse entry without a GNU header"))?;
    let real_size = number(&gnu.realsize)
        .and_then(|n| u64::try_from(n).ok())
        .ok_or_else(|| bad("the size of the sparse file is no number"))?;
    let mut extents = Vec::new();
    take_places(&gnu.sparse, &mut extents, path)?;
    let mut more = gnu.isextended[0] == 1;
    while more {
        let mut block = GnuExtSparseHeader::new();
        let name = String::from_utf8_lossy(path);
        *block.as_mut_bytes() = block::read(input, &name)?;
        take_places(&block.sparse, &mut extents, path)?;
        more = block.isextended[0] == 1;
        if extents.len() > MAX_EXTENTS {
            return Err(bad("too many stretches in a sparse file"));
        }
    }
    Ok((real_size, extents))
}

fn take_places(
    places: &[GnuSparseHeader],
    extents: &mut Vec<Extent>,
    path: &[u8],
) -> Result<(), ArchiveError> {
    for place in places.iter().filter(|p| p.offset[0] != 0 && p.numbytes[0] != 0) {
        let read = |field: &[u8]| number(field).and_then(|n| u64::try_from(n).ok());
        let (Some(offset), Some(length)) = (read(&place.offset), read(&place.numbytes)) else {
            return Err(ArchiveError::entry(path, "the sparse map has no valid numbers"));
        };
        extents.push(Extent { offset, length });
    }
    Ok(())
}

/// The map of PAX format 1.0: lines of decimal numbers in front of the data, padded to a block.
/// Also returns how many bytes of the entry it took.
pub fn pax_1_0(
    input: &mut impl BufRead,
    stored: u64,
    path: &[u8],
) -> Result<(Vec<Extent>, u64), ArchiveError> {
    let bad = || ArchiveError::entry(path, "the sparse map has no valid numbers");
    let mut text: Vec<u8> = Vec::new();
    let mut taken = 0u64;
    let mut numbers: Vec<u64> = Vec::new();
    let mut wanted = 1usize;
    while numbers.len() < wanted {
        if let Some(end) = text.iter().position(|b| *b == b'\n') {
            numbers.push(decimal(&text[..end]).ok_or_else(bad)?);
            text.drain(..=end);
            if numbers.len() == 1 {
                let count = usize::try_from(numbers[0]).map_err(|_| bad())?;
                if count > MAX_EXTENTS {
                    return Err(ArchiveError::entry(path, "too many stretches in a sparse file"));
                }
                wanted = 1 + 2 * count;
            }
            continue;
        }
        if taken + 512 > stored || text.len() > 32 {
            return Err(bad());
        }
        text.extend(block::read(input, &String::from_utf8_lossy(path))?);
        taken += 512;
    }
    let extents =
        numbers[1..].chunks_exact(2).map(|p| Extent { offset: p[0], length: p[1] }).collect();
    Ok((extents, taken))
}

/// Which format do the records ask for? `None` for 1.0, whose map stands in the data.
pub fn map_in_records(
    sparse: pax::Sparse,
    path: &[u8],
) -> Result<Option<Vec<Extent>>, ArchiveError> {
    match (sparse.major, sparse.minor, sparse.map) {
        (Some(1), Some(0), None) => Ok(None),
        (None | Some(0), _, Some(map)) if map.len() <= MAX_EXTENTS => Ok(Some(map)),
        _ => Err(ArchiveError::entry(path, "an unknown format of sparse files")),
    }
}

/// Is the map in order, inside the file, and as long as the stored data?
pub fn check(
    extents: &[Extent],
    real_size: u64,
    stored: u64,
    path: &[u8],
) -> Result<(), ArchiveError> {
    let bad = |why: &str| Err(ArchiveError::entry(path, why));
    let mut end = 0u64;
    let mut sum = 0u64;
    for extent in extents {
        let Some(next) = extent.offset.checked_add(extent.length) else {
            return bad("the sparse map has no valid numbers");
        };
        if extent.offset < end || next > real_size {
            return bad("the sparse map overlaps itself or leaves the file");
        }
        end = next;
        sum += extent.length;
    }
    if sum != stored {
        return bad("the sparse map and the size of the entry disagree");
    }
    Ok(())
}
