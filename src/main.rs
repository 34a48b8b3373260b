//! `rrun`: containers whose subject is storage, without a daemon.

use std::process::ExitCode;

fn main() -> ExitCode {
    rrun::cli::dispatch::main(std::env::args_os()).into()
}
