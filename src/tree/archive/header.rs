//! The header blocks of one member.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use rustix::fs::{FileType, Stat};

use crate::tree::SourceKind;
use crate::tree::descent::magic_link;
use crate::tree::manner::Manner;

/// The length of a name that a ustar header has room for; the prefix field is left alone.
const NAME_MAX: usize = 100;
/// XATTR_LIST_MAX, XATTR_SIZE_MAX.
const XATTR_MAX: usize = 64 << 10;

/// What is said of one member before its data.
pub struct Member {
    header: tar::Header,
    path: Vec<u8>,
    link: Vec<u8>,
    /// PAX records: key, value.
    records: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Member {
    /// The member for a file with these attributes.
    pub fn new(path: &[u8], stat: &Stat) -> Self {
        let mut header = tar::Header::new_ustar();
        let kind = FileType::from_raw_mode(stat.st_mode);
        header.set_entry_type(match kind {
            FileType::Directory => tar::EntryType::Directory,
            FileType::Symlink => tar::EntryType::Symlink,
            FileType::Fifo => tar::EntryType::Fifo,
            FileType::CharacterDevice => tar::EntryType::Char,
            FileType::BlockDevice => tar::EntryType::Block,
            _ => tar::EntryType::Regular,
        });
        header.set_mode(stat.st_mode & 0o7777);
        header.set_uid(stat.st_uid.into());
        header.set_gid(stat.st_gid.into());
        let size = if kind == FileType::RegularFile { stat.st_size } else { 0 };
        header.set_size(u64::try_from(size).unwrap_or_default());
        // Both are fields of every ustar header.
        let _ = header.set_device_major(0).and_then(|()| header.set_device_minor(0));
        if matches!(kind, FileType::CharacterDevice | FileType::BlockDevice) {
            let (major, minor) = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
            let _ = header.set_device_major(major).and_then(|()| header.set_device_minor(minor));
        }
        let mut path = path.to_vec();
        if kind == FileType::Directory {
            path.push(b'/');
        }
        let mut member = Self { header, path, link: Vec::new(), records: Vec::new() };
        member.time(stat);
        member
    }

    /// Whole seconds in the header; the rest, and what was before 1970, in a record.
    fn time(&mut self, stat: &Stat) {
        self.header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or_default());
        if stat.st_mtime < 0 || stat.st_mtime_nsec != 0 {
            let nanoseconds = u128::from(stat.st_mtime_nsec);
            let text = match stat.st_mtime {
                0.. => format!("{}.{nanoseconds:09}", stat.st_mtime),
                // The fraction counts forwards, the number backwards.
                before if nanoseconds > 0 => {
                    format!("-{}.{:09}", -(before + 1), 1_000_000_000 - nanoseconds)
                }
                before => before.to_string(),
            };
            self.records.push((b"mtime".to_vec(), text.into_bytes()));
        }
    }

    /// It is a symbolic link to `text`.
    pub fn symlink(&mut self, text: &[u8]) {
        self.link = text.to_vec();
    }

    /// It is one more name for the member at `first`.
    pub fn hard_link(&mut self, first: &[u8]) {
        self.header.set_entry_type(tar::EntryType::Link);
        self.header.set_size(0);
        self.link = first.to_vec();
    }

    /// It is a regular file without content, whatever it was.
    pub fn empty_file(&mut self) {
        self.header.set_entry_type(tar::EntryType::Regular);
        self.header.set_size(0);
        self.header.set_mode(0);
        if self.path.last() == Some(&b'/') {
            self.path.pop();
        }
    }

    /// It has holes: `extents` are its data. Returns the map that comes before the data.
    pub fn sparse(&mut self, extents: &[(u64, u64)], size: u64) -> Vec<u8> {
        let mut map = format!("{}\n", extents.len());
        for (start, length) in extents {
            map += &format!("{start}\n{length}\n");
        }
        let mut map = map.into_bytes();
        map.resize(map.len().next_multiple_of(512), 0);
        let name = std::mem::take(&mut self.path);
        for (key, value) in [
            ("GNU.sparse.major", b"1".to_vec()),
            ("GNU.sparse.minor", b"0".to_vec()),
            ("GNU.sparse.name", name.clone()),
            ("GNU.sparse.realsize", size.to_string().into_bytes()),
        ] {
            self.records.push((key.into(), value));
        }
        // What a reader sees that knows nothing of sparse files.
        let base = name.rsplit(|b| *b == b'/').next().unwrap_or_default();
        self.path = [b"GNUSparseFile.0/", &base[..base.len().min(80)]].concat();
        let stored: u64 = extents.iter().map(|(_, length)| length).sum();
        self.header.set_size(map.len() as u64 + stored);
        map
    }

