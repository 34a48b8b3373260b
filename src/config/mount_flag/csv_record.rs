//! One CSV record (RFC 4180), strictly: the value of `--mount`.
//!
//! The csv crate takes a quote inside a bare field as part of the field. Here that is an error,
//! with the place, because such a quote is always one that the shell was meant to see.

/// Why a text is no CSV record. Columns count bytes from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    /// `src=/a"b`
    #[error("parse error on line 1, column {0}: bare \" in non-quoted-field")]
    BareQuote(usize),
    /// `"src=/a"b`, or no closing quote.
    #[error("parse error on line 1, column {0}: extraneous or missing \" in quoted-field")]
    Quote(usize),
    /// A second line, which would be a second record.
    #[error("parse error on line 1, column {0}: line break in non-quoted-field")]
    LineBreak(usize),
}

/// Splits `text` into its fields.
pub(super) fn split(text: &str) -> Result<Vec<String>, CsvError> {
    let mut fields = Vec::new();
    let mut start = 0;
    loop {
        let rest = &text[start..];
        let (field, length) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted, start + 1)?,
            None => bare_field(rest, start)?,
        };
        fields.push(field);
        start += length;
        // A field ends at a comma or at the end of the text.
        if start >= text.len() {
            return Ok(fields);
        }
        start += 1;
    }
}

fn bare_field(rest: &str, start: usize) -> Result<(String, usize), CsvError> {
    let field = rest.split(',').next().unwrap_or(rest);
    if let Some(at) = field.find('"') {
        return Err(CsvError::BareQuote(start + at + 1));
    }
    if let Some(at) = field.find(['\n', '\r']) {
        return Err(CsvError::LineBreak(start + at + 1));
    }
    Ok((field.to_owned(), field.len()))
}

/// Reads a field whose opening quote is already gone. `start` is where its text begins.
fn quoted_field(quoted: &str, start: usize) -> Result<(String, usize), CsvError> {
    let mut field = String::new();
    let mut at = 0;
    loop {
        let quote = at + quoted[at..].find('"').ok_or(CsvError::Quote(start + quoted.len() + 1))?;
        field.push_str(&quoted[at..quote]);
        at = quote + 1;
        match quoted[at..].bytes().next() {
            Some(b'"') => {
                field.push('"');
                at += 1;
            }
            // The opening quote counts too.
            None | Some(b',') => return Ok((field, at + 1)),
            Some(_) => return Err(CsvError::Quote(start + quote + 1)),
        }
    }
}
