//! From pieces to nodes.

use serde_json::Value;

use super::error::{Syntax, TemplateError, syntax};
use super::function;
use super::lexer::{Action, Piece, Token, TokenKind};
use super::node::{Base, Block, BlockKind, Command, Node, Operand, Pipeline, Target};

/// More than anyone writes, and far less than the stack holds.
const MAX_DEPTH: usize = 100;

/// Parses all pieces.
pub(super) fn parse(source: &str, pieces: Vec<Piece>) -> Result<Vec<Node>, TemplateError> {
    let mut parser = Parser {
        source,
        pieces: pieces.into_iter(),
        variables: vec!["$".into()],
        depth: 0,
        loops: 0,
    };
    match parser.nodes()? {
        (nodes, Ending::Eof) => Ok(nodes),
        (_, Ending::End(at)) => Err(syntax(source, at, Syntax::UnexpectedKeyword("end"))),
        (_, Ending::Else(action)) => {
            Err(syntax(source, action.at, Syntax::UnexpectedKeyword("else")))
        }
    }
}

/// What a list of nodes ends at.
enum Ending {
    Eof,
    End(usize),
    /// The action begins after the word `else`.
    Else(Action),
}

struct Parser<'a> {
    source: &'a str,
    pieces: std::vec::IntoIter<Piece>,
    variables: Vec<String>,
    depth: usize,
    loops: usize,
}

