//! Rendering: nodes and a value to text.

use serde_json::Value;

use super::error::{Problem, TemplateError, place};
use super::item::{Item, Mode};
use super::node::{Base, Block, BlockKind, Command, Node, Operand, Pipeline, Target};
use super::{function, printing};

/// How a list of nodes was left.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

pub(super) struct Evaluator<'a> {
    methods: &'a [(&'static str, Value)],
    mode: Mode,
    variables: Vec<(String, Item)>,
    out: String,
}

/// A problem and the part of the source that it is told for.
struct Failed {
    problem: Problem,
    at: usize,
    start: usize,
    end: usize,
}

type Outcome<T> = Result<T, Failed>;

impl<'a> Evaluator<'a> {
    pub(super) fn new(root: &Value, methods: &'a [(&'static str, Value)], mode: Mode) -> Self {
        let variables = vec![("$".to_owned(), Item::from(root.clone()))];
        Self { methods, mode, variables, out: String::new() }
    }

    pub(super) fn run(mut self, source: &str, nodes: &[Node]) -> Result<String, TemplateError> {
        let root = self.variables[0].1.clone();
        match self.nodes(nodes, &root) {
            Ok(_) => Ok(self.out),
            Err(failed) => {
                let (line, column) = place(source, failed.at);
                let at = source.get(failed.start..failed.end).unwrap_or_default().to_owned();
                Err(TemplateError::Render { line, column, at, problem: failed.problem })
            }
        }
    }

    fn nodes(&mut self, nodes: &[Node], dot: &Item) -> Outcome<Flow> {
        for node in nodes {
            let flow = match node {
                Node::Text(text) => {
                    self.out += text;
                    Flow::On
                }
                Node::Print(pipeline) => {
                    let item = self.pipeline(pipeline, dot)?;
                    if pipeline.target.is_none() {
                        self.out += &printing::text(&item);
                    }
                    Flow::On
                }
                Node::Block(block) => {
                    let known = self.variables.len();
                    let flow = self.block(block, dot)?;
                    self.variables.truncate(known);
                    flow
                }
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn block(&mut self, block: &Block, dot: &Item) -> Outcome<Flow> {
        if block.kind == BlockKind::Range {
            return self.range(block, dot);
        }
        let item = self.pipeline(&block.over, dot)?;
        match (item.is_true(), block.kind) {
            (false, _) => self.nodes(&block.otherwise, dot),
            (true, BlockKind::With) => self.nodes(&block.body, &item),
            (true, _) => self.nodes(&block.body, dot),
        }
    }

    fn range(&mut self, block: &Block, dot: &Item) -> Outcome<Flow> {
        let over = &block.over;
        let list = self.commands(over, dot)?;
        let known = self.variables.len();
        let Some(parts) = parts(&list) else {
            let (start, end) = span(over);
            let problem = Problem::Range(printing::text(&list));
            return Err(Failed { problem, at: start, start, end });
        };
        let mut is_empty = true;
        for (key, item) in parts {
            is_empty = false;
            match over.target.as_ref().map(|target| (target, target.names.as_slice())) {
                Some((target, [one])) => self.set(target, one, item.clone()),
                Some((target, [first, second, ..])) => {
                    self.set(target, first, Item::from(key));
                    self.set(target, second, item.clone());
                }
                _ => {}
            }
            let flow = self.nodes(&block.body, &item)?;
            self.variables.truncate(known);
            if flow == Flow::Break {
                break;
            }
        }
        if is_empty { self.nodes(&block.otherwise, dot) } else { Ok(Flow::On) }
    }

    fn set(&mut self, target: &Target, name: &str, item: Item) {
        let known = self.variables.iter_mut().rev().find(|(known, _)| known == name);
        match known {
            Some((_, place)) if !target.declares => *place = item,
            _ => self.variables.push((name.to_owned(), item)),
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Item) -> Outcome<Item> {
        let item = self.commands(pipeline, dot)?;
        if let Some(target) = &pipeline.target {
            for name in &target.names {
                self.set(target, name, item.clone());
            }
        }
        Ok(item)
    }

    fn commands(&mut self, pipeline: &Pipeline, dot: &Item) -> Outcome<Item> {
        let mut last = None;
        for command in &pipeline.commands {
            last = Some(self.command(command, dot, last)?);
        }
        Ok(last.unwrap_or(Item::from(Value::Null)))
    }

    fn command(&mut self, command: &Command, dot: &Item, last: Option<Item>) -> Outcome<Item> {
        let (first, rest) = match command.operands.split_first() {
            Some(split) => split,
            None => return Ok(Item::from(Value::Null)),
        };
        let failed =
            |problem| Failed { problem, at: command.start, start: command.start, end: command.end };
        match &first.base {
            Base::Function(name) if name == "and" || name == "or" => {
                self.short_circuit(name, rest, (dot, last)).and_then(|item| {
                    item.ok_or_else(|| {
                        let want = "at least 1".to_owned();
                        failed(Problem::Arguments { function: name.clone(), want, got: 0 })
                    })
                })
            }
            Base::Function(name) => {
                let mut items = self.all(rest, dot)?;
                items.extend(last);
                function::call(name, &items, self.mode).map_err(failed)
            }
            Base::Nil => Err(failed(Problem::Nil)),
            _ if rest.is_empty() && last.is_none() => self.operand(first, dot),
            Base::Dot | Base::Variable(_) if !first.fields.is_empty() => {
                let mut items = self.all(rest, dot)?;
                items.extend(last);
                self.method(first, &items, dot)
            }
            _ => {
                let text = match &first.base {
                    Base::Literal(value) => value.to_string(),
                    _ => printing::text(&self.operand(first, dot)?),
                };
                Err(failed(Problem::NotAFunction(text)))
            }
        }
    }

    /// `and` gives its first false argument, `or` its first true one, else the last; arguments
    /// after that are not looked at.
    fn short_circuit(
        &mut self,
        name: &str,
        operands: &[Operand],
        (dot, last): (&Item, Option<Item>),
    ) -> Outcome<Option<Item>> {
        let mut found = None;
        for operand in operands {
            let item = self.operand(operand, dot)?;
            let decides = item.is_true() == (name == "or");
            found = Some(item);
            if decides {
                return Ok(found);
            }
        }
        Ok(last.or(found))
    }

    fn all(&mut self, operands: &[Operand], dot: &Item) -> Outcome<Vec<Item>> {
        operands.iter().map(|operand| self.operand(operand, dot)).collect()
    }

    fn operand(&mut self, operand: &Operand, dot: &Item) -> Outcome<Item> {
        // Most operands are a field of the dot, which may be large: it is not copied for one.
        if let (Base::Dot, Some((first, rest))) = (&operand.base, operand.fields.split_first()) {
            let item = self.field(dot, first).map_err(|problem| failed_at(operand, problem))?;
            return self.fields(operand, item, rest);
        }
        let item = self.base(operand, dot)?;
        self.fields(operand, item, &operand.fields)
    }

    fn base(&mut self, operand: &Operand, dot: &Item) -> Outcome<Item> {
        match &operand.base {
            Base::Dot => Ok(dot.clone()),
            Base::Variable(name) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                Ok(known.map_or(Item::from(Value::Null), |(_, item)| item.clone()))
            }
            Base::Literal(value) => Ok(Item::from(value.clone())),
            Base::Nil => Ok(Item::from(Value::Null)),
            Base::Function(name) => {
                function::call(name, &[], self.mode).map_err(|problem| failed_at(operand, problem))
            }
            Base::Pipeline(pipeline) => self.pipeline(pipeline, dot),
        }
    }

    fn fields(&self, operand: &Operand, mut item: Item, names: &[String]) -> Outcome<Item> {
        for name in names {
            item = self.field(&item, name).map_err(|problem| failed_at(operand, problem))?;
        }
        Ok(item)
    }

    fn field(&self, item: &Item, name: &str) -> Result<Item, Problem> {
        match &item.value {
            Value::Object(fields) => match fields.get(name) {
                Some(value) => Ok(item.below(name, value)),
                None if item.is_map || self.mode == Mode::Header => Ok(Item::from(Value::Null)),
                None => Err(Problem::NoField(name.to_owned())),
            },
            Value::Null if item.is_map => Ok(Item::from(Value::Null)),
            other => Err(Problem::FieldOf { name: name.to_owned(), kind: printing::kind(other) }),
        }
    }

    /// `.Label "key"`
    fn method(&mut self, operand: &Operand, items: &[Item], dot: &Item) -> Outcome<Item> {
        let Some((name, before)) = operand.fields.split_last() else {
            return self.operand(operand, dot);
        };
        let owner = self.base(operand, dot)?;
        let owner = self.fields(operand, owner, before)?;
        let no_method = || failed_at(operand, Problem::NoMethod(name.clone()));
        let [Item { value: Value::String(key), .. }] = items else { return Err(no_method()) };
        if self.mode == Mode::Header {
            return Ok(Item::from(Value::from(header_of(key))));
        }
        let table = self
            .methods
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, table)| table)
            .or_else(|| owner.value.get(name));
        match table {
            Some(Value::Object(table)) => {
                Ok(Item::from(table.get(key).cloned().unwrap_or_else(|| "".into())))
            }
            Some(Value::Null) => Ok(Item::from(Value::from(""))),
            _ => Err(no_method()),
        }
    }
}

