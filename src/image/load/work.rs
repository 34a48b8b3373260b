//! What the readers of both formats work with.

use super::source::Source;
use crate::image::import::Platform;
use crate::image::layer::LeftOut;
use crate::image::limits::Limits;
use crate::image::store::{ImageStore, Staging};

/// A load at work.
pub struct Load<'a> {
    /// Where the images go.
    pub store: &'a ImageStore,
    /// Where they are built.
    pub staging: Staging,
    /// Where they come from.
    pub source: Source<'a>,
    /// The machine that they are for.
    pub platform: Platform,
    /// What they may cost.
    pub limits: &'a Limits,
    /// What could not be unpacked so far.
    pub left_out: LeftOut,
}