impl Parser<'_> {
    fn error(&self, at: usize, problem: Syntax) -> TemplateError {
        syntax(self.source, at, problem)
    }

    fn deeper(&mut self, at: usize) -> Result<(), TemplateError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(at, Syntax::TooDeep(MAX_DEPTH)));
        }
        Ok(())
    }

    fn nodes(&mut self) -> Result<(Vec<Node>, Ending), TemplateError> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let action = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text));
                    continue;
                }
                Piece::Action(action) => action,
            };
            match keyword(&action) {
                Some("end") => return Ok((nodes, Ending::End(action.at))),
                Some("else") => return Ok((nodes, Ending::Else(without_first(action)))),
                Some(word) => nodes.push(self.keyword(word, action)?),
                None => nodes.push(Node::Print(self.whole(&action, "command")?)),
            }
        }
        Ok((nodes, Ending::Eof))
    }

    fn keyword(&mut self, word: &'static str, action: Action) -> Result<Node, TemplateError> {
        let at = action.at;
        match word {
            "if" => self.block(BlockKind::If, &without_first(action)),
            "range" => self.block(BlockKind::Range, &without_first(action)),
            "with" => self.block(BlockKind::With, &without_first(action)),
            "break" | "continue" if self.loops == 0 => {
                Err(self.error(at, Syntax::OutsideRange(word)))
            }
            "break" => Ok(Node::Break),
            "continue" => Ok(Node::Continue),
            _ => Err(self.error(at, Syntax::Unsupported(word))),
        }
    }

    /// Parses from after the word `if`, `range` or `with` to its `{{end}}`.
    fn block(&mut self, kind: BlockKind, action: &Action) -> Result<Node, TemplateError> {
        self.deeper(action.at)?;
        let known = self.variables.len();
        let over = self.whole(action, block_word(kind))?;
        self.loops += usize::from(kind == BlockKind::Range);
        let (body, ending) = self.nodes()?;
        self.loops -= usize::from(kind == BlockKind::Range);
        let otherwise = match ending {
            Ending::Eof => return Err(self.error(self.source.len(), Syntax::End)),
            Ending::End(_) => Vec::new(),
            Ending::Else(rest) => self.otherwise(kind, rest)?,
        };
        self.variables.truncate(known);
        self.depth -= 1;
        Ok(Node::Block(Block { kind, over, body, otherwise }))
    }

    /// Parses from after the word `else`. `{{else if}}` is a block of its own, and its `{{end}}`
    /// is the end of both.
    fn otherwise(&mut self, kind: BlockKind, rest: Action) -> Result<Vec<Node>, TemplateError> {
        match (kind, keyword(&rest)) {
            (BlockKind::If, Some("if")) => Ok(vec![self.block(kind, &without_first(rest))?]),
            (BlockKind::With, Some("with")) => Ok(vec![self.block(kind, &without_first(rest))?]),
            _ if !rest.tokens.is_empty() => {
                let start = rest.tokens[0].start;
                let word = self.source[start..rest.tokens[0].end].to_owned();
                Err(self.error(start, Syntax::Unexpected(word)))
            }
            _ => match self.nodes()? {
                (nodes, Ending::End(_)) => Ok(nodes),
                (_, Ending::Else(action)) => {
                    Err(self.error(action.at, Syntax::UnexpectedKeyword("else")))
                }
                (_, Ending::Eof) => Err(self.error(self.source.len(), Syntax::End)),
            },
        }
    }

    /// Parses an action that is one pipeline.
    fn whole(&mut self, action: &Action, what: &'static str) -> Result<Pipeline, TemplateError> {
        let mut rest = action.tokens.as_slice();
        let target = self.target(&mut rest)?;
        let pipeline = self.pipeline(&mut rest, what, action.at)?;
        if let Some(token) = rest.first() {
            return Err(self.error(token.start, Syntax::UnopenedParen));
        }
        // Declared only now: a variable is not known in its own value.
        if let Some(Target { names, declares: true }) = &target {
            self.variables.extend(names.iter().cloned());
        }
        Ok(Pipeline { target, ..pipeline })
    }

    fn target(&self, rest: &mut &[Token]) -> Result<Option<Target>, TemplateError> {
        let (names, used) = match *rest {
            [a, c, b, ..] if c.kind == TokenKind::Comma => (vec![a, b], 3),
            [a, ..] => (vec![a], 1),
            [] => return Ok(None),
        };
        let declares = match rest.get(used).map(|token| &token.kind) {
            Some(TokenKind::Declare) => true,
            Some(TokenKind::Assign) => false,
            _ => return Ok(None),
        };
        let name = |token: &Token| match &token.kind {
            TokenKind::Variable(name) if declares || self.variables.contains(name) => {
                Ok(name.clone())
            }
            TokenKind::Variable(name) => {
                Err(self.error(token.start, Syntax::NoVariable(name.clone())))
            }
            _ => {
                let word = self.source[token.start..token.end].to_owned();
                Err(self.error(token.start, Syntax::Unexpected(word)))
            }
        };
        let names = names.into_iter().map(name).collect::<Result<_, _>>()?;
        *rest = &rest[used + 1..];
        Ok(Some(Target { names, declares }))
    }

    /// Parses commands up to a `)` or the end.
    fn pipeline(
        &mut self,
        rest: &mut &[Token],
        what: &'static str,
        at: usize,
    ) -> Result<Pipeline, TemplateError> {
        if rest.first().is_none_or(|token| token.kind == TokenKind::Close) {
            return Err(self.error(at, Syntax::NoValue(what)));
        }
        let mut commands = Vec::new();
        loop {
            commands.push(self.command(rest)?);
            match rest.split_first() {
                Some((token, after)) if token.kind == TokenKind::Pipe => *rest = after,
                _ => return Ok(Pipeline { target: None, commands }),
            }
        }
    }

    fn command(&mut self, rest: &mut &[Token]) -> Result<Command, TemplateError> {
        let mut operands: Vec<Operand> = Vec::new();
        while let Some(token) = rest.first() {
            if matches!(token.kind, TokenKind::Close | TokenKind::Pipe) && !operands.is_empty() {
                break;
            }
            operands.push(self.operand(rest)?);
        }
        match (operands.first(), operands.last()) {
            (Some(first), Some(last)) => {
                Ok(Command { start: first.start, end: last.end, operands })
            }
            _ => Err(self.error(self.source.len(), Syntax::NoValue("command"))),
        }
    }

    fn operand(&mut self, rest: &mut &[Token]) -> Result<Operand, TemplateError> {
        let Some((token, after)) = rest.split_first() else {
            return Err(self.error(self.source.len(), Syntax::NoValue("command")));
        };
        *rest = after;
        let mut fields = Vec::new();
        let base = match &token.kind {
            TokenKind::Dot => Base::Dot,
            TokenKind::Field(name) => {
                fields.push(name.clone());
                Base::Dot
            }
            TokenKind::Variable(name) if self.variables.contains(name) => {
                Base::Variable(name.clone())
            }
            TokenKind::Variable(name) => {
                return Err(self.error(token.start, Syntax::NoVariable(name.clone())));
            }
            TokenKind::Literal(value) => Base::Literal(value.clone()),
            TokenKind::Word(word) => self.word(token, word)?,
            TokenKind::Open => self.parenthesised(token, rest)?,
            _ => {
                let word = self.source[token.start..token.end].to_owned();
                return Err(self.error(token.start, Syntax::Unexpected(word)));
            }
        };
        let mut operand =
            Operand { base, fields, at: token.start, start: token.start, end: token.end };
        let mut is_first = true;
        while let Some((Token { kind: TokenKind::Field(name), spaced: false, start, end }, after)) =
            rest.split_first()
        {
            if std::mem::take(&mut is_first) {
                operand.at = *start;
            }
            operand.fields.push(name.clone());
            operand.end = *end;
            *rest = after;
        }
        Ok(operand)
    }

    fn word(&self, token: &Token, word: &str) -> Result<Base, TemplateError> {
        match word {
            "true" => Ok(Base::Literal(Value::Bool(true))),
            "false" => Ok(Base::Literal(Value::Bool(false))),
            "nil" => Ok(Base::Nil),
            _ if function::exists(word) => Ok(Base::Function(word.to_owned())),
            _ => Err(self.error(token.start, Syntax::NoFunction(word.to_owned()))),
        }
    }

    fn parenthesised(&mut self, open: &Token, rest: &mut &[Token]) -> Result<Base, TemplateError> {
        self.deeper(open.start)?;
        let pipeline = self.pipeline(rest, "parenthesized pipeline", open.start)?;
        self.depth -= 1;
        match rest.split_first() {
            Some((token, after)) if token.kind == TokenKind::Close => *rest = after,
            _ => return Err(self.error(open.start, Syntax::UnclosedParen)),
        }
        Ok(Base::Pipeline(Box::new(pipeline)))
    }
}

/// The keyword that an action begins with.
fn keyword(action: &Action) -> Option<&'static str> {
    const KEYWORDS: [&str; 10] =
        ["if", "range", "with", "else", "end", "break", "continue", "define", "template", "block"];
    match &action.tokens.first()?.kind {
        TokenKind::Word(word) => KEYWORDS.into_iter().find(|keyword| keyword == word),
        _ => None,
    }
}

fn without_first(mut action: Action) -> Action {
    action.tokens.remove(0);
    action
}

fn block_word(kind: BlockKind) -> &'static str {
    match kind {
        BlockKind::If => "if",
        BlockKind::Range => "range",
        BlockKind::With => "with",
    }
}
