//! The fields of one 512-byte block: text that ends at a NUL, numbers in octal or base 256.

use tar::Header;

/// A number field. Empty is 0: writers leave fields empty that an entry does not need.
///
/// GNU writes what does not fit in octal as a big-endian number with the first bit set; negative
/// numbers have the second bit set too.
pub fn number(field: &[u8]) -> Option<i64> {
    match field.first() {
        Some(first) if first & 0x80 != 0 => base_256(field),
        _ => octal(field),
    }
}

fn octal(field: &[u8]) -> Option<i64> {
    let blank = |b: &u8| matches!(b, b' ' | 0);
    let start = field.iter().position(|b| *b != b' ').unwrap_or(field.len());
    let digits = &field[start..];
    let end = digits.iter().position(blank).unwrap_or(digits.len());
    if !digits[end..].iter().all(blank) {
        return None;
    }
    digits[..end].iter().try_fold(0i64, |sum, b| match b {
        b'0'..=b'7' => sum.checked_mul(8)?.checked_add(i64::from(b - b'0')),
        _ => None,
    })
}

fn base_256(field: &[u8]) -> Option<i64> {
    let negative = field[0] & 0x40 != 0;
    let first = if negative { field[0] } else { field[0] & 0x7f };
    let sign = if negative { 0xff } else { 0 };
    let (high, low) = field.split_at(field.len().saturating_sub(8));
    let high_is_sign = high.iter().enumerate().all(|(i, b)| {
        let byte = if i == 0 { first } else { *b };
        byte == sign
    });
    let mut bytes = [sign; 8];
    bytes[8 - low.len()..].copy_from_slice(low);
    if high.is_empty() {
        bytes[8 - low.len()] = first;
    }
    let value = i64::from_be_bytes(bytes);
    (high_is_sign && (value < 0) == negative).then_some(value)
}

/// A text field up to its first NUL.
pub fn text(field: &[u8]) -> &[u8] {
    field.split(|b| *b == 0).next().unwrap_or_default()
}

/// Does the block's checksum fit? Old writers summed signed bytes.
pub fn checksum_fits(block: &[u8; 512]) -> bool {
    let Some(stored) = number(&block[148..156]) else { return false };
    let field = 148..156;
    let mut unsigned = 0i64;
    let mut signed = 0i64;
    for (i, byte) in block.iter().enumerate() {
        let byte = if field.contains(&i) { b' ' } else { *byte };
        unsigned += i64::from(byte);
        signed += i64::from(byte.cast_signed());
    }
    stored == unsigned || stored == signed
}

/// The path in a header: POSIX has a prefix field, which in GNU's form holds other things.
pub fn path(header: &Header) -> Vec<u8> {
    let name = text(&header.as_old().name);
    match header.as_ustar().map(|u| text(&u.prefix)) {
        Some(prefix) if !prefix.is_empty() => [prefix, b"/", name].concat(),
        _ => name.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All forms of numbers that writers use, and texts that are none.
    #[test]
    fn numbers() {
        let cases: [(&[u8], Option<i64>); 14] = [
            (b"0000644\0", Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"        ", Some(0)),
            (b"77777777", Some(0o77777777)),
            (b"\x80\0\0\0\0\0\x01\0", Some(256)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff", Some(-1)),
            (b"\x80\0\0\0\0\0\0\x02\0\0\0\0", Some(1 << 33)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2)),
            (b"\x80\x01\0\0\0\0\0\x02\0\0\0\0", None),
            (b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", None),
            (b"0000689\0", None),
            (b"-1      ", None),
            (b"12\x0034\0\0\0", None),
        ];
        for (field, value) in cases {
            assert_eq!(number(field), value, "{field:?}");
        }
    }
}
