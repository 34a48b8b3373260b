//! The functions: Go's own and Docker's.

use std::cmp::Ordering;

use serde_json::Value;

use super::error::{CallReason, Problem};
use super::item::{Item, Mode};
use super::printing::{self, MAX_WIDTH, kind};

/// Name, fewest and most arguments.
const FUNCTIONS: [(&str, usize, usize); 23] = [
    ("and", 1, usize::MAX),
    ("or", 1, usize::MAX),
    ("not", 1, 1),
    ("len", 1, 1),
    ("index", 1, usize::MAX),
    ("slice", 1, 3),
    ("print", 0, usize::MAX),
    ("println", 0, usize::MAX),
    ("printf", 1, usize::MAX),
    ("eq", 2, usize::MAX),
    ("ne", 2, 2),
    ("lt", 2, 2),
    ("le", 2, 2),
    ("gt", 2, 2),
    ("ge", 2, 2),
    ("json", 1, 1),
    ("split", 2, 2),
    ("join", 2, 2),
    ("title", 1, 1),
    ("lower", 1, 1),
    ("upper", 1, 1),
    ("pad", 3, 3),
    ("truncate", 2, 2),
];

/// Is there such a function?
pub(super) fn exists(name: &str) -> bool {
    FUNCTIONS.iter().any(|(known, ..)| *known == name)
}

/// Calls a function.
pub(super) fn call(name: &str, items: &[Item], mode: Mode) -> Result<Item, Problem> {
    arity(name, items.len())?;
    if mode == Mode::Header && matches!(name, "json" | "title" | "lower" | "upper" | "truncate") {
        return Ok(items[0].clone());
    }
    let refuse = |reason| Problem::Call { function: name.to_owned(), reason };
    let value = match name {
        "not" => Value::Bool(!items[0].is_true()),
        "len" => Value::from(length(&items[0]).map_err(refuse)?),
        "index" => return index(&items[0], &items[1..]).map_err(refuse),
        "slice" => slice(items)?,
        "print" => Value::from(printing::print(items)),
        "println" => Value::from(printing::println(items)),
        "printf" => printing::printf(string(&items[0])?, &items[1..]).map_err(refuse)?.into(),
        "eq" | "ne" | "lt" | "le" | "gt" | "ge" => Value::Bool(compare(name, items)?),
        "json" => Value::from(items[0].value.to_string()),
        "split" => string(&items[0])?.split(string(&items[1])?).collect::<Vec<_>>().into(),
        "join" => Value::from(join(&items[0], string(&items[1])?)?),
        "title" => Value::from(title(string(&items[0])?)),
        "lower" => Value::from(string(&items[0])?.to_lowercase()),
        "upper" => Value::from(string(&items[0])?.to_uppercase()),
        "pad" => Value::from(pad(items)?),
        _ => truncate(items)?,
    };
    Ok(Item::from(value))
}

fn arity(name: &str, got: usize) -> Result<(), Problem> {
    let (_, least, most) =
        FUNCTIONS.into_iter().find(|(known, ..)| *known == name).unwrap_or(("", 0, usize::MAX));
    if (least..=most).contains(&got) {
        return Ok(());
    }
    let want = if most == usize::MAX { format!("at least {least}") } else { most.to_string() };
    Err(Problem::Arguments { function: name.to_owned(), want, got })
}

fn string(item: &Item) -> Result<&str, Problem> {
    item.value.as_str().ok_or(Problem::Type { want: "string", got: kind(&item.value) })
}

fn integer(item: &Item) -> Result<i64, Problem> {
    item.value.as_i64().ok_or(Problem::Type { want: "int", got: kind(&item.value) })
}

fn length(item: &Item) -> Result<usize, CallReason> {
    match &item.value {
        Value::String(text) => Ok(text.len()),
        Value::Array(values) => Ok(values.len()),
        Value::Object(fields) => Ok(fields.len()),
        // An empty list or map is null in many of Docker's records.
        Value::Null => Ok(0),
        other => Err(CallReason::NoLength(kind(other))),
    }
}

fn index(item: &Item, keys: &[Item]) -> Result<Item, CallReason> {
    let mut found = item.clone();
    for key in keys {
        found = match (&found.value, &key.value) {
            (Value::Object(fields), Value::String(name)) => match fields.get(name) {
                Some(value) => found.below(name, value),
                // The empty value of a map of strings, which most are.
                None => Item::from(Value::from("")),
            },
            (Value::Object(_), other) => return Err(CallReason::KeyType(kind(other))),
            (Value::Array(values), Value::Number(number)) if !number.is_f64() => {
                let at = number.as_i64().unwrap_or(i64::MAX);
                let value = usize::try_from(at).ok().and_then(|at| values.get(at));
                let value = value.ok_or(CallReason::OutOfRange(at))?;
                Item { value: value.clone(), is_map: found.is_map }
            }
            (Value::Array(_), other) => return Err(CallReason::IndexType(kind(other))),
            (Value::String(text), Value::Number(number)) if !number.is_f64() => {
                let at = number.as_i64().unwrap_or(i64::MAX);
                let byte = usize::try_from(at).ok().and_then(|at| text.as_bytes().get(at));
                Item::from(Value::from(*byte.ok_or(CallReason::OutOfRange(at))?))
            }
            (Value::String(_), other) => return Err(CallReason::IndexType(kind(other))),
            (Value::Null, Value::String(_)) => Item::from(Value::from("")),
            (other, _) => return Err(CallReason::NotIndexable(kind(other))),
        };
    }
    Ok(found)
}

