//! `rrun`: containers whose subject is storage, without a daemon.
#![no_main]

rrun::program!(start);

fn start() -> i32 {
    let status = rrun::cli::dispatch::main(std::env::args_os());
    // At once, as rrun-oci ends: nothing is buffered (`say::output`), and to free what is left
    // piece by piece would cost more than to end.
    rrun::sys::process::exit_now(status.into())
}
