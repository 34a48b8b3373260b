//! A stand-in that only knows the image commands.

use clap::Parser;

#[derive(clap::Parser)]
struct Line {
    #[arg(long, default_value = "/var/lib/rrun")]
    root: std::path::PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Import(rrun::cli::import::Cmd),
}

fn main() -> std::process::ExitCode {
    let line = Line::parse();
    let store = match rrun::store::Store::open(&line.root) {
        Ok(store) => store,
        Err(e) => {
            eprintln!("{e}");
            return 1.into();
        }
    };
    let cx = rrun::cli::Context { store, out: rrun::say::output::Output };
    let outcome = match line.command {
        Command::Import(cmd) => rrun::cli::import::run(cmd, &cx),
    };
    match outcome {
        Ok(status) => status.into(),
        Err(failure) => {
            cx.out.failure(&failure);
            failure.status.code().into()
        }
    }
}
