//! From a template's text to pieces: text, and actions as tokens.

use serde_json::{Number, Value};

use super::error::{Syntax, TemplateError, syntax};

/// A part of the template's text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// Outside of `{{` and `}}`.
    Text(String),
    /// Between them.
    Action(Action),
}

/// The tokens between `{{` and `}}`; `at` is where they begin.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Action {
    pub(super) at: usize,
    pub(super) tokens: Vec<Token>,
}

/// A word of an action.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Is there a blank before it? `.A.B` is one value, `.A .B` are two.
    pub(super) spaced: bool,
}

/// The kinds of words.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    /// `.Name`
    Field(String),
    /// `.`
    Dot,
    /// `$x`
    Variable(String),
    /// `range`, `len`, `true`
    Word(String),
    /// `"a"`, `` `a` ``, `'a'`, `1.5`
    Literal(Value),
    /// `(`
    Open,
    /// `)`
    Close,
    /// `|`
    Pipe,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    /// `,`
    Comma,
}

/// Splits `source` at its actions. `{{-` and `-}}` take the blanks on their side away.
pub(super) fn split(source: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut trim_next = false;
    while at <= source.len() {
        let open = source[at..].find("{{").map(|found| at + found);
        let mut text = &source[at..open.unwrap_or(source.len())];
        if trim_next {
            text = text.trim_start();
        }
        let Some(open) = open else {
            push_text(&mut pieces, text);
            break;
        };
        let mut inside = open + 2;
        if let Some(rest) = source[inside..].strip_prefix('-')
            && rest.starts_with(is_blank)
        {
            text = text.trim_end();
            inside += 1;
        }
        push_text(&mut pieces, text);
        let mut lexer = Lexer { source, at: inside, open };
        if let Some(action) = lexer.action()? {
            pieces.push(Piece::Action(action));
        }
        trim_next =
            source[..lexer.at].ends_with("-}}") && source[..lexer.at - 3].ends_with(is_blank);
        at = lexer.at;
    }
    Ok(pieces)
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    open: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    fn error(&self, problem: Syntax) -> TemplateError {
        syntax(self.source, self.open, problem)
    }

    /// Reads up to and with the `}}`. A comment has no tokens.
    fn action(&mut self) -> Result<Option<Action>, TemplateError> {
        let start = self.at;
        let blanks = self.rest().len() - self.rest().trim_start_matches(is_blank).len();
        if self.rest()[blanks..].starts_with("/*") && (blanks == 0 || start > self.open + 2) {
            self.at += blanks;
            return self.comment().map(|()| None);
        }
        let mut tokens = Vec::new();
        loop {
            let before = self.at;
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches(is_blank).len();
            let spaced = self.at > before;
            if self.rest().is_empty() {
                return Err(self.error(Syntax::UnclosedAction));
            }
            let close = match self.rest() {
                rest if rest.starts_with("}}") => 2,
                rest if spaced && rest.starts_with("-}}") => 3,
                _ => 0,
            };
            if close > 0 {
                self.at += close;
                return Ok(Some(Action { at: start, tokens }));
            }
            let start = self.at;
            let kind = self.token()?;
            tokens.push(Token { kind, start, end: self.at, spaced });
        }
    }

    fn comment(&mut self) -> Result<(), TemplateError> {
        let end = self.rest().find("*/").ok_or_else(|| self.error(Syntax::UnclosedComment))?;
        self.at += end + 2;
        let rest = self.rest();
        let blanks = rest.len() - rest.trim_start_matches(is_blank).len();
        self.at += match (rest.starts_with("}}"), rest[blanks..].starts_with("-}}")) {
            (true, _) => 2,
            (_, true) if blanks > 0 => blanks + 3,
            _ => return Err(self.error(Syntax::CommentEnd)),
        };
        Ok(())
    }

    fn token(&mut self) -> Result<TokenKind, TemplateError> {
        let rest = self.rest();
        let mut chars = rest.chars();
        let first = chars.next().unwrap_or_default();
        let second = chars.next();
        let (kind, length) = match first {
            '(' => (TokenKind::Open, 1),
            ')' => (TokenKind::Close, 1),
            '|' => (TokenKind::Pipe, 1),
            ',' => (TokenKind::Comma, 1),
            '=' => (TokenKind::Assign, 1),
            ':' if second == Some('=') => (TokenKind::Declare, 2),
            '.' if second.is_some_and(|c| c.is_ascii_digit()) => return self.number(),
            '.' if second.is_some_and(is_word) => {
                let name = word(&rest[1..]);
                (TokenKind::Field(name.to_owned()), 1 + name.len())
            }
            '.' => (TokenKind::Dot, 1),
            '$' => {
                let name = word(&rest[1..]);
                (TokenKind::Variable(format!("${name}")), 1 + name.len())
            }
            '"' | '`' | '\'' => return self.quoted(first),
            c if c.is_ascii_digit() || matches!(c, '+' | '-') => return self.number(),
            c if is_word(c) => {
                let name = word(rest);
                (TokenKind::Word(name.to_owned()), name.len())
            }
            '}' => return Err(self.error(Syntax::LoneBrace)),
            c => return Err(self.error(Syntax::Unexpected(c.into()))),
        };
        self.at += length;
        Ok(kind)
    }

    fn number(&mut self) -> Result<TokenKind, TemplateError> {
        let rest = self.rest();
        let sign = usize::from(rest.starts_with(['+', '-']));
        let is_part = |c: char| is_word(c) || c == '.';
        let length = rest[sign..].find(|c| !is_part(c)).map_or(rest.len(), |end| sign + end);
        let text = &rest[..length];
        let value = parse_number(text).ok_or_else(|| self.error(Syntax::BadNumber(text.into())))?;
        self.at += length;
        Ok(TokenKind::Literal(value))
    }

    fn quoted(&mut self, quote: char) -> Result<TokenKind, TemplateError> {
        let rest = self.rest();
        let mut text = String::new();
        let mut chars = rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                c if c == quote => {
                    let literal = &rest[..=at];
                    let value = match (quote, text.chars().count()) {
                        ('\'', 1) => Value::from(text.chars().next().map_or(0, u32::from)),
                        ('\'', _) => {
                            return Err(self.error(Syntax::BadCharacter(literal.to_owned())));
                        }
                        _ => Value::from(text),
                    };
                    self.at += at + 1;
                    return Ok(TokenKind::Literal(value));
                }
                '\\' if quote != '`' => {
                    let escaped = escape(&mut chars);
                    text.push(escaped.ok_or_else(|| self.error(Syntax::BadString))?);
                }
                '\n' if quote != '`' => break,
                c => text.push(c),
            }
        }
        Err(self.error(Syntax::UnclosedString))
    }
}

