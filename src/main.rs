//! `rrun`: containers whose subject is storage, without a daemon.

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
    Images(rrun::cli::images::Cmd),
    Import(rrun::cli::import::Cmd),
    Load(rrun::cli::load::Cmd),
    Rmi(rrun::cli::rmi::Cmd),
    Save(rrun::cli::save::Cmd),
    Tag(rrun::cli::tag::Cmd),
    #[command(subcommand)]
    Volume(rrun::cli::volume::VolumeCommand),
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
        Command::Images(cmd) => rrun::cli::images::run(&cmd, &cx),
        Command::Import(cmd) => rrun::cli::import::run(&cmd, &cx),
        Command::Load(cmd) => rrun::cli::load::run(&cmd, &cx),
        Command::Rmi(cmd) => rrun::cli::rmi::run(&cmd, &cx, || Ok(Vec::new())),
        Command::Save(cmd) => rrun::cli::save::run(&cmd, &cx),
        Command::Tag(cmd) => rrun::cli::tag::run(&cmd, &cx),
        Command::Volume(cmd) => rrun::cli::volume::run(cmd, &cx),
    };
    match outcome {
        Ok(status) => status.into(),
        Err(failure) => {
            cx.out.failure(&failure);
            failure.status.code().into()
        }
    }
}
