//! Values as Go prints them (`%v`), and printf.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

use serde_json::Value;

use super::error::CallReason;
use super::item::Item;

/// Go refuses widths beyond this, too.
pub(super) const MAX_WIDTH: usize = 1_000_000;

/// A value as `{{.}}` prints it.
pub(super) fn text(item: &Item) -> String {
    match &item.value {
        Value::Null if item.is_map => "map[]".into(),
        Value::Null => "<no value>".into(),
        value => plain(value),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(value) => value.clone(),
        Value::Array(values) => {
            format!("[{}]", values.iter().map(plain).collect::<Vec<_>>().join(" "))
        }
        Value::Object(fields) => {
            let mut pairs: Vec<_> = fields.iter().collect();
            pairs.sort_by_key(|(key, _)| *key);
            let pairs: Vec<_> =
                pairs.into_iter().map(|(key, value)| format!("{key}:{}", plain(value))).collect();
            format!("map[{}]", pairs.join(" "))
        }
    }
}

/// The name of a value's type.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int",
        Value::String(_) => "string",
        Value::Array(_) => "slice",
        Value::Object(_) => "map",
    }
}

/// `print`: a blank between two operands of which neither is a string.
pub(super) fn print(items: &[Item]) -> String {
    let mut out = String::new();
    for (index, item) in items.iter().enumerate() {
        let is_text = |item: &Item| item.value.is_string();
        if index > 0 && !is_text(item) && !is_text(&items[index - 1]) {
            out.push(' ');
        }
        out += &text(item);
    }
    out
}

/// `println`: a blank between any two, and a line break.
pub(super) fn println(items: &[Item]) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(" ") + "\n"
}

/// One `%-5.2s` without its verb.
#[derive(Default)]
struct Directive {
    left: bool,
    zero: bool,
    plus: bool,
    width: usize,
    precision: Option<usize>,
}

/// `printf`. As in Go, an argument that does not fit shows in the text: `%!d(string=x)`.
pub(super) fn printf(format: &str, items: &[Item]) -> Result<String, CallReason> {
    let mut out = String::new();
    let mut chars = format.chars().peekable();
    let mut arguments = items.iter();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let directive = Directive::read(&mut chars)?;
        match chars.next() {
            None => out += "%!(NOVERB)",
            Some('%') => out.push('%'),
            Some(verb) => match arguments.next() {
                None => _ = write!(out, "%!{verb}(MISSING)"),
                Some(item) => out += &directive.apply(verb, item),
            },
        }
    }
    let extra: Vec<String> = arguments.map(|item| typed(&item.value)).collect();
    if !extra.is_empty() {
        _ = write!(out, "%!(EXTRA {})", extra.join(", "));
    }
    Ok(out)
}

fn typed(value: &Value) -> String {
    format!("{}={}", kind(value), plain(value))
}

impl Directive {
    fn read(chars: &mut Peekable<Chars>) -> Result<Self, CallReason> {
        let mut directive = Self::default();
        while let Some(flag) = chars.next_if(|c| matches!(c, '-' | '0' | '+' | '#' | ' ')) {
            directive.left |= flag == '-';
            directive.zero |= flag == '0';
            directive.plus |= flag == '+';
        }
        directive.width = digits(chars)?.unwrap_or(0);
        if chars.next_if_eq(&'.').is_some() {
            directive.precision = Some(digits(chars)?.unwrap_or(0));
        }
        Ok(directive)
    }

    fn apply(&self, verb: char, item: &Item) -> String {
        let value = &item.value;
        let body = match (verb, value) {
            ('v' | 's', Value::String(text)) => self.cut(text),
            ('v', Value::Number(_)) => self.signed(&text(item)),
            ('v', _) => text(item),
            ('s', Value::Array(_) | Value::Object(_)) => plain(value),
            ('q', Value::String(text)) => format!("{:?}", self.cut(text)),
            ('t', Value::Bool(value)) => value.to_string(),
            ('d', Value::Number(number)) if !number.is_f64() => self.signed(&number.to_string()),
            ('x', Value::String(text)) => text.bytes().map(|b| format!("{b:02x}")).collect(),
            ('f' | 'g', Value::Number(number)) if number.is_f64() => {
                let float = number.as_f64().unwrap_or_default();
                match (verb, self.precision) {
                    ('f', precision) => self.signed(&format!("{float:.*}", precision.unwrap_or(6))),
                    _ => self.signed(&number.to_string()),
                }
            }
            ('x' | 'X' | 'o' | 'b' | 'c', Value::Number(number)) => match number.as_i64() {
                Some(number) => in_radix(verb, number),
                None => format!("%!{verb}({})", typed(value)),
            },
            _ => format!("%!{verb}({})", typed(value)),
        };
        self.pad(body, value.is_number())
    }

    fn cut(&self, text: &str) -> String {
        text.chars().take(self.precision.unwrap_or(usize::MAX)).collect()
    }

    fn signed(&self, number: &str) -> String {
        let sign = if self.plus && !number.starts_with('-') { "+" } else { "" };
        format!("{sign}{number}")
    }

    fn pad(&self, body: String, is_number: bool) -> String {
        let missing = self.width.saturating_sub(body.chars().count());
        if missing == 0 {
            return body;
        }
        if self.left {
            return body + &" ".repeat(missing);
        }
        if self.zero && is_number {
            let (sign, digits) = body.split_at(usize::from(body.starts_with(['-', '+'])));
            return format!("{sign}{}{digits}", "0".repeat(missing));
        }
        " ".repeat(missing) + &body
    }
}

fn in_radix(verb: char, number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    let size = number.unsigned_abs();
    match verb {
        'x' => format!("{sign}{size:x}"),
        'X' => format!("{sign}{size:X}"),
        'o' => format!("{sign}{size:o}"),
        'b' => format!("{sign}{size:b}"),
        _ => u32::try_from(number).ok().and_then(char::from_u32).unwrap_or('\u{fffd}').into(),
    }
}

fn digits(chars: &mut Peekable<Chars>) -> Result<Option<usize>, CallReason> {
    let mut number: Option<usize> = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        chars.next();
        let value = number.unwrap_or(0) * 10 + digit as usize;
        if value > MAX_WIDTH {
            return Err(CallReason::Width(i64::try_from(value).unwrap_or(i64::MAX)));
        }
        number = Some(value);
    }
    Ok(number)
}
