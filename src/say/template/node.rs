//! What a template consists of.

use serde_json::Value;

/// One part of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// Text, printed as it is.
    Text(String),
    /// `{{pipeline}}`
    Print(Pipeline),
    /// `{{if}}`, `{{range}}` or `{{with}}`.
    Block(Block),
    /// `{{break}}`
    Break,
    /// `{{continue}}`
    Continue,
}

/// A block: its condition or list, and its two bodies.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Block {
    pub(super) kind: BlockKind,
    pub(super) over: Pipeline,
    pub(super) body: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

/// The kinds of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockKind {
    If,
    Range,
    With,
}

/// Commands, each given the value of the one before; the last value may go to variables.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pipeline {
    pub(super) target: Option<Target>,
    pub(super) commands: Vec<Command>,
}

/// `$x :=` or `$x =`
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    pub(super) names: Vec<String>,
    pub(super) declares: bool,
}

/// A function or value and its arguments. `start..end` is its place in the source.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Command {
    pub(super) operands: Vec<Operand>,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A value and the fields taken of it: `(index .Mounts 0).Source`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Operand {
    pub(super) base: Base,
    pub(super) fields: Vec<String>,
    /// Where the error is told: at the second field, if there is one, as Go does.
    pub(super) at: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Base {
    /// `.`; also of `.A.B`, whose names are the operand's fields.
    Dot,
    /// `$x`; `$` is the value that the template is rendered for.
    Variable(String),
    /// `"a"`, `1`, `true`
    Literal(Value),
    /// `nil`
    Nil,
    /// `len`
    Function(String),
    /// `(…)`
    Pipeline(Box<Pipeline>),
}
