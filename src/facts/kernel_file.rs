//! Reading files that the kernel writes while they are read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What most of them are shorter than.
const USUAL_BYTES: usize = 4096;

/// Reads a file of procfs, sysfs or cgroupfs as text.
///
/// They say that their size is 0, for which std tries again and again with a little more room.
pub fn read(path: &Path) -> io::Result<String> {
    let mut text = String::with_capacity(USUAL_BYTES);
    // Not of the file itself, which would be asked for its size first.
    File::open(path)?.take(u64::MAX).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    /// Also what is longer than usual is read to its end.
    #[test]
    fn all_of_it_is_read() -> std::io::Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        for length in [0, 1, 4095, 4096, 4097, 100_000] {
            std::fs::write(file.path(), "x".repeat(length))?;
            assert_eq!(super::read(file.path())?.len(), length);
        }
        Ok(())
    }
}
