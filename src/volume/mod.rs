//! Volumes: what is kept of them, who uses them, how they are filled and mounted.
//!
//! ```text
//! volumes/NAME/volume.json   the record: driver, labels, options, created, the copy-up's mark
//! volumes/NAME/_data/        the data; a driver mounts here
//! volumes/NAME/cipher/       the data as an encrypted volume has it on disk
//! volumes/NAME/refs/ID       one empty file a container that uses the volume, running or not
//! volumes/NAME/mounts/USER   one locked file a user of the driver's mount
//! volumes/NAME/lock          held while a volume is filled, mounted, unmounted
//! ```
//!
//! What must hold:
//! - A volume is there whole or not at all: it is made under another name and renamed, and
//!   renamed away before it is deleted.
//! - Names come and go only under the exclusive lock of the store (`lock::StoreAlone`). A
//!   reference is made under any lock of the store, so no removal is under way meanwhile.
//! - Lock order: the store, then volumes by name. No data is copied or deleted under the store's,
//!   and no driver is waited for.
//!
//! Not here: which container wants which volume (`container`), words for people (`cli`, `say`).

pub mod complete;
pub mod copy_up;
pub mod create;
pub mod driver;
pub mod error;
pub mod filter;
pub mod lock;
pub mod locked;
pub mod mounted;
pub mod order;
pub mod plugin;
pub mod record;
pub mod reference;
pub mod removal;
pub mod store;
#[cfg(test)]
mod tests;

pub use error::VolumeError;
