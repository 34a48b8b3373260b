//! The command line, split as Docker splits it: which command, which options, which words.
//!
//! The first bare word is a command, unless an option of `run` stands before it: then, as with a
//! first word that is no command, all of it is `run`'s. Options of `run` end at the image; what
//! follows is the container's and passed on as it is.
//!
//! What comes out are words in which nothing is left to guess (`--volume=a:/b`, words after `--`).
//! Which options there are and which take a value is asked of the clap commands; values are
//! parsed by them, too. The commands need not be built: that would cost more than all the rest.

#[cfg(test)]
mod tests;

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

use super::argv_error::ArgvError;
use crate::config::nearest::nearest;

/// A command line, split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// `--root` before the command; the last one.
    pub root: Option<String>,
    /// What is asked for.
    pub wish: Wish,
}

/// What a command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// The help of the command with this path; the path is empty for rrun's own.
    Help(Vec<String>),
    /// The version.
    Version,
    /// A command to be run.
    Run(Call),
}

/// A command with its options and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The path of the command: `["volume", "rm"]`.
    pub path: Vec<String>,
    /// The options, each in one word, then `--` and the words.
    pub words: Vec<String>,
    /// How the command was named.
    pub named: Named,
}

/// How a command was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// By its word.
    Explicitly,
    /// Not at all: `rrun alpine` is `rrun run alpine`.
    ByImage,
}

impl Call {
    /// What clap gets: the path and the words.
    pub fn argv(&self) -> Vec<String> {
        [vec!["rrun".into()], self.path.clone(), self.words.clone()].concat()
    }
}

/// Takes the command line as text. The program's own name is not part of it.
pub fn text(argv: impl IntoIterator<Item = OsString>) -> Result<Vec<String>, ArgvError> {
    let text = |(at, word): (usize, OsString)| {
        word.into_string().map_err(|word| ArgvError::NotUtf8 { at: at + 1, word })
    };
    argv.into_iter().enumerate().map(text).collect()
}

/// rrun's own options, and what follows them.
#[derive(Debug)]
pub struct Own<'a> {
    /// `--root`; the last one.
    pub root: Option<String>,
    /// `--help` or `--version`: nothing after them counts.
    pub wish: Option<Wish>,
    /// The first word that is no option of rrun's own, and all after it.
    pub rest: &'a [String],
}

/// Takes rrun's own options from the beginning of `argv`; any other is one of `run`.
pub fn own<'a>(argv: &'a [String], root: &Command) -> Result<Own<'a>, ArgvError> {
    let mut own = Own { root: None, wish: None, rest: argv };
    while let Some((word, after)) = own.rest.split_first() {
        let Some(option) = word.strip_prefix("--") else { break };
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (option, None),
        };
        let Some(arg) = root.get_arguments().find(|arg| arg.get_long() == Some(name)) else {
            break;
        };
        own.rest = after;
        own.wish = match arg.get_action() {
            ArgAction::Help => Some(Wish::Help(Vec::new())),
            ArgAction::Version => Some(Wish::Version),
            _ => None,
        };
        if own.wish.is_some() {
            break;
        }
        let needed = || ArgvError::NeedsValue { flag: format!("--{name}") };
        own.root = match value {
            Some(value) => Some(value.to_owned()),
            None => {
                let (value, after) = own.rest.split_first().ok_or_else(needed)?;
                own.rest = after;
                Some(value.clone())
            }
        };
    }
    Ok(own)
}

/// Splits `argv`. `root` is rrun's clap command, with at least the command that is named.
pub fn split(argv: &[String], root: &Command) -> Result<Line, ArgvError> {
    let own = own(argv, root)?;
    let wish = match own.wish {
        Some(wish) => wish,
        None => wish(own.rest, root)?,
    };
    Ok(Line { root: own.root, wish })
}

fn wish(rest: &[String], root: &Command) -> Result<Wish, ArgvError> {
    let Some((first, after)) = rest.split_first() else { return Ok(Wish::Help(Vec::new())) };
    if first == "help" {
        return help(after, root);
    }
    match root.find_subcommand(first) {
        Some(command) => descend(command, vec![command.get_name().into()], after),
        None => {
            let missing = || unknown((root, &[]), "run");
            let run = root.find_subcommand("run").ok_or_else(missing)?;
            Walk::new(run, vec!["run".into()], Named::ByImage).split(rest)
        }
    }
}

