//! The project's Rust files, parsed, and what refers to what in them.
//!
//! Not here: the rules, which are the tests of `tidy.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A module's path from the root of the crate: `["image", "layer"]`.
pub type Module = Vec<String>;

/// One Rust file.
pub struct Source {
    /// Relative to the project.
    pub path: PathBuf,
    pub text: String,
    pub file: syn::File,
    /// Of the library; programs and integration tests have none.
    pub module: Option<Module>,
    /// Compiled for tests only, as a whole.
    pub test_only: bool,
}

/// A path in the code that may lead to another module.
pub struct Reference {
    pub line: usize,
    /// The module it stands in, inline ones included.
    pub from: Module,
    pub segments: Vec<String>,
    /// `pub use`: it passes a name on and needs nothing itself.
    pub passes_on: Option<String>,
}

/// The folder of Cargo.toml.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder` of the project, sorted; without build output and git's own.
pub fn files_below(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![project().join(folder)];
    while let Some(directory) = waiting.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        for entry in entries.map(Result::unwrap) {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let name = entry.file_name().to_string_lossy().into_owned();
            if kind.is_dir() && !name.starts_with("target") && name != ".git" {
                waiting.push(path);
            } else if kind.is_file() && name != ".git" {
                found.push(path.strip_prefix(project()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The Rust files of the library, the programs and the integration tests.
pub fn sources() -> Vec<Source> {
    let mut all: Vec<Source> = ["src", "tests"]
        .iter()
        .flat_map(|folder| files_below(folder))
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .map(read)
        .collect();
    let test_modules: BTreeSet<Module> = all.iter().flat_map(declared_for_tests).collect();
    for source in &mut all {
        let Some(module) = &source.module else { continue };
        source.test_only |= (1..=module.len()).any(|n| test_modules.contains(&module[..n]));
    }
    all
}

fn read(path: PathBuf) -> Source {
    let text = std::fs::read_to_string(project().join(&path)).unwrap();
    let file = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let module = module_of(&path);
    let test_only = path.starts_with("tests");
    Source { path, text, file, module, test_only }
}

fn module_of(path: &Path) -> Option<Module> {
    let inside = path.strip_prefix("src").ok()?;
    if inside == Path::new("main.rs") || inside.starts_with("bin") {
        return None;
    }
    let mut module: Module =
        inside.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    Some(module)
}

fn declared_for_tests(source: &Source) -> Vec<Module> {
    let Some(module) = &source.module else { return Vec::new() };
    let declared = source.file.items.iter().filter_map(|item| match item {
        syn::Item::Mod(m) if m.content.is_none() && for_tests_only(&m.attrs) => {
            Some(m.ident.to_string())
        }
        _ => None,
    });
    declared.map(|name| module.iter().cloned().chain([name]).collect()).collect()
}

/// Do these attributes say `#[test]` or `#[cfg(test)]`, alone or with more conditions?
pub fn for_tests_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("cfg") => {
            let condition = list.tokens.to_string();
            condition == "test" || condition.replace(' ', "").starts_with("all(test,")
        }
        _ => false,
    })
}

/// Every path of `source` that code outside tests follows, by `use` or in place.
pub fn references(source: &Source) -> Vec<Reference> {
    let mut walk = Walk { at: source.module.clone().unwrap_or_default(), found: Vec::new() };
    if !source.test_only {
        walk.visit_file(&source.file);
    }
    walk.found
}

struct Walk {
    at: Module,
    found: Vec<Reference>,
}

impl Walk {
    fn add(&mut self, line: usize, segments: Vec<String>) {
        self.found.push(Reference { line, from: self.at.clone(), segments, passes_on: None });
    }

    fn add_use(&mut self, tree: &syn::UseTree, before: &[String], public: bool) {
        let with = |name: &syn::Ident| -> Vec<String> {
            before.iter().cloned().chain([name.to_string()]).collect()
        };
        match tree {
            syn::UseTree::Path(path) => self.add_use(&path.tree, &with(&path.ident), public),
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|item| self.add_use(item, before, public));
            }
            syn::UseTree::Name(name) => self.end_use(&name.ident, with(&name.ident), public),
            syn::UseTree::Rename(name) => self.end_use(&name.rename, with(&name.ident), public),
            syn::UseTree::Glob(_) => self.add(tree.span().start().line, before.to_vec()),
        }
    }

    fn end_use(&mut self, known_as: &syn::Ident, mut segments: Vec<String>, public: bool) {
        if segments.last().is_some_and(|last| last == "self") {
            segments.pop();
        }
        self.add(known_as.span().start().line, segments);
        if public && let Some(added) = self.found.last_mut() {
            added.passes_on = Some(known_as.to_string());
        }
    }

    /// Macro arguments are tokens, not paths: take `a::b::c` runs from them.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut run: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            let line = token.span().start().line;
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        run.clear();
                    }
                    run.push(name.to_string());
                    if run.len() > 1 {
                        self.add(line, run.clone());
                    }
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' && colons < 2 => colons += 1,
                TokenTree::Group(group) => {
                    (run, colons) = (Vec::new(), 0);
                    self.add_tokens(group.stream());
                }
                _ => (run, colons) = (Vec::new(), 0),
            }
        }
    }
}

