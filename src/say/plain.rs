//! Text that others wrote (names, paths, an image's config, a library's error), made fit to print.

/// `text` as it is told to people: the kernel's words without the number of the error, and nothing
/// in it that moves the cursor, colours the screen or changes the order of the letters.
pub fn plain(text: &str) -> String {
    visible(&without_numbers(text))
}

/// Characters that would move the cursor or colour the screen, made visible: names and paths of a
/// config are anybody's.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || changes_order(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The marks of Unicode's bidirectional algorithm: with them `txt.exe` reads `exe.txt`.
fn changes_order(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `No such file or directory (os error 2)` without what Rust adds to the kernel's words.
fn without_numbers(text: &str) -> String {
    const MARK: &str = " (os error ";
    let mut parts = text.split(MARK);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(')') {
            Some((number, rest)) if number.bytes().all(|b| b.is_ascii_digit()) => shown += rest,
            _ => shown.extend([MARK, part]),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A volume's path must not be able to clear the screen, nor to read backwards.
    #[test]
    fn control_characters_are_shown() {
        assert_eq!(visible("/a\x1b[2J\n\0\u{9b}"), "/a\\u{1b}[2J\\n\\u{0}\\u{9b}");
        assert_eq!(visible("ä \u{202e}b"), "ä \\u{202e}b");
    }

    /// The kernel's words stay, the number goes, and what only looks like one stays.
    #[test]
    fn errors_are_words() {
        let nothing = std::io::Error::from(rustix::io::Errno::NOENT);
        let cases = [
            (format!("/x: {nothing} at \"/y\""), "/x: No such file or directory at \"/y\""),
            (
                format!("{nothing}: {nothing}"),
                "No such file or directory: No such file or directory",
            ),
            ("a (os error x) b".into(), "a (os error x) b"),
            ("a (os error 2".into(), "a (os error 2"),
            (String::new(), ""),
        ];
        for (text, want) in cases {
            assert_eq!(plain(&text), want);
        }
    }
}
