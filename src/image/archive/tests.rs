//! Archives made block by block, as well-meaning and hostile writers make them.

use std::io::{BufRead, Read};

use super::*;

/// An archive in memory.
#[derive(Default, Clone)]
pub(in crate::image) struct Blocks(pub Vec<u8>);

/// A header with nothing but a type and a path.
pub(in crate::image) fn header(kind: u8, path: &[u8]) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.as_old_mut().name[..path.len()].copy_from_slice(path);
    header.as_old_mut().linkflag = [kind];
    header.set_mode(0o644);
    header.set_uid(rustix::process::getuid().as_raw().into());
    header.set_gid(rustix::process::getgid().as_raw().into());
    header.set_mtime(981_173_106);
    header.set_size(0);
    header
}

/// One PAX record with its length.
pub(in crate::image) fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
    let mut length = rest.len() + 1;
    while length.to_string().len() + rest.len() != length {
        length += 1;
    }
    [length.to_string().as_bytes(), &rest].concat()
}

impl Blocks {
    /// Adds a header and data as they are: only the checksum is set.
    pub fn raw(mut self, mut header: tar::Header, data: &[u8]) -> Self {
        header.set_cksum();
        self.0.extend(header.as_bytes());
        self.0.extend(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// Adds an entry without data.
    pub fn bare(self, kind: u8, path: &str) -> Self {
        self.raw(header(kind, path.as_bytes()), b"")
    }

    /// Adds a file.
    pub fn file(self, path: &str, data: &[u8]) -> Self {
        self.meta(b'0', path, data)
    }

    /// Adds a symbolic or hard link.
    pub fn link(self, kind: u8, path: &str, target: &str) -> Self {
        let mut link = header(kind, path.as_bytes());
        link.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        self.raw(link, b"")
    }

    /// Adds an entry of any type with data.
    pub fn meta(self, kind: u8, path: &str, data: &[u8]) -> Self {
        let mut header = header(kind, path.as_bytes());
        header.set_size(data.len() as u64);
        self.raw(header, data)
    }

    /// Adds PAX records for the next entry.
    pub fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let data: Vec<u8> = records.iter().flat_map(|(k, v)| record(k, v)).collect();
        self.meta(b'x', "PaxHeaders/x", &data)
    }

    /// Adds the end.
    pub fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }
}

/// All entries with their data, or the error's words.
fn entries(archive: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, String> {
    let mut reader = Reader::new(archive);
    let mut all = Vec::new();
    loop {
        let entry = match reader.next_entry() {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(all),
            Err(e) => return Err(e.to_string()),
        };
        let mut data = Vec::new();
        reader.body().read_to_end(&mut data).unwrap();
        all.push((entry, data));
    }
}

fn paths(archive: &[u8]) -> Vec<String> {
    let all = entries(archive).unwrap();
    all.into_iter().map(|(e, _)| String::from_utf8(e.path).unwrap()).collect()
}

/// What GNU tar, Go and libarchive write: long names, prefixes, PAX, no end at all.
#[test]
fn names_and_ends() {
    let long = "d/".repeat(80) + "f";
    let mut prefixed = header(b'0', b"name");
    prefixed.as_ustar_mut().unwrap().prefix[..3].copy_from_slice(b"dir");
    let archive = Blocks::default()
        .raw(prefixed, b"")
        .meta(b'L', "././@LongLink", &[long.as_bytes(), b"\0"].concat())
        .file("short", b"data")
        .pax(&[("path", b"from pax"), ("path", b"last counts")])
        .bare(b'0', "x")
        .meta(b'g', "pax_global_header", &record("comment", b"0123456789abcdef"))
        .meta(b'V', "label", b"")
        .bare(0, "old/");
    let wanted = ["dir/name", &long, "last counts", "old/"];
    assert_eq!(paths(&archive.clone().end()), wanted);
    assert_eq!(paths(&archive.0), wanted);
    let kinds = entries(&archive.0).unwrap();
    assert_eq!((&kinds[1].1[..], &kinds[3].0.kind), (&b"data"[..], &Kind::Directory));
    // umoci's layers end with the data.
    let unpadded = Blocks::default().file("f", b"data").0;
    assert_eq!(paths(&unpadded[..516]), ["f"]);
    let only_zeros = [0; 10240];
    assert_eq!(paths(&only_zeros), [""; 0]);
}

/// Entries are skipped with their padding when nobody reads them.
#[test]
fn unread_bodies_are_skipped() {
    let archive = Blocks::default().file("a", &[1; 700]).file("b", &[2; 512]).file("c", b"").end();
    let mut reader = Reader::new(&archive[..]);
    let mut sizes = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        reader.body().consume(usize::from(entry.size_bytes > 0));
        sizes.push(entry.size_bytes);
    }
    assert_eq!(sizes, [700, 512, 0]);
}

