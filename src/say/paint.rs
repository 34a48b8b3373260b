//! How text is laid out for whoever reads it: width, colour, line breaks.
//!
//! Colour only repeats what the words and their places say already, so that nothing is lost
//! without it.

use std::io::IsTerminal;

/// Is the text coloured?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// As it is.
    Plain,
    /// With ANSI sequences.
    Ansi,
}

/// How a text is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// With or without colour.
    pub colour: Colour,
    /// The width of a line in columns.
    pub width: usize,
}

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// A heading of a part.
    Heading,
    /// What asked for the steps below it.
    Origin,
    /// What helps to find one's way: numbers, actors.
    Quiet,
    /// It went well.
    Good,
    /// It failed.
    Bad,
}

/// The width where there is no terminal to ask.
const WIDTH_ELSEWHERE: usize = 100;
/// No narrower than this: a line of one word each helps nobody.
const NARROWEST: usize = 40;

impl Style {
    /// Without colour, for lines of `width` columns.
    pub fn plain(width: usize) -> Self {
        Self { colour: Colour::Plain, width: width.max(NARROWEST) }
    }

    /// As the reader of standard output wants it: colour on a terminal only, and not where
    /// NO_COLOR is set (<https://no-color.org>: to anything but nothing).
    pub fn of_stdout() -> Self {
        Self::of(rustix::stdio::stdout())
    }

    /// As the reader of standard error wants it.
    pub fn of_stderr() -> Self {
        Self::of(rustix::stdio::stderr())
    }

    fn of(file: std::os::fd::BorrowedFd<'_>) -> Self {
        if !file.is_terminal() {
            return Self::plain(WIDTH_ELSEWHERE);
        }
        let size = rustix::termios::tcgetwinsize(file);
        let columns = size.map_or(0, |size| usize::from(size.ws_col));
        // A serial console says 0.
        let width = if columns == 0 { 80 } else { columns };
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = if refused { Colour::Plain } else { Colour::Ansi };
        Self { colour, ..Self::plain(width) }
    }

    /// `text` as what it is.
    pub fn ink(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Heading => "1",
            Ink::Origin => "36",
            Ink::Quiet => "2",
            Ink::Good => "32",
            Ink::Bad => "1;31",
        };
        match self.colour {
            Colour::Plain => text.to_owned(),
            Colour::Ansi => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

/// How many columns `text` takes. Control characters have been made visible before.
pub fn columns(text: &str) -> usize {
    text.chars().count()
}

/// Breaks `text` into lines of at most `width` columns, after a space or a `|`.
///
/// A word that is longer stays whole: half a path cannot be copied.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_inclusive([' ', '|']) {
        let length = columns(word.trim_end());
        if used > 0 && used + length > width {
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(word);
        }
        used += columns(word);
    }
    for line in &mut lines {
        line.truncate(line.trim_end().len());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines end after a blank or a `|`; a long word has a line of its own, whole.
    #[test]
    fn lines_break_between_words() {
        let cases: [(&str, usize, &[&str]); 6] = [
            ("", 10, &[""]),
            ("one two", 10, &["one two"]),
            ("one two three", 8, &["one two", "three"]),
            ("A_LONG|B_LONG|C", 8, &["A_LONG|", "B_LONG|C"]),
            ("/a/very/long/path is here", 6, &["/a/very/long/path", "is", "here"]),
            ("größe größe", 5, &["größe", "größe"]),
        ];
        for (text, width, want) in cases {
            assert_eq!(wrapped(text, width), want, "{text:?} in {width}");
        }
    }

    /// Plain text carries no sequence at all.
    #[test]
    fn colour_is_only_where_it_is_asked_for() {
        assert_eq!(Style::plain(80).ink(Ink::Bad, "x"), "x");
        let coloured = Style { colour: Colour::Ansi, width: 80 };
        assert_eq!(coloured.ink(Ink::Bad, "x"), "\x1b[1;31mx\x1b[0m");
    }
}