/// `rrun help volume rm`
fn help(words: &[String], root: &Command) -> Result<Wish, ArgvError> {
    help_below(root, Vec::new(), words)
}

/// The help of a command below `command`, which has the path `path`.
fn help_below(
    mut command: &Command,
    mut path: Vec<String>,
    words: &[String],
) -> Result<Wish, ArgvError> {
    for word in words {
        command = command.find_subcommand(word).ok_or_else(|| unknown((command, &path), word))?;
        path.push(command.get_name().to_owned());
    }
    Ok(Wish::Help(path))
}

/// Goes into a command, and through it if it is a group of commands (`volume`).
fn descend(command: &Command, mut path: Vec<String>, rest: &[String]) -> Result<Wish, ArgvError> {
    if !command.has_subcommands() {
        return Walk::new(command, path, Named::Explicitly).split(rest);
    }
    match rest.split_first() {
        None => Ok(Wish::Help(path)),
        Some((word, _)) if word == "--help" || word == "-h" => Ok(Wish::Help(path)),
        Some((word, after)) if word == "help" => help_below(command, path, after),
        Some((word, _)) if word.starts_with('-') => {
            Err(ArgvError::UnknownFlag { path: path.join(" "), flag: word.clone(), near: None })
        }
        Some((word, after)) => {
            let below =
                command.find_subcommand(word).ok_or_else(|| unknown((command, &path), word))?;
            path.push(below.get_name().to_owned());
            descend(below, path, after)
        }
    }
}

fn unknown((group, path): (&Command, &[String]), word: &str) -> ArgvError {
    let known = group.get_subcommands().map(Command::get_name);
    let near = nearest(word, known).map(|near| [path, &[near.to_owned()]].concat().join(" "));
    ArgvError::UnknownCommand { path: path.join(" "), word: word.into(), near }
}

/// The way through the options of one command.
struct Walk<'a> {
    command: &'a Command,
    path: Vec<String>,
    named: Named,
    /// The options given: of a switch only the last, of others all, in order.
    options: Vec<(&'a str, String)>,
    words: Vec<String>,
}

/// What a step of the way found.
enum Found {
    Option,
    Help,
}

impl<'a> Walk<'a> {
    fn new(command: &'a Command, path: Vec<String>, named: Named) -> Self {
        Self { command, path, named, options: Vec::new(), words: Vec::new() }
    }

    fn split(mut self, argv: &[String]) -> Result<Wish, ArgvError> {
        // Where the last words are another program's command line, the first word ends ours.
        let passes_on = self.command.get_positionals().any(Arg::is_trailing_var_arg_set);
        let mut rest = argv.iter();
        while let Some(word) = rest.next() {
            let found = match word.strip_prefix('-') {
                Some("-") => {
                    self.words.extend(rest.by_ref().cloned());
                    break;
                }
                None | Some("") if passes_on => {
                    self.words.push(word.clone());
                    self.words.extend(rest.by_ref().cloned());
                    break;
                }
                None | Some("") => {
                    self.words.push(word.clone());
                    continue;
                }
                Some(option) => match option.strip_prefix('-') {
                    Some(long) => self.long(long, &mut rest)?,
                    None => self.cluster(option, &mut rest)?,
                },
            };
            if let Found::Help = found {
                return Ok(Wish::Help(self.path));
            }
        }
        self.check_words()?;
        let mut words: Vec<String> = self.options.into_iter().map(|(_, option)| option).collect();
        words.push("--".into());
        words.append(&mut self.words);
        Ok(Wish::Run(Call { path: self.path, words, named: self.named }))
    }

