//! The kernel's names of its errors.

use super::Errno;

/// The error as strerror(3) has it: `No such file or directory`.
pub fn words(errno: Errno) -> String {
    let mut text = std::io::Error::from(errno).to_string();
    // Rust adds the number, which says nothing to who reads the words.
    if let Some(at) = text.find(" (os error") {
        text.truncate(at);
    }
    text
}

/// The same as Go's programs write it, and so Docker: in lower case.
pub fn lower_words(errno: Errno) -> String {
    let text = words(errno);
    match text.split_at_checked(1) {
        // But for names: `RPC version mismatch`.
        Some((first, rest)) if !rest.starts_with(|c: char| c.is_ascii_uppercase()) => {
            first.to_ascii_lowercase() + rest
        }
        _ => text,
    }
}
