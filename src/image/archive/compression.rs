//! gzip and zstd, recognised by their first bytes and unpacked in this process: no program found
//! in a search path, or in an image, ever sees the data.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use crate::image::limits::Limits;

/// How a stream is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, one or several members.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// Packed in a way that is not supported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the archive is compressed with {program}, which is not supported")]
pub struct Unsupported {
    /// The program that unpacks it.
    pub program: &'static str,
}

/// Recognises the packing by the first bytes of a stream.
pub fn detect(start: &[u8]) -> Result<Compression, Unsupported> {
    let known: [(&[u8], Result<Compression, &'static str>); 6] = [
        (b"\x1f\x8b", Ok(Compression::Gzip)),
        (b"\x28\xb5\x2f\xfd", Ok(Compression::Zstd)),
        (b"\xfd7zXZ\0", Err("xz")),
        (b"BZh", Err("bzip2")),
        (b"\x04\x22\x4d\x18", Err("lz4")),
        (b"\x1f\x9d", Err("uncompress")),
    ];
    let found = known.into_iter().find(|(magic, _)| start.starts_with(magic));
    // A tar archive may begin with the name "BZh…": its magic is at a fixed place.
    if start.get(257..262) == Some(b"ustar") {
        return Ok(Compression::None);
    }
    match found {
        Some((_, known)) => known.map_err(|program| Unsupported { program }),
        None => Ok(Compression::None),
    }
}

/// Looks at the first bytes of a stream, and gives it back whole.
pub fn look<R: Read>(mut input: R) -> io::Result<(Compression, impl Read + use<R>)> {
    let mut start = Vec::new();
    input.by_ref().take(512).read_to_end(&mut start)?;
    let compression = detect(&start).map_err(io::Error::other)?;
    Ok((compression, io::Cursor::new(start).chain(input)))
}

/// Counts what is read.
pub struct Counted<R> {
    input: R,
    taken: Rc<Cell<u64>>,
}

impl<R: Read> Counted<R> {
    /// Counts what is read of `input`.
    pub fn new(input: R) -> Self {
        Self { input, taken: Rc::default() }
    }

    /// The count, to be looked at while the stream is lent out.
    pub fn taken(&self) -> Rc<Cell<u64>> {
        self.taken.clone()
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.taken.set(self.taken.get() + read as u64);
        Ok(read)
    }
}

/// Reads what a packed stream unpacks to, and stops when that grows out of proportion.
pub struct Unpacker<R: BufRead> {
    decoder: Decoder<R>,
    limits: Limits,
    packed: Rc<Cell<u64>>,
    unpacked: u64,
}

enum Decoder<R: BufRead> {
    Plain(R),
    Gzip(Box<flate2::bufread::MultiGzDecoder<R>>),
    Zstd(zstd::Decoder<'static, R>),
}

impl<R: BufRead> Unpacker<R> {
    /// Unpacks `input`. `packed` tells how many bytes were read of it so far.
    pub fn new(
        input: R,
        compression: Compression,
        packed: Rc<Cell<u64>>,
        limits: &Limits,
    ) -> io::Result<Self> {
        let decoder = match compression {
            Compression::None => Decoder::Plain(input),
            Compression::Gzip => {
                Decoder::Gzip(Box::new(flate2::bufread::MultiGzDecoder::new(input)))
            }
            Compression::Zstd => Decoder::Zstd(zstd::Decoder::with_buffer(input)?),
        };
        Ok(Self { decoder, limits: limits.clone(), packed, unpacked: 0 })
    }

    /// The packed stream.
    pub fn into_inner(self) -> R {
        match self.decoder {
            Decoder::Plain(input) => input,
            Decoder::Gzip(decoder) => decoder.into_inner(),
            Decoder::Zstd(decoder) => decoder.finish(),
        }
    }
}

impl<R: BufRead> Read for Unpacker<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.decoder {
            Decoder::Plain(input) => return input.read(buffer),
            Decoder::Gzip(decoder) => decoder.read(buffer),
            Decoder::Zstd(decoder) => decoder.read(buffer),
        }
        .map_err(|e| io::Error::new(e.kind(), format!("the compressed data is damaged: {e}")))?;
        self.unpacked += read as u64;
        self.limits.check_unpacked(self.packed.get(), self.unpacked).map_err(io::Error::other)?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known by the first bytes; a tar whose first name looks like a magic is a tar.
    #[test]
    fn recognised() {
        let mut tar = [0u8; 512];
        tar[..3].copy_from_slice(b"BZh");
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(detect(&tar), Ok(Compression::None));
        assert_eq!(detect(b"BZh91AY"), Err(Unsupported { program: "bzip2" }));
        assert_eq!(detect(b"\x1f\x8b\x08"), Ok(Compression::Gzip));
        assert_eq!(detect(b""), Ok(Compression::None));
    }
}
