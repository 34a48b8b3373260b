//! `rrun`: containers whose subject is storage, without a daemon.

fn main() {}
