//! The Go templates of `--format`, as far as Docker's users write them.
//!
//! A template is parsed once and rendered for each value. Values are JSON, printed as Go prints
//! them. An object is strict, as a Go struct is: a field that it has not is an error, so that a
//! slip of the finger does not print an empty line. Objects below a field that users fill
//! (`Labels`, `Options`) are maps: what they have not is `<no value>`, or "" for `index`.
//!
//! Not here: `define`, `template` and `block`, functions for web pages, and columns (`table`).

mod error;
mod evaluator;
mod function;
mod item;
mod lexer;
mod node;
mod parser;
mod printing;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub use error::{CallReason, Problem, Syntax, TemplateError};

use evaluator::Evaluator;
use item::Mode;

/// A template, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    source: String,
    nodes: Vec<node::Node>,
}

/// What a template is rendered for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// The fields: `{{.Name}}`.
    pub fields: Value,
    /// Methods with one argument, each an object in which the argument is looked up:
    /// `{{.Label "key"}}`. They are no fields: `{{json .}}` does not show them.
    pub methods: Vec<(&'static str, Value)>,
}

impl Template {
    /// Parses `source`.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let pieces = lexer::split(source)?;
        Ok(Self { source: source.to_owned(), nodes: parser::parse(source, pieces)? })
    }

    /// Renders the template for a value.
    pub fn render(&self, value: &Value) -> Result<String, TemplateError> {
        Evaluator::new(value, &[], Mode::Value).run(&self.source, &self.nodes)
    }

    /// Renders the template for a row of a list.
    pub fn render_row(&self, row: &Row) -> Result<String, TemplateError> {
        // A row is a map to Docker's readers, and Go prints maps with sorted keys.
        let mut fields = row.fields.clone();
        fields.sort_all_objects();
        Evaluator::new(&fields, &row.methods, Mode::Value).run(&self.source, &self.nodes)
    }

    /// Renders the template for the headers of its columns: functions that change a value's text
    /// leave a header as it is, and `{{.Label "com.a-b"}}` is the last part of its key.
    pub fn render_header(&self, headers: &Value) -> Result<String, TemplateError> {
        Evaluator::new(headers, &[], Mode::Header).run(&self.source, &self.nodes)
    }
}