    /// `--name`, `--name value`, `--name=value`
    fn long<'w>(
        &mut self,
        text: &str,
        rest: &mut impl Iterator<Item = &'w String>,
    ) -> Result<Found, ArgvError> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        if name.is_empty() || name.starts_with('-') {
            return Err(ArgvError::BadFlag(format!("--{text}")));
        }
        let known = |arg: &&Arg| {
            arg.get_long() == Some(name)
                || arg.get_all_aliases().is_some_and(|all| all.contains(&name))
        };
        let Some(arg) = self.command.get_arguments().find(known) else {
            if name == "help" {
                return Ok(Found::Help);
            }
            let longs = self.command.get_arguments().filter_map(Arg::get_long);
            return Err(ArgvError::unknown_flag(&self.path, name, longs));
        };
        let needed = || ArgvError::NeedsValue { flag: format!("--{name}") };
        match (takes_value(arg), value) {
            (true, Some(value)) => self.give(arg, value),
            // A switch that is on unless it is told otherwise: --human=false.
            (true, None) if arg.is_require_equals_set() => self.give(arg, "true"),
            (true, None) => self.give(arg, rest.next().ok_or_else(needed)?),
            (false, value) => self.switch(arg, value.unwrap_or("true"))?,
        }
        Ok(Found::Option)
    }

    /// `-it`, `-v value`, `-vvalue`, `-itv=value`
    fn cluster<'w>(
        &mut self,
        text: &str,
        rest: &mut impl Iterator<Item = &'w String>,
    ) -> Result<Found, ArgvError> {
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            let after = letters.as_str();
            let Some(arg) = self.command.get_arguments().find(|a| a.get_short() == Some(letter))
            else {
                // Where -h is no option of the command, it can only be meant so.
                if letter == 'h' {
                    return Ok(Found::Help);
                }
                let path = self.path.join(" ");
                return Err(ArgvError::UnknownShorthand { path, letter, cluster: text.into() });
            };
            let explicit = after.strip_prefix('=').filter(|value| !value.is_empty());
            match (takes_value(arg), explicit) {
                (true, Some(value)) => self.give(arg, value),
                (true, None) if arg.is_require_equals_set() => {
                    self.give(arg, "true");
                    continue;
                }
                (true, None) if !after.is_empty() => self.give(arg, after),
                (true, None) => {
                    let needed = || {
                        let (help, cluster) = (letter == 'h', text.into());
                        ArgvError::ShorthandNeedsValue { letter, cluster, help }
                    };
                    self.give(arg, rest.next().ok_or_else(needed)?);
                }
                (false, Some(value)) => self.switch(arg, value)?,
                (false, None) => {
                    self.switch(arg, "true")?;
                    continue;
                }
            }
            break;
        }
        Ok(Found::Option)
    }

    fn give(&mut self, arg: &'a Arg, value: &str) {
        let id = arg.get_id().as_str();
        let option = match (arg.get_long(), arg.get_short()) {
            (None, Some(letter)) => format!("-{letter}{value}"),
            (name, _) => format!("--{}={value}", name.unwrap_or(id)),
        };
        self.options.push((id, option));
    }

    /// A switch may be given a word, and the last one counts: `--rm=false`.
    fn switch(&mut self, arg: &'a Arg, value: &str) -> Result<(), ArgvError> {
        let id = arg.get_id().as_str();
        self.options.retain(|(earlier, _)| *earlier != id);
        if truth(value).ok_or_else(|| ArgvError::no_truth(arg, value))? {
            let option = match (arg.get_long(), arg.get_short()) {
                (None, Some(letter)) => format!("-{letter}"),
                (name, _) => format!("--{}", name.unwrap_or(id)),
            };
            self.options.push((id, option));
        }
        Ok(())
    }

    /// How many words there must and may be, in Docker's words (V4.07, V12.03).
    fn check_words(&self) -> Result<(), ArgvError> {
        let (mut least, mut most) = (0, Some(0));
        for arg in self.command.get_positionals() {
            let required = arg.is_required_set();
            least +=
                if required { arg.get_num_args().map_or(1, |n| n.min_values().max(1)) } else { 0 };
            let many = matches!(arg.get_action(), ArgAction::Append);
            most = if many { None } else { most.map(|most: usize| most + 1) };
        }
        let given = self.words.len();
        if given >= least && most.is_none_or(|most| given <= most) {
            return Ok(());
        }
        Err(ArgvError::words(&self.path, (least, most)))
    }
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

/// What Go's strconv.ParseBool takes for true and false.
fn truth(word: &str) -> Option<bool> {
    match word {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