    /// Adds the extended attributes of an open file.
    pub fn xattrs_of(&mut self, file: BorrowedFd<'_>, manner: Manner) {
        let mut list = vec![0; XATTR_MAX];
        let Ok(length) = rustix::fs::flistxattr(file, &mut list[..]) else { return };
        self.xattrs(&list[..length], manner, |name, value| {
            rustix::fs::fgetxattr(file, name, value)
        });
    }

    /// Adds those of what cannot be opened, by the magic link of its directory.
    pub fn xattrs_of_node(&mut self, (directory, name): (BorrowedFd<'_>, &CStr), manner: Manner) {
        let path = crate::tree::joined(magic_link(directory).as_bytes(), name.to_bytes());
        let mut list = vec![0; XATTR_MAX];
        let Ok(length) = rustix::fs::llistxattr(&path[..], &mut list[..]) else { return };
        self.xattrs(&list[..length], manner, |name, value| {
            rustix::fs::lgetxattr(&path[..], name, value)
        });
    }

    fn xattrs(
        &mut self,
        list: &[u8],
        manner: Manner,
        get: impl Fn(&[u8], &mut [u8]) -> rustix::io::Result<usize>,
    ) {
        let of_overlay = |name: &[u8]| {
            name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.")
        };
        let mut value = vec![0; XATTR_MAX];
        for name in list.split(|b| *b == 0).filter(|name| !name.is_empty()) {
            if manner.kind == SourceKind::Layer && of_overlay(name) {
                continue;
            }
            // What cannot be read, or is gone by now, belongs to the kernel.
            if let Ok(length) = get(name, &mut value) {
                let key = [b"SCHILY.xattr.", name].concat();
                self.records.push((key, value[..length].to_vec()));
            }
        }
    }

    /// The blocks: if need be a PAX header with its records, then the member's own.
    pub fn blocks(&self) -> Vec<u8> {
        let mut records = self.records.clone();
        let mut header = self.header.clone();
        for (key, value) in [(&b"path"[..], &self.path), (b"linkpath", &self.link)] {
            if value.len() > NAME_MAX {
                records.push((key.to_vec(), value.clone()));
            }
        }
        let old = header.as_old_mut();
        put(&mut old.name, &self.path);
        put(&mut old.linkname, &self.link);
        let mut blocks = Vec::new();
        if !records.is_empty() {
            let data: Vec<u8> =
                records.iter().flat_map(|(key, value)| record(key, value)).collect();
            let mut pax = tar::Header::new_ustar();
            pax.set_entry_type(tar::EntryType::XHeader);
            pax.set_mode(0o644);
            pax.set_uid(0);
            pax.set_gid(0);
            pax.set_mtime(0);
            pax.set_size(data.len() as u64);
            let base = self.path.rsplit(|b| *b == b'/').find(|part| !part.is_empty());
            put(&mut pax.as_old_mut().name, &[b"PaxHeaders/", base.unwrap_or_default()].concat());
            pax.set_cksum();
            blocks.extend_from_slice(pax.as_bytes());
            blocks.extend_from_slice(&data);
            blocks.resize(blocks.len().next_multiple_of(512), 0);
        }
        header.set_cksum();
        blocks.extend_from_slice(header.as_bytes());
        blocks
    }
}

/// As much of `text` as the field has room for.
fn put(field: &mut [u8; NAME_MAX], text: &[u8]) {
    let length = text.len().min(NAME_MAX);
    field.fill(0);
    field[..length].copy_from_slice(&text[..length]);
}

/// `<length> <key>=<value>\n`, where the length counts itself.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + rest.to_string().len();
    if length.to_string().len() > rest.to_string().len() {
        length = rest + length.to_string().len();
    }
    [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The length of a record counts its own digits, also where these make it one digit longer.
    #[test]
    fn records_count_themselves() {
        for length in (0..200).chain(980..1010) {
            let made = record(b"k", &vec![b'v'; length]);
            let said = made.split(|b| *b == b' ').next().unwrap();
            assert_eq!(std::str::from_utf8(said).unwrap().parse(), Ok(made.len()), "{length}");
        }
    }
}
