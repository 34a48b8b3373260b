//! What the path of an archive's member names inside the layer.

use super::LayerError;

/// The longest path that a member may have: PATH_MAX with room for the store's own part.
const MAX_PATH: usize = 4000;
/// The prefix that AUFS gave to its marks, which the image formats kept.
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
const AUFS_OWN: &[u8] = b".wh..wh.";

/// What a member's path means.
#[derive(Debug, PartialEq, Eq)]
pub enum Member {
    /// The layer's root itself.
    Root,
    /// Something at this place.
    At(Place),
    /// This place does not exist, whatever the layers below say.
    Whiteout(Place),
    /// Of this directory nothing of the layers below is seen.
    Opaque(Vec<u8>),
    /// AUFS's own records, without meaning here.
    Nothing,
}

/// A clean path, taken apart: the directory ("" for the root) and the name in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The directory.
    pub directory: Vec<u8>,
    /// The last component: never empty, `.` or `..`.
    pub name: Vec<u8>,
}

impl Place {
    /// Both together.
    pub fn path(&self) -> Vec<u8> {
        join(&self.directory, &self.name)
    }
}

/// `directory/name`, where the root is empty.
pub fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() { name.to_vec() } else { [directory, b"/", name].concat() }
}

/// Reads a member's path. Leading slashes and `.` mean the layer's root; `..` means nothing good.
pub fn parse(path: &[u8]) -> Result<Member, LayerError> {
    let refused = |why| Err(LayerError::refused(path, why));
    if path.len() > MAX_PATH {
        return refused("its path is too long");
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return refused("its path has \"..\" in it"),
            part => parts.push(part),
        }
    }
    let Some(name) = parts.pop() else {
        return if path.is_empty() { refused("its path is empty") } else { Ok(Member::Root) };
    };
    let directory = parts.join(&b'/');
    if name == OPAQUE && !parts.iter().any(|p| p.starts_with(WHITEOUT)) {
        return Ok(Member::Opaque(directory));
    }
    if parts.iter().chain([&name]).any(|p| p.starts_with(AUFS_OWN)) {
        return Ok(Member::Nothing);
    }
    if parts.iter().any(|p| p.starts_with(WHITEOUT)) {
        return refused("a whiteout cannot be a directory");
    }
    match name.strip_prefix(WHITEOUT) {
        None => Ok(Member::At(Place { directory, name: name.to_vec() })),
        Some(b"" | b"." | b"..") => refused("a whiteout of nothing, or of what is outside"),
        Some(hidden) => Ok(Member::Whiteout(Place { directory, name: hidden.to_vec() })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(directory: &str, name: &str) -> Place {
        Place { directory: directory.into(), name: name.into() }
    }

    /// Every form of path, and what it may not be.
    #[test]
    fn paths() {
        let cases = [
            ("./", Some(Member::Root)),
            ("/", Some(Member::Root)),
            ("a", Some(Member::At(at("", "a")))),
            ("./a//b/./c/", Some(Member::At(at("a/b", "c")))),
            ("/etc/passwd", Some(Member::At(at("etc", "passwd")))),
            ("...", Some(Member::At(at("", "...")))),
            ("a/.wh.b", Some(Member::Whiteout(at("a", "b")))),
            ("a/.wh..b", Some(Member::Whiteout(at("a", ".b")))),
            (".wh..wh..opq", Some(Member::Opaque("".into()))),
            ("a/.wh..wh..opq", Some(Member::Opaque("a".into()))),
            (".wh..wh.plnk/1.2", Some(Member::Nothing)),
            ("", None),
            ("..", None),
            ("a/../b", None),
            ("../../etc/passwd", None),
            ("/..", None),
            (".wh.", None),
            (".wh..", None),
            ("a/.wh...", None),
            ("a/.wh.b/c", None),
        ];
        for (path, member) in cases {
            assert_eq!(parse(path.as_bytes()).ok(), member, "{path:?}");
        }
        assert!(parse(&b"a/".repeat(2001)).is_err());
    }
}