fn slice(items: &[Item]) -> Result<Value, Problem> {
    let refuse = |reason| Problem::Call { function: "slice".into(), reason };
    let length = length(&items[0]).map_err(refuse)?;
    let bound = |item: Option<&Item>, default: usize| match item.map(integer).transpose()? {
        None => Ok(default),
        Some(at) => usize::try_from(at)
            .ok()
            .filter(|at| *at <= length)
            .ok_or_else(|| refuse(CallReason::OutOfRange(at))),
    };
    let (start, end) = (bound(items.get(1), 0)?, bound(items.get(2), length)?);
    let out_of_range = || refuse(CallReason::OutOfRange(i64::try_from(start).unwrap_or(i64::MAX)));
    match &items[0].value {
        Value::String(text) => text.get(start..end).map(Value::from).ok_or_else(out_of_range),
        Value::Array(values) => {
            values.get(start..end).map(|part| part.to_vec().into()).ok_or_else(out_of_range)
        }
        other => Err(refuse(CallReason::NotSliceable(kind(other)))),
    }
}

fn join(list: &Item, separator: &str) -> Result<String, Problem> {
    let wrong = |value| Problem::Type { want: "[]string", got: kind(value) };
    match &list.value {
        Value::Null => Ok(String::new()),
        Value::Array(values) => {
            let texts: Result<Vec<&str>, _> =
                values.iter().map(|value| value.as_str().ok_or_else(|| wrong(value))).collect();
            Ok(texts?.join(separator))
        }
        other => Err(wrong(other)),
    }
}

/// Every first letter of a word in upper case.
fn title(text: &str) -> String {
    let mut inside = false;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if inside {
            out.push(c);
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphanumeric() || matches!(c, '_' | '\'');
    }
    out
}

fn pad(items: &[Item]) -> Result<String, Problem> {
    let text = string(&items[0])?;
    let blanks = |item: &Item| {
        let count = integer(item)?;
        usize::try_from(count)
            .ok()
            .filter(|count| *count <= MAX_WIDTH)
            .map(|count| " ".repeat(count))
            .ok_or(Problem::Call { function: "pad".into(), reason: CallReason::Width(count) })
    };
    let (before, after) = (blanks(&items[1])?, blanks(&items[2])?);
    Ok(if text.is_empty() { String::new() } else { format!("{before}{text}{after}") })
}

fn truncate(items: &[Item]) -> Result<Value, Problem> {
    let text = string(&items[0])?;
    let length = usize::try_from(integer(&items[1])?).unwrap_or(0);
    Ok(text.chars().take(length).collect::<String>().into())
}

fn compare(name: &str, items: &[Item]) -> Result<bool, Problem> {
    let refuse = |reason| Problem::Call { function: name.to_owned(), reason };
    let first = &items[0].value;
    if name == "eq" {
        let mut found = false;
        for item in &items[1..] {
            found |= equal(first, &item.value).map_err(refuse)?;
        }
        return Ok(found);
    }
    let second = &items[1].value;
    if name == "ne" {
        return equal(first, second).map(|equal| !equal).map_err(refuse);
    }
    let order = order(first, second).map_err(refuse)?;
    Ok(match name {
        "lt" => order == Ordering::Less,
        "le" => order != Ordering::Greater,
        "gt" => order == Ordering::Greater,
        _ => order != Ordering::Less,
    })
}

fn equal(a: &Value, b: &Value) -> Result<bool, CallReason> {
    match (a, b) {
        (Value::Null, _) | (_, Value::Null) => Ok(a == b),
        (Value::Array(_) | Value::Object(_), _) => Err(CallReason::NotComparable),
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        _ => order(a, b).map(|order| order == Ordering::Equal),
    }
}

fn order(a: &Value, b: &Value) -> Result<Ordering, CallReason> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Ok(a.cmp(b)),
        // JSON does not tell 1 from 1.0, so neither does this.
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Ok(a.cmp(&b)),
            _ => a.as_f64().partial_cmp(&b.as_f64()).ok_or(CallReason::NotComparable),
        },
        (Value::Bool(_) | Value::Array(_) | Value::Object(_) | Value::Null, _) => {
            Err(CallReason::NotComparable)
        }
        _ => Err(CallReason::Incompatible),
    }
}
