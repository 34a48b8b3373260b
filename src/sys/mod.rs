//! One thin function a system call; the only room with `unsafe`.

pub mod bpf;
pub mod seccomp;
