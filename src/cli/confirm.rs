//! The question before something is removed (V4.28).

use std::io::{self, BufRead, Write};

use super::Context;
use crate::say::failure::Failure;

/// Asks; only a lone y or Y is a yes.
pub fn confirmed(question: &str, cx: &Context) -> Result<bool, Failure> {
    let failed = |call: &str, e: io::Error| Failure::new("ask", format_args!("{call}: {e}"));
    let asked = cx.out.text(&format!("{question}\nAre you sure you want to continue? [y/N] "));
    asked.and_then(|()| io::stdout().flush()).map_err(|e| failed("write(stdout)", e))?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|e| failed("read(stdin)", e))?;
    Ok(matches!(answer.trim(), "y" | "Y"))
}
