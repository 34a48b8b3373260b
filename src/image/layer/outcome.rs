//! What came of unpacking.

/// What was unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unpacked {
    /// How many entries the archive had.
    pub entries: u64,
    /// The sizes of all files together.
    pub size_bytes: u64,
    /// What could not be made here.
    pub left_out: LeftOut,
}

/// What the caller's rights or the file system do not allow; told as a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// Device nodes: mknod needs CAP_MKNOD in the first user namespace.
    pub devices: u64,
    /// Extended attributes that the file system or the rights refuse.
    pub xattrs: u64,
}

impl LeftOut {
    /// Counts another layer's too.
    pub fn add(&mut self, other: Self) {
        self.devices += other.devices;
        self.xattrs += other.xattrs;
    }
}
