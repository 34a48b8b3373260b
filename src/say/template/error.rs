//! What can be wrong with a template, in Go's words, and where.

/// Why a template cannot be parsed or rendered. The words are Go's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is no template.
    #[error("template parsing error: template: :{line}: {problem}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        problem: Syntax,
    },
    /// It does not fit the value.
    #[error(
        "template parsing error: template: :{line}:{column}: executing \"\" at <{at}>: {problem}"
    )]
    Render {
        /// The line, from 1.
        line: usize,
        /// The byte in the line, from 0.
        column: usize,
        /// The part of the template.
        at: String,
        /// What is wrong.
        problem: Problem,
    },
}

/// What is wrong with the text of a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Syntax {
    /// No `}}`.
    #[error("unclosed action")]
    UnclosedAction,
    /// No `*/`.
    #[error("unclosed comment")]
    UnclosedComment,
    /// Something between `*/` and `}}`.
    #[error("comment ends before closing delimiter")]
    CommentEnd,
    /// No closing quote.
    #[error("unterminated quoted string")]
    UnclosedString,
    /// A string with an escape that does not exist.
    #[error("invalid syntax")]
    BadString,
    /// `'ab'`
    #[error("malformed character constant: {0}")]
    BadCharacter(String),
    /// `1a`
    #[error("bad number syntax: {0:?}")]
    BadNumber(String),
    /// A character that has no meaning here.
    #[error("unexpected {0:?} in command")]
    Unexpected(String),
    /// `}` alone.
    #[error("bad character U+007D '}}'")]
    LoneBrace,
    /// A function that does not exist.
    #[error("function {0:?} not defined")]
    NoFunction(String),
    /// A variable that was not declared.
    #[error("undefined variable {0:?}")]
    NoVariable(String),
    /// Nothing where a value must be.
    #[error("missing value for {0}")]
    NoValue(&'static str),
    /// `(` without `)`.
    #[error("unclosed left paren")]
    UnclosedParen,
    /// `)` without `(`.
    #[error("unexpected right paren")]
    UnopenedParen,
    /// `{{end}}` or `{{else}}` without a beginning.
    #[error("unexpected {{{{{0}}}}}")]
    UnexpectedKeyword(&'static str),
    /// No `{{end}}`.
    #[error("unexpected EOF")]
    End,
    /// `{{break}}` or `{{continue}}` in no loop.
    #[error("{{{{{0}}}}} outside {{{{range}}}}")]
    OutsideRange(&'static str),
    /// What Go has and this has not.
    #[error("{{{{{0}}}}} is not supported")]
    Unsupported(&'static str),
    /// More levels than anyone writes.
    #[error("more than {0} levels of nesting")]
    TooDeep(usize),
}

/// Why a template does not fit a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A field that the object has not.
    #[error("map has no entry for key {0:?}")]
    NoField(String),
    /// A field of something without fields.
    #[error("can't evaluate field {name} in type {kind}")]
    FieldOf {
        /// The field.
        name: String,
        /// What it was looked for in.
        kind: &'static str,
    },
    /// An argument for a field that is no method.
    #[error("{0} has arguments but cannot be invoked as function")]
    NoMethod(String),
    /// An argument for a value.
    #[error("can't give argument to non-function {0}")]
    NotAFunction(String),
    /// `{{nil}}`
    #[error("nil is not a command")]
    Nil,
    /// A loop over something that has no parts.
    #[error("range can't iterate over {0}")]
    Range(String),
    /// Too few or too many arguments.
    #[error("wrong number of args for {function}: want {want} got {got}")]
    Arguments {
        /// The function.
        function: String,
        /// How many it takes.
        want: String,
        /// How many there are.
        got: usize,
    },
    /// An argument of the wrong type.
    #[error("wrong type for value; expected {want}; got {got}")]
    Type {
        /// What the function takes.
        want: &'static str,
        /// What it was given.
        got: &'static str,
    },
    /// A function that refuses its arguments.
    #[error("error calling {function}: {reason}")]
    Call {
        /// The function.
        function: String,
        /// Why.
        reason: CallReason,
    },
}

/// Why a function refuses its arguments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallReason {
    /// An index beyond the list.
    #[error("index out of range: {0}")]
    OutOfRange(i64),
    /// A list indexed with a text.
    #[error("cannot index slice/array with type {0}")]
    IndexType(&'static str),
    /// A map indexed with a number.
    #[error("value has type {0}; should be string")]
    KeyType(&'static str),
    /// An index for something without parts.
    #[error("can't index item of type {0}")]
    NotIndexable(&'static str),
    /// A slice of something without an order.
    #[error("can't slice item of type {0}")]
    NotSliceable(&'static str),
    /// A length of something without one.
    #[error("len of type {0}")]
    NoLength(&'static str),
    /// Two types that have no order.
    #[error("incompatible types for comparison")]
    Incompatible,
    /// A type that has no order.
    #[error("invalid type for comparison")]
    NotComparable,
    /// A count of blanks beyond reason.
    #[error("width {0} is out of range")]
    Width(i64),
}

/// The line of a byte, from 1, and its column, from 0.
pub(super) fn place(source: &str, at: usize) -> (usize, usize) {
    let before = &source.as_bytes()[..at.min(source.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    (line, before.len() - start)
}

/// What is wrong at a byte of the source.
pub(super) fn syntax(source: &str, at: usize, problem: Syntax) -> TemplateError {
    TemplateError::Syntax { line: place(source, at).0, problem }
}