/// The header of a column that shows one label: the last part of its key.
fn header_of(key: &str) -> String {
    key.rsplit('.').next().unwrap_or(key).replace(['-', '_'], " ")
}

fn failed_at(operand: &Operand, problem: Problem) -> Failed {
    Failed { problem, at: operand.at, start: operand.start, end: operand.end }
}

fn span(pipeline: &Pipeline) -> (usize, usize) {
    let start = pipeline.commands.first().map_or(0, |command| command.start);
    (start, pipeline.commands.last().map_or(start, |command| command.end))
}

/// What a loop goes over: keys and items. None for what has no parts.
fn parts(list: &Item) -> Option<Box<dyn Iterator<Item = (Value, Item)> + '_>> {
    match &list.value {
        Value::Null => Some(Box::new(std::iter::empty())),
        Value::Array(values) => Some(Box::new(values.iter().enumerate().map(|(at, value)| {
            (Value::from(at), Item { value: value.clone(), is_map: list.is_map })
        }))),
        Value::Object(fields) => {
            let mut pairs: Vec<_> = fields.iter().collect();
            pairs.sort_by_key(|(key, _)| *key);
            Some(Box::new(
                pairs
                    .into_iter()
                    .map(|(key, value)| (Value::from(key.clone()), list.below(key, value))),
            ))
        }
        Value::Number(number) => {
            let count = number.as_i64()?;
            Some(Box::new((0..count).map(|at| (Value::from(at), Item::from(Value::from(at))))))
        }
        _ => None,
    }
}
