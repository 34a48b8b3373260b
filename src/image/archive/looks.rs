//! What a file is that is no tar archive, by its first bytes: for the message only.

/// In words; none for what is not known.
pub fn like(start: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 14] = [
        (b"\x7fELF", "a program (ELF)"),
        (b"PK\x03\x04", "a zip archive"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"Rar!", "a rar archive"),
        (b"!<arch>\n", "an ar archive (a .deb or .a file)"),
        (b"\xed\xab\xee\xdb", "an rpm package"),
        (b"070701", "a cpio archive"),
        (b"hsqs", "a squashfs image"),
        (b"QFI\xfb", "a qcow2 disk image"),
        (b"%PDF", "a PDF document"),
        (b"\x89PNG", "a PNG picture"),
        (b"\x1f\x8b", "packed with gzip once more"),
        (b"\x28\xb5\x2f\xfd", "packed with zstd once more"),
        (b"#!", "a script"),
    ];
    if start.is_empty() {
        return None;
    }
    if let Some((_, words)) = KNOWN.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Some(words);
    }
    let text = text(start)?.trim_start_matches('\u{feff}').trim_start();
    let tag = text.get(..5.min(text.len())).unwrap_or_default().to_ascii_lowercase();
    Some(match text.chars().next() {
        Some('<') if tag.starts_with("<?xml") => "XML",
        Some('<') => "HTML, perhaps the page of an error",
        Some('{' | '[') => "JSON",
        _ => "text",
    })
}

/// The bytes as text, but for a letter that is cut at the end.
fn text(bytes: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&bytes[..e.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let printable = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    text.chars().all(printable).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What people give to `load` and `import` by mistake.
    #[test]
    fn known() {
        let cases: [(&[u8], Option<&str>); 9] = [
            (b"<!DOCTYPE html>\n<html>", Some("HTML, perhaps the page of an error")),
            (b"  <?xml version='1.0'?>", Some("XML")),
            (b"{\"errors\":[]}", Some("JSON")),
            (b"root:x:0:0\n\xc3", Some("text")),
            (b"\x7fELF\x02", Some("a program (ELF)")),
            (b"PK\x03\x04..", Some("a zip archive")),
            (b"\0\0\0\0", None),
            (b"\xff\xfe\x01", None),
            (b"", None),
        ];
        for (start, want) in cases {
            assert_eq!(like(start), want, "{start:?}");
        }
    }
}
