//! What is still to be done to directories when all entries are there.

use std::collections::BTreeMap;

use super::LayerError;
use crate::image::archive::Attributes;

/// The memory that this may take. A real layer needs some hundred bytes a directory.
const MAX_BYTES: usize = 512 << 20;

/// What one directory will get.
#[derive(Debug, Default)]
pub struct Pending {
    /// The attributes of its entry; without an entry it is root's, 0755.
    pub attributes: Option<Attributes>,
    /// Nothing of the layers below is seen in it.
    pub opaque: bool,
}

/// All directories of the layer, by path.
#[derive(Debug, Default)]
pub struct Directories {
    known: BTreeMap<Vec<u8>, Pending>,
    bytes: usize,
}

impl Directories {
    /// A directory exists.
    pub fn add(&mut self, path: &[u8]) -> Result<&mut Pending, LayerError> {
        if !self.known.contains_key(path) {
            self.charge(path, path.len() + size_of::<Pending>())?;
        }
        Ok(self.known.entry(path.to_vec()).or_default())
    }

    /// A directory's entry was read; the last one counts.
    pub fn describe(&mut self, path: &[u8], attributes: Attributes) -> Result<(), LayerError> {
        let xattrs = attributes.xattrs.iter().map(|(n, v)| n.len() + v.len() + 64).sum();
        self.charge(path, xattrs)?;
        self.add(path)?.attributes = Some(attributes);
        Ok(())
    }

    fn charge(&mut self, path: &[u8], bytes: usize) -> Result<(), LayerError> {
        self.bytes += bytes;
        if self.bytes > MAX_BYTES {
            return Err(LayerError::refused(path, "too many directories for one layer"));
        }
        Ok(())
    }

    /// A directory and all below it are gone.
    pub fn forget(&mut self, path: &[u8]) {
        // '0' is the byte after '/'.
        let below = [path, b"/"].concat()..[path, b"0"].concat();
        let gone: Vec<Vec<u8>> = self.known.range(below).map(|(k, _)| k.clone()).collect();
        for name in gone.iter().map(Vec::as_slice).chain([path]) {
            self.known.remove(name);
        }
    }

    /// All of them, what is below before what is above: a directory that loses the search
    /// permission must not bar the way to those in it.
    pub fn into_leaves_first(self) -> impl Iterator<Item = (Vec<u8>, Pending)> {
        self.known.into_iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names that merely start alike stay.
    #[test]
    fn forgetting() {
        let mut directories = Directories::default();
        for path in ["", "a", "a/b", "a/b/c", "a.b", "a0", "ab"] {
            directories.add(path.as_bytes()).unwrap();
        }
        directories.forget(b"a");
        let left: Vec<_> = directories.into_leaves_first().map(|(path, _)| path).collect();
        assert_eq!(left, [&b"ab"[..], b"a0", b"a.b", b""]);
    }
}
