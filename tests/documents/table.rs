//! `docs/documents.md`: a line for each command of the documents, what tests it, and its state.

use std::fs;
use std::path::Path;

use libtest_mimic::Failed;

use crate::stage::Section;
use crate::{later, sections};

const BEGIN: &str =
    "<!-- The table is written by RRUN_UPDATE_GOLDEN=1 cargo test --test documents -->";

/// The page's table must be what the sections say.
pub fn check() -> Result<(), Failed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/documents.md");
    let page = fs::read_to_string(&path)?;
    let (head, table) = page.split_once(BEGIN).ok_or("docs/documents.md has no table")?;
    let wanted = format!("\n\n{}", rows());
    if table == wanted {
        return Ok(());
    }
    if std::env::var_os("RRUN_UPDATE_GOLDEN").is_some() {
        fs::write(&path, format!("{head}{BEGIN}{wanted}"))?;
        return Ok(());
    }
    let missing: Vec<&str> = wanted.lines().filter(|line| !table.contains(line)).collect();
    Err(format!("docs/documents.md is not as the tests are; missing: {missing:#?}").into())
}

fn rows() -> String {
    let mut rows = "| section | command | test | state |\n|---|---|---|---|\n".to_owned();
    for section in sections() {
        if section.commands.is_empty() {
            rows += &format!("| {} | (rrun's own) | {} | runs |\n", section.id, name(section));
        }
        for command in section.commands {
            let command_text = command.replace('|', "\\|");
            rows += &format!(
                "| {} | `{command_text}` | {} | {} |\n",
                section.id,
                name(section),
                state(command)
            );
        }
    }
    rows
}

fn name(section: &Section) -> String {
    format!("{} {}", section.id, section.title)
}

fn state(command: &str) -> String {
    let left_out: Vec<String> = later::options(command)
        .map(|(option, what)| format!("runs without `{option}`, which waits for {what}"))
        .collect();
    if left_out.is_empty() { "runs".to_owned() } else { left_out.join("; ") }
}
