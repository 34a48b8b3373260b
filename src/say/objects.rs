//! What `inspect` prints: JSON in Docker's form, or a Go template for each object (V12.23).

use serde::Serialize;
use serde_json::Value;

use super::template::{Template, TemplateError};

/// Why objects cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// The format is no template, or does not fit.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A value that JSON does not have.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// The objects as `format` wants them: nothing for indented JSON, `json` for one line.
pub fn render(format: &str, objects: &[Value]) -> Result<String, ObjectsError> {
    match format {
        "" => Ok(indented(&objects)? + "\n"),
        "json" => Ok(serde_json::to_string(objects)? + "\n"),
        template => {
            let template = Template::parse(template)?;
            // Docker's answer to a template without an object is an empty line.
            let mut text = String::from(if objects.is_empty() { "\n" } else { "" });
            for object in objects {
                text += &template.render(object)?;
                text.push('\n');
            }
            Ok(text)
        }
    }
}

/// JSON with Docker's four blanks.
fn indented(value: &impl Serialize) -> serde_json::Result<String> {
    let mut text = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, format))?;
    String::from_utf8(text).map_err(serde::ser::Error::custom)
}