/// The three ways to write a sparse file give the same map.
#[test]
fn sparse_files() {
    let mut old = tar::Header::new_gnu();
    old.set_path("old").unwrap();
    old.as_old_mut().linkflag = [b'S'];
    old.set_mode(0o644);
    old.set_uid(0);
    old.set_gid(0);
    old.set_mtime(0);
    old.set_size(5);
    let gnu = old.as_gnu_mut().unwrap();
    gnu.set_real_size(9000);
    for (at, (offset, length)) in [(10, 2), (4096, 2), (5000, 0), (8000, 1)].iter().enumerate() {
        gnu.sparse[at].set_offset(*offset);
        gnu.sparse[at].set_length(*length);
    }
    let one = b"4\n10\n2\n4096\n2\n5000\n0\n8000\n1\n";
    let mut with_map = one.to_vec();
    with_map.resize(512, 0);
    with_map.extend(b"abcde");
    let archive = Blocks::default()
        .raw(old, b"abcde")
        .pax(&[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"one"),
            ("GNU.sparse.realsize", b"9000"),
        ])
        .file("GNUSparseFile.1/one", &with_map)
        .pax(&[
            ("GNU.sparse.size", b"9000"),
            ("GNU.sparse.numblocks", b"4"),
            ("GNU.sparse.name", b"zero"),
            ("GNU.sparse.map", b"10,2,4096,2,5000,0,8000,1"),
        ])
        .file("x", b"abcde")
        .file("after", b"")
        .end();
    let all = entries(&archive).unwrap();
    let extent = |offset, length| Extent { offset, length };
    let map = vec![extent(10, 2), extent(4096, 2), extent(5000, 0), extent(8000, 1)];
    for (entry, data) in &all[..3] {
        assert_eq!(entry.kind, Kind::File(Content::Sparse(map.clone())), "{entry:?}");
        assert_eq!((entry.size_bytes, &data[..]), (9000, &b"abcde"[..]));
    }
    assert_eq!(paths(&archive), ["old", "one", "zero", "after"]);
}

/// A file larger than the octal field can say so in PAX, and only then.
#[test]
fn huge_sizes() {
    let size = (1u64 << 34).to_string();
    let mut huge = header(b'0', b"huge");
    huge.as_old_mut().size = *b"00000000000\0";
    let archive = Blocks::default().pax(&[("size", size.as_bytes())]).raw(huge, b"").0;
    let mut reader = Reader::new(&archive[..]);
    assert_eq!(reader.next_entry().unwrap().unwrap().size_bytes, 1 << 34);
}

/// What two readers could understand differently, and what is no archive.
#[test]
fn refused() {
    let new = Blocks::default;
    let sparse = |map: &'static [u8]| {
        new().pax(&[("GNU.sparse.size", b"100"), ("GNU.sparse.map", map)]).file("s", b"ab")
    };
    let mut bad_sum = new().file("a", b"x").file("b", b"").0;
    bad_sum[1024] ^= 1;
    let mut lone_zeros = new().file("a", b"").0;
    lone_zeros.extend([0; 512]);
    lone_zeros.extend(new().file("hidden", b"").0);
    let mut no_owner = header(b'0', b"f");
    no_owner.set_uid(u32::MAX.into());
    let cases: [(&str, Vec<u8>); 23] = [
        ("the archive is empty", vec![]),
        ("this is not a tar archive", vec![b'#'; 600]),
        ("this is not a tar archive: it is text", vec![b'#'; 100]),
        ("cut off in the middle of its first block", new().file("a", &[1]).0[..150].into()),
        ("after \"a\" is damaged: wrong checksum", bad_sum),
        ("after \"a\" is damaged: a block of zeros, and then more", lone_zeros),
        ("cut off in the middle of a", new().file("a", &[1; 600]).0[..1000].into()),
        ("cut off in the middle of an entry's headers", new().pax(&[("path", b"x")]).0),
        ("PAX size 5 and its header's size 3", new().pax(&[("size", b"5")]).file("f", b"abc").0),
        ("PAX size 0 and its header's size 3", new().pax(&[("size", b"0")]).file("f", b"abc").0),
        ("has no valid value", new().pax(&[("size", b"-1")]).file("f", b"abc").0),
        ("malformed PAX record", new().meta(b'x', "p", b"99 path=x\n").file("f", b"").0),
        (
            "PAX name and its GNU name disagree",
            new().pax(&[("path", b"a")]).meta(b'L', "l", b"b\0").file("f", b"").0,
        ),
        ("twice for one entry", new().pax(&[]).pax(&[]).file("f", b"").0),
        ("global PAX header with a meaning", new().meta(b'g', "g", &record("path", b"/x")).0),
        ("larger than 1 MiB", new().meta(b'L', "l", &vec![b'a'; (1 << 20) + 1]).0),
        ("data behind an entry", new().meta(b'5', "d", b"hidden").0),
        ("a NUL in its name", new().pax(&[("path", b"a\0b")]).file("f", b"").0),
        ("its uid is no valid number", new().raw(no_owner, b"").0),
        ("unknown type 'Q'", new().bare(b'Q', "q").0),
        ("overlaps itself or leaves", sparse(b"0,1,0,1").0),
        ("overlaps itself or leaves", sparse(b"0,1,100,1").0),
        ("the size of the entry disagree", sparse(b"0,1").0),
    ];
    for (words, archive) in cases {
        let error = entries(&archive).expect_err(words);
        assert!(error.contains(words), "{error:?} does not say {words:?}");
    }
}
