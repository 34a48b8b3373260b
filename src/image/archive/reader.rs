//! From blocks to entries.

use std::io::{self, BufRead, Read};

use tar::Header;

use super::block::{self, BLOCK};
use super::pax::{self, Records};
use super::{ArchiveError, Attributes, Content, Device, Entry, Kind, Time, field, looks, sparse};

/// The most that a long name or the PAX records of one entry may take in memory.
const MAX_META_BYTES: u64 = 1 << 20;
/// The largest size that fits into the block's own field; only a larger one may differ from it.
const MAX_OCTAL_SIZE: u64 = 0o777_7777_7777;

/// Reads entries one by one.
pub struct Reader<R> {
    input: R,
    /// What is left of the current entry's stored data, and the padding after it.
    left: u64,
    padding: u64,
    /// The last path seen, for errors about what comes after it.
    last: String,
    started: bool,
}

/// What came before an entry's own block.
#[derive(Default)]
struct Ahead {
    records: Option<Records>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl<R: BufRead> Reader<R> {
    /// Starts to read an archive.
    pub fn new(input: R) -> Self {
        Self { input, left: 0, padding: 0, last: String::new(), started: false }
    }

    /// The next entry; what was not read of the one before is skipped.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ArchiveError> {
        let mut ahead = Ahead::default();
        loop {
            self.skip_rest()?;
            let Some(block) = self.next_header()? else {
                if ahead.records.is_some() || ahead.long_name.is_some() || ahead.long_link.is_some()
                {
                    return Err(ArchiveError::Truncated { within: "an entry's headers".into() });
                }
                return Ok(None);
            };
            let header = Header::from_byte_slice(&block);
            let path = field::path(header);
            self.last = String::from_utf8_lossy(&path).into_owned();
            match header.as_old().linkflag[0] {
                b'x' => {
                    let data = self.meta(header, &path)?;
                    once(&mut ahead.records, pax::parse(&path, &data)?, &path)?;
                }
                b'g' => {
                    if !pax::global_is_harmless(&self.meta(header, &path)?) {
                        return Err(ArchiveError::entry(
                            &path,
                            "a global PAX header with a meaning",
                        ));
                    }
                }
                b'L' => {
                    let name = self.meta(header, &path)?;
                    once(&mut ahead.long_name, field::text(&name).to_vec(), &path)?;
                }
                b'K' => {
                    let name = self.meta(header, &path)?;
                    once(&mut ahead.long_link, field::text(&name).to_vec(), &path)?;
                }
                b'V' => self.set_body(own_size(header, &path)?),
                _ => return self.entry(header, ahead).map(Some),
            }
        }
    }

