//! `rrun load`.

use super::Context;
use crate::image::layer::LeftOut;

/// Tells what of an image could not be made here.
pub(super) fn warn_left_out(cx: &Context, left_out: &LeftOut) {
    if left_out.devices > 0 {
        cx.out.warning(format_args!(
            "{} device nodes were left out: making them needs more rights",
            left_out.devices
        ));
    }
    if left_out.xattrs > 0 {
        cx.out.warning(format_args!(
            "{} extended attributes were left out: the file system or the rights refuse them",
            left_out.xattrs
        ));
    }
}
