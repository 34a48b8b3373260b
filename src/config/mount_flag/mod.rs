//! The mount flags: `-v`, `--mount`, `--tmpfs`, `--volumes-from`, from text to requests.
//!
//! Pure: the current directory comes in as an argument and nothing looks at the disk, so a whole
//! command line is known to be good before the first volume is made. Whether a source exists, and
//! what an image or another container adds, is `container`'s.

mod combine;
mod csv_record;
mod error;
mod hint;
mod mode;
mod mount_config;
mod mount_fields;
mod place;
#[cfg(test)]
mod tests;
mod tmpfs_flag;
mod volume_flag;
mod volumes_from;

pub use combine::combine;
pub use error::{ConfigReason, FieldError, MountFlagError};
pub use mount_config::parse_mount;
pub use tmpfs_flag::parse_tmpfs;
pub use volume_flag::parse_volume;
pub use volumes_from::parse_volumes_from;