fn word(text: &str) -> &str {
    &text[..text.find(|c| !is_word(c)).unwrap_or(text.len())]
}

/// The character that an escape of Go names, after its backslash.
fn escape(chars: &mut impl Iterator<Item = (usize, char)>) -> Option<char> {
    let digits = match chars.next()?.1 {
        'n' => return Some('\n'),
        't' => return Some('\t'),
        'r' => return Some('\r'),
        'a' => return Some('\x07'),
        'b' => return Some('\x08'),
        'f' => return Some('\x0c'),
        'v' => return Some('\x0b'),
        c @ ('\\' | '"' | '\'') => return Some(c),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => return None,
    };
    let code = (0..digits)
        .try_fold(0u32, |code, _| Some(code.checked_mul(16)? + chars.next()?.1.to_digit(16)?))?;
    char::from_u32(code)
}

fn parse_number(text: &str) -> Option<Value> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let plain = digits.replace('_', "");
    let radix = |prefix: &str, radix| {
        let digits = plain.strip_prefix(prefix)?;
        i64::from_str_radix(digits, radix).ok().filter(|_| digits.starts_with(is_word))
    };
    let integer = radix("0x", 16)
        .or_else(|| radix("0X", 16))
        .or_else(|| radix("0o", 8))
        .or_else(|| radix("0b", 2))
        .or_else(|| plain.parse::<i64>().ok().filter(|_| plain.starts_with(is_word)));
    if let Some(integer) = integer {
        return Some(Value::from(if negative { -integer } else { integer }));
    }
    let is_float = plain.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let float = plain.parse::<f64>().ok().filter(|_| is_float)?;
    Number::from_f64(if negative { -float } else { float }).map(Value::Number)
}
