//! `rrun completion`: scripts with which shells complete rrun's command line.
//!
//! Commands and options come from clap's tree, the one that the command line is parsed with. Names
//! of containers, images and volumes are asked of rrun when the key is pressed.

mod names;

use clap_complete::Shell;

use super::Outcome;
use crate::say::failure::Failure;
use crate::say::output::Output;

/// Print a script that completes rrun's command line
///
/// bash: put it into /usr/share/bash-completion/completions/rrun; zsh: into _rrun in a directory of
/// fpath; fish: into ~/.config/fish/completions/rrun.fish.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// The shell
    #[arg(required = true, value_enum, value_name = "SHELL")]
    shell: Kind,
}

/// A shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    Bash,
    Zsh,
    Fish,
}

/// Prints the script; `root` is rrun's own command.
pub fn run(cmd: &Cmd, root: clap::Command, out: &Output) -> Outcome {
    let text = script(cmd.shell, root);
    out.text(&text).map_err(|e| Failure::new("write the script", e))?;
    Ok(0)
}

#[cfg(test)]
pub(super) fn script_for(shell: &str, root: clap::Command) -> Option<String> {
    use clap::ValueEnum;
    Kind::from_str(shell, false).ok().map(|shell| script(shell, root))
}

fn script(shell: Kind, root: clap::Command) -> String {
    let mut root = with_run_options(root);
    let generated = |shell, root: &mut clap::Command| {
        let mut script = Vec::new();
        clap_complete::generate(shell, root, "rrun", &mut script);
        String::from_utf8_lossy(&script).into_owned()
    };
    match shell {
        Kind::Bash => generated(Shell::Bash, &mut root) + &names::bash(&root),
        Kind::Zsh => names::zsh(&generated(Shell::Zsh, &mut root)),
        Kind::Fish => generated(Shell::Fish, &mut root) + &names::fish(&root),
    }
}

/// `rrun -v data:/data alpine` is `rrun run …`: run's options stand at the top, too.
fn with_run_options(root: clap::Command) -> clap::Command {
    let options: Vec<clap::Arg> = root
        .find_subcommand("run")
        .into_iter()
        .flat_map(clap::Command::get_arguments)
        .filter(|arg| !arg.is_positional())
        .cloned()
        .collect();
    root.args(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Arg, Command};

    fn root() -> Command {
        let image = Arg::new("image").required(true).value_name("IMAGE").help("The image");
        let volume = Arg::new("volume").long("volume").short('v').help("Mount a volume");
        let containers =
            Arg::new("containers").num_args(1..).value_name("CONTAINER").help("The containers");
        Command::new("rrun")
            .subcommand(Command::new("run").about("Run").arg(volume).arg(image))
            .subcommand(Command::new("rm").about("Remove").arg(containers))
    }

    /// Every script has the commands, run's options at the top, and asks for names.
    #[test]
    fn scripts() {
        for (shell, containers, images) in [
            (Kind::Bash, "rm) kind=container", "run) kind=image"),
            (Kind::Zsh, "containers -- The containers:_rrun_containers'", ":_rrun_images'"),
            (Kind::Fish, "__rrun_at rm' -f -a '(rrun ps -a", "__rrun_at run' -f -a '(rrun images"),
        ] {
            let script = script(shell, root());
            assert!(script.contains(containers), "{shell:?}\n{script}");
            assert!(script.contains(images), "{shell:?}\n{script}");
            assert!(script.contains("volume"), "{shell:?}");
        }
    }
}
