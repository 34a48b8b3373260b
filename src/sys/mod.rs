//! One thin function a system call; the only `unsafe`.
#![allow(unsafe_code)]

pub mod loop_device;
pub mod mount_attribute;