    /// The stored data of the current entry.
    pub fn body(&mut self) -> Body<'_, R> {
        Body { reader: self }
    }

    /// The stream below, after the end of the archive.
    pub fn into_inner(self) -> R {
        self.input
    }

    fn set_body(&mut self, stored: u64) {
        self.left = stored;
        self.padding = (BLOCK as u64 - stored % BLOCK as u64) % BLOCK as u64;
    }

    fn skip_rest(&mut self) -> Result<(), ArchiveError> {
        while self.left > 0 {
            if self.skip_some()? == 0 {
                return Err(ArchiveError::Truncated { within: self.last.clone() });
            }
        }
        // Some writers end in the middle of the last padding (umoci does), and no data is lost.
        self.left = std::mem::take(&mut self.padding);
        while self.left > 0 && self.skip_some()? > 0 {}
        self.left = 0;
        Ok(())
    }

    fn skip_some(&mut self) -> Result<usize, ArchiveError> {
        let read = self.body().fill_buf().map_err(ArchiveError::Read)?.len();
        self.body().consume(read);
        Ok(read)
    }

    /// The next block that is a header; `None` at the end of the archive.
    ///
    /// The end is two blocks of zeros. That many writers leave out one or both is accepted; a
    /// block of zeros followed by more entries is not, since readers disagree on it.
    fn next_header(&mut self) -> Result<Option<[u8; BLOCK]>, ArchiveError> {
        if self.at_end()? {
            return if self.started { Ok(None) } else { Err(ArchiveError::Empty) };
        }
        let first = !std::mem::replace(&mut self.started, true);
        let block =
            if first { self.first_block()? } else { block::read(&mut self.input, "a header")? };
        if block.iter().all(|b| *b == 0) {
            if !self.at_end()? && block::read(&mut self.input, "its end")?.iter().any(|b| *b != 0) {
                return Err(self.damaged("a block of zeros, and then more"));
            }
            return Ok(None);
        }
        match field::checksum_fits(&block) {
            true => Ok(Some(block)),
            false if first => Err(ArchiveError::NotTar { looks: looks::like(&block) }),
            false => Err(self.damaged("wrong checksum")),
        }
    }

    /// A file that has not even one block is no archive that was cut off, if it is known.
    fn first_block(&mut self) -> Result<[u8; BLOCK], ArchiveError> {
        let mut start = Vec::with_capacity(BLOCK);
        let taken = self.input.by_ref().take(BLOCK as u64).read_to_end(&mut start);
        taken.map_err(ArchiveError::Read)?;
        start.try_into().map_err(|short: Vec<u8>| match looks::like(&short) {
            None => ArchiveError::Truncated { within: "its first block".into() },
            looks => ArchiveError::NotTar { looks },
        })
    }

    fn at_end(&mut self) -> Result<bool, ArchiveError> {
        self.input.fill_buf().map(<[u8]>::is_empty).map_err(ArchiveError::Read)
    }

    fn damaged(&self, why: &'static str) -> ArchiveError {
        ArchiveError::Damaged { after: self.last.clone(), why }
    }

    /// The data of an entry that describes another one.
    fn meta(&mut self, header: &Header, path: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        let size = own_size(header, path)?;
        if size > MAX_META_BYTES {
            return Err(ArchiveError::entry(path, "its headers are larger than 1 MiB"));
        }
        self.set_body(size);
        let mut data = Vec::new();
        self.body().read_to_end(&mut data).map_err(ArchiveError::Read)?;
        if self.left > 0 {
            return Err(ArchiveError::Truncated { within: self.last.clone() });
        }
        Ok(data)
    }

    fn entry(&mut self, header: &Header, ahead: Ahead) -> Result<Entry, ArchiveError> {
        let mut records = ahead.records.unwrap_or_default();
        let path = choose(ahead.long_name, records.sparse.name.take().or(records.path.take()))?
            .unwrap_or_else(|| field::path(header));
        self.last = String::from_utf8_lossy(&path).into_owned();
        let link = choose(ahead.long_link, records.link.take())?
            .unwrap_or_else(|| field::text(&header.as_old().linkname).to_vec());
        if path.contains(&0) || link.contains(&0) {
            return Err(ArchiveError::entry(&path, "a NUL in its name"));
        }
        let stored = stored_size(header, &records, &path)?;
        let kind = kind(header, &path, link)?;
        if stored != 0 && !matches!(kind, Kind::File(_)) {
            return Err(ArchiveError::entry(&path, "data behind an entry that can have none"));
        }
        let attributes = attributes(header, &mut records, &path)?;
        let mut entry = Entry { path, kind, size_bytes: stored, attributes };
        self.set_body(stored);
        if header.as_old().linkflag[0] == b'S' {
            let (size, extents) = sparse::old_gnu(&mut self.input, header, &entry.path)?;
            self.make_sparse(&mut entry, size, extents)?;
        } else if records.sparse.is_present() {
            self.pax_sparse(&mut entry, records.sparse)?;
        }
        Ok(entry)
    }

    fn pax_sparse(&mut self, entry: &mut Entry, map: pax::Sparse) -> Result<(), ArchiveError> {
        let Some(size) = map.real_size else {
            return Err(ArchiveError::entry(&entry.path, "a sparse file without a size"));
        };
        let extents = match sparse::map_in_records(map, &entry.path)? {
            Some(extents) => extents,
            None => {
                let (extents, taken) = sparse::pax_1_0(&mut self.input, self.left, &entry.path)?;
                self.left -= taken;
                extents
            }
        };
        self.make_sparse(entry, size, extents)
    }

    fn make_sparse(
        &mut self,
        entry: &mut Entry,
        size: u64,
        extents: Vec<super::Extent>,
    ) -> Result<(), ArchiveError> {
        if !matches!(entry.kind, Kind::File(_)) {
            return Err(ArchiveError::entry(&entry.path, "a sparse map for what is no file"));
        }
        sparse::check(&extents, size, self.left, &entry.path)?;
        entry.size_bytes = size;
        entry.kind = Kind::File(Content::Sparse(extents));
        Ok(())
    }
}

/// The stored data of one entry, and no byte more.
pub struct Body<'a, R> {
    reader: &'a mut Reader<R>,
}

impl<R: BufRead> BufRead for Body<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.reader.left == 0 {
            return Ok(&[]);
        }
        let data = self.reader.input.fill_buf()?;
        let most = usize::try_from(self.reader.left).unwrap_or(usize::MAX);
        Ok(&data[..data.len().min(most)])
    }

    fn consume(&mut self, amount: usize) {
        self.reader.input.consume(amount);
        self.reader.left = self.reader.left.saturating_sub(amount as u64);
    }
}

