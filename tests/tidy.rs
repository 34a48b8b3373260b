//! The rules of the house, checked: sizes, rooms, names, words, dependencies, scripts.
//!
//! Each rule is one test; what it finds is told as `file:line: what is wrong`.

#![allow(clippy::unwrap_used, reason = "a test that cannot read what it checks has failed")]

#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use proc_macro2::{TokenStream, TokenTree};
use shape::{Kind, Literal, Shape};
use source::{Module, Source, files_below, for_tests_only, project, sources};
use syn::spanned::Spanned;

const FUNCTION_LINES: usize = 60;
const FILE_LINES: usize = 400;
const PARAMETERS: usize = 4;
const COLUMNS: usize = 100;

/// Fails with one line a finding.
fn none(rule: &str, findings: impl IntoIterator<Item = String>) {
    let findings: Vec<String> = findings.into_iter().collect();
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}

fn at(source: &Source, line: usize) -> String {
    format!("{}:{line}", source.path.display())
}

fn shapes(sources: &[Source]) -> Vec<(&Source, Shape)> {
    sources.iter().map(|source| (source, shape::shape(source))).collect()
}

/// Every file of the project that is text written by hand.
fn texts() -> Vec<(PathBuf, String)> {
    let own = |path: &PathBuf| {
        !path.starts_with("tests/tidy")
            && path != Path::new("tests/tidy.rs")
            && path != Path::new("Cargo.lock")
            && path != Path::new("LICENSE")
    };
    files_below("")
        .into_iter()
        .filter(own)
        .filter_map(|path| {
            Some((path.clone(), std::fs::read_to_string(project().join(path)).ok()?))
        })
        .collect()
}

/// The bash scripts of the project: those to run, and those to read in.
fn scripts() -> Vec<PathBuf> {
    let is_script = |path: &PathBuf| {
        let text = std::fs::read(project().join(path)).unwrap();
        text.starts_with(b"#!") || path.extension().is_some_and(|e| e == "sh")
    };
    ["scripts", "rootfs-fixtures", ".ci"]
        .iter()
        .flat_map(|folder| files_below(folder))
        .filter(is_script)
        .collect()
}

#[test]
fn functions_fit_on_a_screen() {
    let all = sources();
    let long = shapes(&all).into_iter().flat_map(|(source, shape)| {
        let long = shape.functions.into_iter().filter(|f| f.lines > FUNCTION_LINES);
        long.map(|f| format!("{}: {} has {} lines", at(source, f.line), f.name, f.lines))
            .collect::<Vec<_>>()
    });
    none("a function has at most 60 lines", long);
}

#[test]
fn functions_take_few_parameters() {
    let all = sources();
    let many = shapes(&all).into_iter().flat_map(|(source, shape)| {
        let many = shape.functions.into_iter().filter(|f| f.parameters > PARAMETERS);
        many.map(|f| format!("{}: {} takes {}", at(source, f.line), f.name, f.parameters))
            .collect::<Vec<_>>()
    });
    none("a function takes at most 4 parameters", many);
}

#[test]
fn no_literal_is_passed_for_a_bool_or_an_option() {
    let all = sources();
    let shapes = shapes(&all);
    let declared = shape::declared_once(&shapes);
    let mut found = Vec::new();
    for (source, shape) in &shapes {
        for call in &shape.calls {
            let Some(inputs) = declared.get(&call.name) else { continue };
            if inputs.len() != call.arguments.len() {
                continue;
            }
            for ((name, kind), argument) in inputs.iter().zip(&call.arguments) {
                let literal = matches!(
                    (kind, argument),
                    (Kind::Bool, Literal::Bool) | (Kind::Option, Literal::None)
                );
                if literal {
                    let place = at(source, call.line);
                    found.push(format!("{place}: {}: a literal for `{name}`", call.name));
                }
            }
        }
    }
    none("split the function, or pass an enum", found);
}

#[test]
fn files_are_short() {
    let long = sources().into_iter().filter(|s| !s.test_only).filter_map(|source| {
        let tests: usize = source.file.items.iter().map(test_lines).sum();
        let lines = source.text.lines().count() - tests;
        (lines > FILE_LINES).then(|| format!("{}:1: {lines} lines", source.path.display()))
    });
    none("a file has at most 400 lines, tests apart", long);
}

/// The lines of an item that is compiled for tests only.
fn test_lines(item: &syn::Item) -> usize {
    match item {
        syn::Item::Mod(module) if for_tests_only(&module.attrs) => {
            item.span().end().line + 1 - item.span().start().line
        }
        _ => 0,
    }
}

