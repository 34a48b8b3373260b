//! What a step's answer must be, and how it is compared.
//!
//! Regular expressions are searched line by line (`^` and `$` match at lines); those for
//! standard error ignore case.

use regex_lite::RegexBuilder;
use serde::Deserialize;
use serde_json::Value;

/// How a program ended and what it wrote.
pub struct Answer {
    pub status: i32,
    pub out: String,
    pub err: String,
}

/// The expectations of one step; texts may hold `{name}`, which the runner has replaced.
#[derive(Debug, Default, Deserialize)]
pub struct Expect {
    #[serde(default)]
    pub rc: Status,
    pub out: Option<String>,
    pub out_re: Option<String>,
    pub err_re: Option<String>,
    #[serde(default)]
    pub has: Vec<String>,
    #[serde(default)]
    pub hasnt: Vec<String>,
    pub lines: Option<usize>,
    #[serde(default)]
    pub json: serde_json::Map<String, Value>,
}

/// An exit status, one of several, or any but 0.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Status {
    One(i32),
    Of(Vec<i32>),
    Word(String),
}

impl Default for Status {
    fn default() -> Self {
        Status::One(0)
    }
}

impl Status {
    fn allows(&self, status: i32) -> bool {
        match self {
            Status::One(wanted) => *wanted == status,
            Status::Of(wanted) => wanted.contains(&status),
            Status::Word(word) => word == "nz" && status != 0,
        }
    }
}

impl Expect {
    /// What is wrong with `answer`: nothing, or one sentence for each finding.
    pub fn findings(&self, answer: &Answer) -> Vec<String> {
        let out = answer.out.strip_suffix('\n').unwrap_or(&answer.out);
        let mut found = Vec::new();
        if !self.rc.allows(answer.status) {
            found.push(format!("exit status {}, wanted {:?}", answer.status, self.rc));
        }
        if let Some(wanted) = self.out.as_deref().filter(|wanted| *wanted != out) {
            found.push(format!("stdout {out:?}, wanted {wanted:?}"));
        }
        if let Some(pattern) = self.out_re.as_deref().filter(|p| !search(p, out)) {
            found.push(format!("stdout {out:?} does not match {pattern:?}"));
        }
        let err = &answer.err;
        if let Some(pattern) = self.err_re.as_deref().filter(|p| !search_any_case(p, err)) {
            found.push(format!("stderr {err:?} does not match {pattern:?}"));
        }
        let lacking = self.has.iter().filter(|text| !out.contains(*text));
        found.extend(lacking.map(|text| format!("stdout {out:?} lacks {text:?}")));
        let unwanted = self.hasnt.iter().filter(|text| out.contains(*text));
        found.extend(unwanted.map(|text| format!("stdout {out:?} has {text:?}")));
        if let Some(lines) = self.lines.filter(|lines| *lines != out.lines().count()) {
            found.push(format!("stdout {out:?}: wanted {lines} lines"));
        }
        found.extend(self.json_findings(&answer.out));
        found
    }

    fn json_findings(&self, out: &str) -> Vec<String> {
        if self.json.is_empty() {
            return Vec::new();
        }
        let Ok(document) = serde_json::from_str(out) else {
            return vec![format!("stdout {out:?} is no JSON")];
        };
        let wrong = self.json.iter().filter_map(|(path, wanted)| {
            let value = lookup(&document, path);
            let shown = value.map_or("absent".to_owned(), Value::to_string);
            (!same(value, wanted)).then(|| format!("{path} is {shown}, wanted {wanted}"))
        });
        wrong.collect()
    }
}

fn search(pattern: &str, text: &str) -> bool {
    RegexBuilder::new(pattern).multi_line(true).build().unwrap().is_match(text)
}

fn search_any_case(pattern: &str, text: &str) -> bool {
    RegexBuilder::new(pattern)
        .multi_line(true)
        .case_insensitive(true)
        .build()
        .unwrap()
        .is_match(text)
}

/// `null` also means an empty list or object, or nothing at all; `re:` begins a pattern.
fn same(value: Option<&Value>, wanted: &Value) -> bool {
    match (value, wanted) {
        (None | Some(Value::Null), Value::Null) => true,
        (Some(Value::Array(list)), Value::Null) => list.is_empty(),
        (Some(Value::Object(object)), Value::Null) => object.is_empty(),
        (Some(Value::String(text)), Value::String(wanted)) => match wanted.strip_prefix("re:") {
            Some(pattern) => search(pattern, text),
            None => text == wanted,
        },
        (value, wanted) => value == Some(wanted),
    }
}

/// The value at `0.Mounts[Destination=/x].RW`: keys, indices, and the first element with a field.
fn lookup<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    let mut at = document;
    for part in parts(path) {
        let (key, filter) = match part.split_once('[') {
            Some((key, filter)) => (key, Some(filter.trim_end_matches(']'))),
            None => (part, None),
        };
        if !key.is_empty() {
            at = match at {
                Value::Array(list) => list.get(key.parse::<usize>().ok()?)?,
                other => other.get(key)?,
            };
        }
        if let Some((field, wanted)) = filter.and_then(|filter| filter.split_once('=')) {
            let list = at.as_array()?;
            at = list.iter().find(|element| element[field].as_str() == Some(wanted))?;
        }
    }
    Some(at)
}

/// The parts between dots; a dot within brackets belongs to the filter.
fn parts(path: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0);
    for (n, c) in path.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            '.' if depth == 0 => {
                parts.push(&path[start..n]);
                start = n + 1;
            }
            _ => {}
        }
    }
    parts.push(&path[start..]);
    parts
}
