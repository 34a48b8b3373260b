//! Lists: the `--format` of `ls`, `ps`, `images` (V4.20).
//!
//! `table` and `table TEMPLATE` have a header and columns, `json` has one object a line, any other
//! text is a template for each row.

use serde_json::Value;

use super::plain::visible;
use super::table;
use super::template::{Row, Template, TemplateError};

/// The headers of a list's columns and the table that it shows when it is not told how.
#[derive(Debug, Clone, Copy)]
pub struct Columns {
    /// Every field of a row and the header of its column.
    pub headers: &'static [(&'static str, &'static str)],
    /// The template of the table: `{{.Driver}}\t{{.Name}}`.
    pub table: &'static str,
    /// The template of `raw`; empty where there is none.
    pub raw: &'static str,
}

/// A list's rows as `format` wants them, with a line break after each.
///
/// `\t` and `\n` in a format are tab and line break. What cannot be parsed is an error also where
/// there is no row.
pub fn render(columns: &Columns, format: &str, rows: &[Row]) -> Result<String, TemplateError> {
    let format = match format {
        "" | "table" => format!("table {}", columns.table),
        "raw" if !columns.raw.is_empty() => columns.raw.to_owned(),
        "json" => "{{json .}}".to_owned(),
        other => other.replace("\\t", "\t").replace("\\n", "\n"),
    };
    let (text, is_table) = match format.strip_prefix("table") {
        Some(text) => (text.trim(), true),
        None => (format.as_str(), false),
    };
    let template = Template::parse(text)?;
    let mut lines = Vec::with_capacity(rows.len() + 1);
    if is_table {
        lines.push(template.render_header(&headers(columns))?);
    }
    if is_table {
        for row in rows {
            lines.push(template.render_row(&visible_row(row))?);
        }
        return Ok(table::align(&lines));
    }
    for row in rows {
        lines.push(template.render_row(row)?);
    }
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}

/// A table is for people, and an image or a label may hold anything. Formats of the user's own are
/// for programs, and get the text as it is.
fn visible_row(row: &Row) -> Row {
    let methods = row.methods.iter().map(|(name, value)| (*name, visible_value(value)));
    Row { fields: visible_value(&row.fields), methods: methods.collect() }
}

fn visible_value(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(visible(text)),
        Value::Array(list) => list.iter().map(visible_value).collect(),
        Value::Object(map) => {
            map.iter().map(|(key, value)| (key.clone(), visible_value(value))).collect()
        }
        other => other.clone(),
    }
}

fn headers(columns: &Columns) -> Value {
    let pairs = columns.headers.iter().map(|(field, header)| ((*field).into(), (*header).into()));
    Value::Object(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOLUMES: Columns = Columns {
        headers: &[("Name", "VOLUME NAME"), ("Driver", "DRIVER"), ("Labels", "LABELS")],
        table: "{{.Driver}}\t{{.Name}}",
        raw: "name: {{.Name}}\ndriver: {{.Driver}}\n",
    };

    fn rows() -> Vec<Row> {
        let row = |name: &str, labels: &str, table: Value| Row {
            fields: serde_json::json!({"Driver": "local", "Labels": labels, "Name": name}),
            methods: vec![("Label", table)],
        };
        vec![
            row("averyverylongname", "", Value::Null),
            row("x", "b=1,k=v", serde_json::json!({"k": "v", "b": "1"})),
        ]
    }

    /// V4.16, V4.20: every case is what Docker's CLI prints for the same volumes.
    #[test]
    fn formats() {
        let cases = [
            ("", "DRIVER    VOLUME NAME\nlocal     averyverylongname\nlocal     x\n"),
            ("table", "DRIVER    VOLUME NAME\nlocal     averyverylongname\nlocal     x\n"),
            (r"{{.Name}}\t{{.Driver}}", "averyverylongname\tlocal\nx\tlocal\n"),
            ("{{.Labels}}|{{.Label \"k\"}}", "|\nb=1,k=v|v\n"),
            (
                r#"table {{.Name}}\t{{.Driver}}\t{{.Label "k"}}"#,
                "VOLUME NAME         DRIVER    k\n\
                 averyverylongname   local     \n\
                 x                   local     v\n",
            ),
            (
                r#"table {{upper .Name}}\t{{json .Driver}}\t{{.Label "com.a-b.c_d"}}"#,
                "VOLUME NAME         DRIVER    c d\n\
                 AVERYVERYLONGNAME   \"local\"   \n\
                 X                   \"local\"   \n",
            ),
            ("table{{.Name}}", "VOLUME NAME\naveryverylongname\nx\n"),
            ("TABLE {{.Name}}", "TABLE averyverylongname\nTABLE x\n"),
            (
                "json",
                "{\"Driver\":\"local\",\"Labels\":\"\",\"Name\":\"averyverylongname\"}\n\
                 {\"Driver\":\"local\",\"Labels\":\"b=1,k=v\",\"Name\":\"x\"}\n",
            ),
            ("raw", "name: averyverylongname\ndriver: local\n\nname: x\ndriver: local\n\n"),
            ("pretty", "pretty\npretty\n"),
            (
                "table {{pad .Name 1 1}} {{truncate .Driver 2}}",
                " VOLUME NAME  DRIVER\n averyverylongname  lo\n x  lo\n",
            ),
            (
                r"table {{.Driver}}\t{{.Name}}\n{{.Name}}",
                "DRIVER    VOLUME NAME\nVOLUME NAME\nlocal     averyverylongname\n\
                 averyverylongname\nlocal     x\nx\n",
            ),
        ];
        for (format, want) in cases {
            assert_eq!(render(&VOLUMES, format, &rows()).unwrap(), want, "{format:?}");
        }
    }

    /// A label must not colour the table; what a program asks for it gets as it is.
    #[test]
    fn control_characters() {
        let row = Row {
            fields: serde_json::json!({"Driver": "local", "Labels": "a=\u{1b}[2J", "Name": "x"}),
            methods: vec![("Label", serde_json::json!({"a": "\u{1b}[2J"}))],
        };
        let shown = |format| render(&VOLUMES, format, std::slice::from_ref(&row)).unwrap();
        assert_eq!(shown("table {{.Labels}}"), "LABELS\na=\\u{1b}[2J\n");
        assert_eq!(shown("table {{.Label \"a\"}}"), "a\n\\u{1b}[2J\n");
        assert_eq!(shown("{{.Labels}}"), "a=\u{1b}[2J\n");
    }

    /// A wrong template is an error with and without rows, a wrong field only with one.
    #[test]
    fn errors() {
        let words = |format, rows: &[Row]| render(&VOLUMES, format, rows).unwrap_err().to_string();
        assert_eq!(words("{{.Name", &[]), "template parsing error: template: :1: unclosed action");
        assert_eq!(
            words("table {{.Nope}}", &rows()),
            "template parsing error: template: :1:2: executing \"\" at <.Nope>: map has no entry \
             for key \"Nope\""
        );
        assert_eq!(render(&VOLUMES, "table {{.Name}}", &[]).unwrap(), "VOLUME NAME\n");
    }
}