#[test]
fn lines_have_at_most_100_columns() {
    let code = sources().into_iter().map(|source| (source.path, source.text));
    let shell = scripts().into_iter().map(|path| {
        let text = std::fs::read_to_string(project().join(&path)).unwrap();
        (path, text)
    });
    let wide = code.chain(shell).flat_map(|(path, text)| {
        let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.chars().count()));
        lines
            .filter(|(_, columns)| *columns > COLUMNS)
            .map(|(n, columns)| format!("{}:{n}: {columns} columns", path.display()))
            .collect::<Vec<_>>()
    });
    none("a line has at most 100 columns", wide);
}

#[test]
fn every_module_has_a_head() {
    let bare = sources().into_iter().filter(|source| {
        !source.text.starts_with("//!") && source.path.file_name() != Some("tests.rs".as_ref())
    });
    none(
        "a module's head says what it is",
        bare.map(|s| format!("{}:1: no //! head", s.path.display())),
    );
}

#[test]
fn only_sys_is_unsafe() {
    let outside = sources().into_iter().filter(|source| !source.path.starts_with("src/sys"));
    let found = outside.flat_map(|source| {
        let tokens: TokenStream = source.text.parse().unwrap();
        let mut lines = Vec::new();
        lines_of(tokens, "unsafe", &mut lines);
        lines.into_iter().map(|line| at(&source, line) + ": unsafe").collect::<Vec<_>>()
    });
    none("`unsafe` is in src/sys only", found);
}

/// Where `word` stands as an identifier, in macros too.
fn lines_of(tokens: TokenStream, word: &str, lines: &mut Vec<usize>) {
    for token in tokens {
        match token {
            TokenTree::Ident(name) if name == word => lines.push(name.span().start().line),
            TokenTree::Group(group) => lines_of(group.stream(), word, lines),
            _ => {}
        }
    }
}

/// The rooms from the top floor to the ground, as the table in lib.rs lists them.
fn rooms() -> Vec<String> {
    let text = std::fs::read_to_string(project().join("src/lib.rs")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | `"));
    rows.filter_map(|row| row.split_once('`')).map(|(room, _)| room.to_owned()).collect()
}

#[test]
fn every_room_is_in_the_table() {
    let listed: BTreeSet<String> = rooms().into_iter().collect();
    let built: BTreeSet<String> =
        sources().into_iter().filter_map(|s| s.module?.first().cloned()).collect();
    assert_eq!(listed, built, "left: the table in src/lib.rs; right: the files of src");
}

#[test]
fn no_arrow_runs_upstairs() {
    let floor: BTreeMap<String, usize> =
        rooms().into_iter().enumerate().map(|(n, room)| (room, n)).collect();
    let graph = source::graph(&sources());
    let mut up = Vec::new();
    for (from, targets) in &graph {
        for (target, place) in targets {
            let (Some(from), Some(target)) = (from.first(), target.first()) else { continue };
            if floor.get(target) < floor.get(from) {
                up.push(format!("{place}: {from} uses {target}"));
            }
        }
    }
    none("a room uses only rooms below it", up);
}

#[test]
fn modules_make_no_circle() {
    let graph = source::graph(&sources());
    let mut found = Vec::new();
    for (from, targets) in &graph {
        for (target, place) in targets {
            if reachable(&graph, target).contains(from) {
                let (from, target) = (from.join("::"), target.join("::"));
                found.push(format!("{place}: {from} uses {target}, which leads back"));
            }
        }
    }
    none("modules use each other in a circle", found);
}

/// Every module that `start` leads to.
fn reachable(graph: &source::Graph, start: &Module) -> BTreeSet<Module> {
    let mut seen = BTreeSet::new();
    let mut waiting = vec![start];
    while let Some(module) = waiting.pop() {
        for target in graph.get(module).into_iter().flat_map(BTreeMap::keys) {
            if seen.insert(target.clone()) {
                waiting.push(target);
            }
        }
    }
    seen
}

#[test]
fn plan_is_pure() {
    let outside = ["fs", "io", "net", "process", "env", "thread"];
    let below = ["sys", "store", "tree"];
    // The kernel's own words as plain values: flags and kinds, nothing that calls.
    let values = [
        ["bpf", "Instruction"],
        ["mount", "Recursion"],
        ["namespace", "Namespace"],
        ["path", "Links"],
        ["process", "SchedulerAttributes"],
        ["stub", "Executor"],
    ];
    let mut found = Vec::new();
    for source in sources().iter().filter(|s| s.path.starts_with("src/plan")) {
        for reference in source::references(source) {
            let path: Vec<&str> = reference.segments.iter().map(String::as_str).collect();
            let impure = match path.as_slice() {
                ["std", part, ..] => outside.contains(part),
                // Whole: a name alone could be that of something that calls, in another module.
                ["crate", "sys", module, name] if values.contains(&[*module, *name]) => false,
                ["crate", room, ..] => below.contains(room),
                _ => false,
            };
            if impure {
                found.push(format!("{}: {}", at(source, reference.line), path.join("::")));
            }
        }
    }
    none("`plan` does no I/O and knows only config and facts", found);
}

#[test]
fn children_are_made_in_sys() {
    let library = sources().into_iter().filter(|s| !s.test_only && !s.path.starts_with("src/sys"));
    let found = library.flat_map(|source| {
        let made = |r: &source::Reference| r.segments.starts_with(&strings(PROCESS));
        let lines = source::references(&source).into_iter().filter(made).map(|r| r.line);
        lines.map(|line| at(&source, line) + ": a child process").collect::<Vec<_>>()
    });
    none("every child process is made in src/sys", found);
}

const PROCESS: &[&str] = &["std", "process", "Command"];

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn names_say_something() {
    let empty = ["util", "utils", "helper", "helpers", "misc", "common", "manager", "managers"];
    let says_nothing = |name: &str| name.split(['_', '-', '.']).any(|word| empty.contains(&word));
    let in_files = files_below("")
        .into_iter()
        .filter(|path| path.iter().any(|part| says_nothing(&part.to_string_lossy())));
    let in_code = sources().into_iter().flat_map(|source| {
        let modules = source.file.items.iter().filter_map(|item| match item {
            syn::Item::Mod(module) => Some((module.ident.to_string(), item.span().start().line)),
            _ => None,
        });
        modules
            .filter(|(name, _)| says_nothing(name))
            .map(|(name, line)| format!("{}: mod {name}", at(&source, line)))
            .collect::<Vec<_>>()
    });
    none("a name says what is in it", in_files.map(|p| p.display().to_string()).chain(in_code));
}

#[test]
fn every_step_has_a_reason() {
    let all = sources();
    let shapes = shapes(&all);
    let declared = shape::declared_once(&shapes);
    let mut found = Vec::new();
    for (source, shape) in &shapes {
        for line in &shape.empty_reasons {
            found.push(at(source, *line) + ": an empty `because`");
        }
        for call in &shape.calls {
            let Some(inputs) = declared.get(&call.name) else { continue };
            let empty = inputs
                .iter()
                .zip(&call.arguments)
                .any(|((name, _), argument)| name == "because" && *argument == Literal::EmptyText);
            if empty {
                found.push(at(source, call.line) + ": an empty `because`");
            }
        }
    }
    none("a step says why it is there", found);
}

#[test]
fn nothing_is_unfinished() {
    let marks = ["TODO", "FIXME", "XXX", "HACK", "todo!", "unimplemented!"];
    none("finish it, or leave it out", mentions(&marks, |_| true));
}

#[test]
fn the_project_stands_alone() {
    let marks = ["../shared", "/work/shared", "/work/main", "/work/wt", "issue #"];
    none("the code and its documents need nothing from outside", mentions(&marks, |_| true));
}

/// Where one of `marks` stands as a word of its own.
fn mentions(marks: &[&str], wanted: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in texts().into_iter().filter(|(path, _)| wanted(path)) {
        for (n, line) in text.lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| has_word(line, mark)) {
                found.push(format!("{}:{}: {mark}", path.display(), n + 1));
            }
        }
    }
    found
}

fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(start, _)| {
        let (before, after) = (&line[..start], &line[start + word.len()..]);
        let starts =
            !word.starts_with(char::is_alphanumeric) || !part_of_word(before.chars().next_back());
        let ends = !word.ends_with(char::is_alphanumeric) || !part_of_word(after.chars().next());
        starts && ends
    })
}

#[test]
fn every_dependency_is_explained() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(project())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let dependencies = metadata["packages"][0]["dependencies"].as_array().unwrap();
    let used: BTreeSet<String> =
        dependencies.iter().map(|d| d["name"].as_str().unwrap().to_owned()).collect();
    let text = std::fs::read_to_string(project().join("docs/dependencies.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let explained: BTreeSet<String> =
        rows.filter_map(|row| row.split_once('`')).map(|(name, _)| name.to_owned()).collect();
    assert_eq!(used, explained, "left: Cargo.toml; right: docs/dependencies.md");
}

#[test]
fn scripts_can_be_run() {
    let mut found = Vec::new();
    for path in scripts() {
        let whole = project().join(&path);
        let read_in = path.extension().is_some_and(|e| e == "sh");
        let mode = std::fs::metadata(&whole).unwrap().permissions().mode();
        if read_in == (mode & 0o111 == 0o111) {
            found.push(format!("{}:1: mode {:o}", path.display(), mode & 0o777));
        }
        let text = std::fs::read_to_string(&whole).unwrap();
        if !read_in && !text.contains("\nset -euo pipefail\n") {
            found.push(format!("{}:1: goes on after an error", path.display()));
        }
        let parsed = Command::new("bash").arg("-n").arg(&whole).output().unwrap();
        if !parsed.status.success() {
            found.push(String::from_utf8_lossy(&parsed.stderr).into_owned());
        }
    }
    none("a script is executable, stops at errors and is valid bash; a .sh is read in", found);
}
