//! What holds for all commands.

use std::fs;

use clap::Command;

use super::dispatch::root_command;

/// Every command with its path, `rrun` itself first.
fn commands() -> Vec<(String, Command)> {
    let mut all = vec![("rrun".to_owned(), root_command())];
    let mut at = 0;
    while let Some((path, command)) = all.get(at).cloned() {
        let below = command.get_subcommands();
        all.extend(below.map(|below| (format!("{path} {}", below.get_name()), below.clone())));
        at += 1;
    }
    all
}

/// A command without help is one that nobody can use.
#[test]
fn everything_has_help() {
    let mut bare = Vec::new();
    for (path, command) in commands() {
        if command.get_about().is_none() {
            bare.push(path.clone());
        }
        let silent = command.get_arguments().filter(|arg| arg.get_help().is_none());
        bare.extend(silent.map(|arg| format!("{path}: {}", arg.get_id())));
    }
    assert!(bare.is_empty(), "no help: {bare:#?}");
}

/// Each command has a manual page, and that each of its options.
#[test]
fn manual_pages() {
    let directory = tempfile::tempdir().unwrap();
    clap_mangen::generate_to(root_command(), directory.path()).unwrap();
    for (path, command) in commands() {
        if command.is_hide_set() {
            continue;
        }
        let page = directory.path().join(path.replace(' ', "-") + ".1");
        let text = fs::read_to_string(&page).unwrap_or_else(|e| panic!("{page:?}: {e}"));
        for long in shown(&command) {
            let escaped = format!("\\-\\-{}", long.replace('-', "\\-"));
            assert!(text.contains(&escaped), "{path}: --{long}");
        }
    }
}

/// Each command and each option can be completed in each shell.
#[test]
fn completions() {
    for shell in ["bash", "zsh", "fish"] {
        let text = super::completion::script_for(shell, root_command()).unwrap();
        for (path, command) in commands().into_iter().filter(|(_, c)| !c.is_hide_set()) {
            let name = path.rsplit(' ').next().unwrap();
            assert!(text.contains(name), "{shell}: {path}");
            for long in shown(&command) {
                let known = match shell {
                    "fish" => text.contains(&format!("-l {long} ")),
                    _ => text.contains(&format!("--{long}")),
                };
                assert!(known, "{shell}: {path} --{long}");
            }
        }
    }
}

/// The options that help shows.
fn shown(command: &Command) -> impl Iterator<Item = &str> {
    command.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(clap::Arg::get_long)
}