impl<'a> Visit<'a> for Walk {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if for_tests_only(&item.attrs) {
            return;
        }
        self.at.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.at.pop();
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        if !for_tests_only(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        if !for_tests_only(&item.attrs) {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        if !for_tests_only(&item.attrs) {
            let public = !matches!(item.vis, syn::Visibility::Inherited);
            self.add_use(&item.tree, &[], public);
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if segments.len() > 1 {
            self.add(path.span().start().line, segments);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'a syn::Macro) {
        self.add_tokens(mac.tokens.clone());
        visit::visit_macro(self, mac);
    }
}

/// Who refers to whom: for each module its targets, each with the place of one reference.
pub type Graph = BTreeMap<Module, BTreeMap<Module, String>>;

/// The library's modules, one node a file.
pub fn graph(sources: &[Source]) -> Graph {
    let library: Vec<&Source> =
        sources.iter().filter(|s| s.module.is_some() && !s.test_only).collect();
    let files: BTreeSet<Module> = library.iter().filter_map(|s| s.module.clone()).collect();
    let all: Vec<(&Source, Vec<Reference>)> =
        library.iter().map(|source| (*source, references(source))).collect();
    let mut passed_on = BTreeMap::new();
    for reference in all.iter().flat_map(|(_, found)| found) {
        let Some(name) = &reference.passes_on else { continue };
        if let Some(target) = resolve(reference, &files, &BTreeMap::new()) {
            passed_on.insert((reference.from.clone(), name.clone()), target);
        }
    }
    let mut graph = Graph::new();
    for (source, found) in &all {
        let own = source.module.clone().unwrap_or_default();
        for reference in found.iter().filter(|r| r.passes_on.is_none()) {
            let Some(target) = resolve(reference, &files, &passed_on) else { continue };
            if target != own {
                let place = format!("{}:{}", source.path.display(), reference.line);
                graph.entry(own.clone()).or_default().entry(target).or_insert(place);
            }
        }
    }
    graph
}

/// The file's module that a reference leads to; `None` where it leaves the crate.
fn resolve(
    reference: &Reference,
    files: &BTreeSet<Module>,
    passed_on: &BTreeMap<(Module, String), Module>,
) -> Option<Module> {
    let mut at = reference.from.clone();
    let mut rest = reference.segments.as_slice();
    match rest.first()?.as_str() {
        "crate" => {
            at.clear();
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|s| s == "super") {
                at.pop();
                rest = &rest[1..];
            }
        }
        first => {
            at.push(first.to_owned());
            if !files.contains(&at) {
                return None;
            }
            rest = &rest[1..];
        }
    }
    for name in rest {
        if let Some(target) = passed_on.get(&(at.clone(), name.clone())) {
            return Some(target.clone());
        }
        at.push(name.clone());
        if !files.contains(&at) {
            at.pop();
            break;
        }
    }
    while !files.contains(&at) {
        at.pop()?;
    }
    Some(at)
}