impl<R: BufRead> Read for Body<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let data = self.fill_buf()?;
        let length = data.len().min(buffer.len());
        buffer[..length].copy_from_slice(&data[..length]);
        self.consume(length);
        Ok(length)
    }
}

fn once<T>(slot: &mut Option<T>, value: T, path: &[u8]) -> Result<(), ArchiveError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(ArchiveError::entry(path, "the same kind of header twice for one entry")),
    }
}

/// GNU's long name and PAX's may both be there; if they disagree, readers would too.
fn choose(gnu: Option<Vec<u8>>, pax: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, ArchiveError> {
    match (gnu, pax) {
        (Some(gnu), Some(pax)) if gnu != pax => {
            Err(ArchiveError::entry(&pax, "its PAX name and its GNU name disagree"))
        }
        (gnu, pax) => Ok(pax.or(gnu)),
    }
}

/// How many bytes are stored behind a header that no PAX record describes.
fn own_size(header: &Header, path: &[u8]) -> Result<u64, ArchiveError> {
    field::number(&header.as_old().size)
        .and_then(|n| u64::try_from(n).ok())
        .ok_or_else(|| ArchiveError::entry(path, "its size is no number"))
}

/// How many bytes are stored for an entry (RUSTSEC-2026-0068 and its kin: a size that means one
/// thing to us and another to the next reader hides entries from one of both).
fn stored_size(header: &Header, records: &Records, path: &[u8]) -> Result<u64, ArchiveError> {
    let own = own_size(header, path)?;
    match records.size {
        None => Ok(own),
        Some(size) if size == own => Ok(size),
        // Too large for the field: writers then leave 0 or the largest number there.
        Some(size) if size > MAX_OCTAL_SIZE && (own == 0 || own == MAX_OCTAL_SIZE) => Ok(size),
        Some(size) => Err(ArchiveError::entry(
            path,
            format!("its PAX size {size} and its header's size {own} disagree"),
        )),
    }
}

fn kind(header: &Header, path: &[u8], link: Vec<u8>) -> Result<Kind, ArchiveError> {
    let flag = header.as_old().linkflag[0];
    Ok(match flag {
        // Before POSIX a directory was a file whose name ends in a slash.
        0 | b'0' | b'7' if path.ends_with(b"/") => Kind::Directory,
        0 | b'0' | b'7' | b'S' => Kind::File(Content::Dense),
        b'1' => Kind::HardLink(link),
        b'2' => Kind::Symlink(link),
        b'3' => Kind::CharDevice(device(header, path)?),
        b'4' => Kind::BlockDevice(device(header, path)?),
        b'5' => Kind::Directory,
        b'6' => Kind::Fifo,
        _ => {
            let why = format!("unknown type {:?}", char::from(flag));
            return Err(ArchiveError::entry(path, why));
        }
    })
}

fn device(header: &Header, path: &[u8]) -> Result<Device, ArchiveError> {
    let read = |field: &[u8]| field::number(field).and_then(|n| u32::try_from(n).ok());
    let numbers = match (header.as_ustar(), header.as_gnu()) {
        (Some(h), _) => (read(&h.dev_major), read(&h.dev_minor)),
        (_, Some(h)) => (read(&h.dev_major), read(&h.dev_minor)),
        _ => (None, None),
    };
    match numbers {
        (Some(major), Some(minor)) => Ok(Device { major, minor }),
        _ => Err(ArchiveError::entry(path, "a device without valid numbers")),
    }
}

fn attributes(
    header: &Header,
    records: &mut Records,
    path: &[u8],
) -> Result<Attributes, ArchiveError> {
    let bad = |what: &str| ArchiveError::entry(path, format!("its {what} is no valid number"));
    // -1 is "no change" to chown, so it is no id.
    let id = |pax: Option<u64>, own: &[u8]| {
        let value = match pax {
            Some(value) => Some(value),
            None => field::number(own).and_then(|n| u64::try_from(n).ok()),
        };
        value.and_then(|n| u32::try_from(n).ok()).filter(|n| *n != u32::MAX)
    };
    let old = header.as_old();
    let mode = field::number(&old.mode).ok_or_else(|| bad("mode"))?;
    let own_time = field::number(&old.mtime).ok_or_else(|| bad("mtime"))?;
    Ok(Attributes {
        uid: id(records.uid, &old.uid).ok_or_else(|| bad("uid"))?,
        gid: id(records.gid, &old.gid).ok_or_else(|| bad("gid"))?,
        mode: u32::try_from(mode & 0o7777).unwrap_or_default(),
        modified: records.modified.unwrap_or(Time { seconds: own_time, nanoseconds: 0 }),
        accessed: records.accessed,
        xattrs: std::mem::take(&mut records.xattrs),
    })
}
