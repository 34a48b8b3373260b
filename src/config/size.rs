//! Sizes as people write them: `64m`, `1.5g`, `2 GiB`. Units are powers of 1024.

/// Why a text is no size. The words are Docker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// No number in it, or one that is none.
    #[error("invalid size: '{0}'")]
    Number(String),
    /// A number with a unit that is none.
    #[error("invalid suffix: '{0}'")]
    Suffix(String),
    /// More bytes than a file can have.
    #[error("invalid size: '{0}' is larger than 8 EiB")]
    TooLarge(String),
}

/// Parses a size in bytes: a number, an optional blank, an optional unit.
///
/// Units are `b`, and `k m g t p` alone or followed by `b` or `ib`, in any case. The number may
/// have a fraction; what is left of a byte is cut off.
pub fn parse_bytes(text: &str) -> Result<u64, SizeError> {
    let wrong = || SizeError::Number(text.into());
    let end = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ').ok_or_else(wrong)?;
    let (number, unit) = match text.as_bytes()[end] {
        b' ' => (&text[..end], &text[end + 1..]),
        _ => text.split_at(end + 1),
    };
    let shift = unit_shift(unit).ok_or_else(|| SizeError::Suffix(unit.to_lowercase()))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return Err(wrong());
    }
    let too_large = || SizeError::TooLarge(text.into());
    let whole: u64 =
        if whole.is_empty() { Ok(0) } else { whole.parse() }.map_err(|_| too_large())?;
    u64::try_from((u128::from(whole) << shift) + fraction_bytes(fraction, shift))
        .ok()
        .filter(|bytes| i64::try_from(*bytes).is_ok())
        .ok_or_else(too_large)
}

/// Which power of two a unit is.
fn unit_shift(unit: &str) -> Option<u32> {
    let lower = unit.to_lowercase();
    let (prefix, rest) = match lower.chars().next() {
        None => return Some(0),
        Some(first) => (first, &lower[first.len_utf8()..]),
    };
    let shift = match prefix {
        'b' if rest.is_empty() => return Some(0),
        'k' => 10,
        'm' => 20,
        'g' => 30,
        't' => 40,
        'p' => 50,
        _ => return None,
    };
    matches!(rest, "" | "b" | "ib").then_some(shift)
}

/// The bytes that a decimal fraction of a unit has.
fn fraction_bytes(fraction: &str, shift: u32) -> u128 {
    // 20 digits are finer than a byte of a pebibyte; more would overflow below.
    let digits = &fraction[..fraction.len().min(20)];
    let value = digits.bytes().fold(0u128, |sum, digit| sum * 10 + u128::from(digit - b'0'));
    let scale = digits.bytes().fold(1u128, |scale, _| scale * 10);
    (value << shift) / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    /// V2.17, V11.07: 1024-based units, in every spelling.
    #[test]
    fn sizes() {
        let cases = [
            ("0", 0),
            ("64", 64),
            ("64b", 64),
            ("1k", 1024),
            ("64m", 64 << 20),
            ("64M", 64 << 20),
            ("64mb", 64 << 20),
            ("64MiB", 64 << 20),
            ("2 g", 2 << 30),
            ("1t", 1 << 40),
            ("1p", 1 << 50),
            ("1.5k", 1536),
            (".5k", 512),
            ("1.", 1),
            ("0.333333333333333333333333333333k", 341),
            ("9223372036854775807", i64::MAX as u64),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text:?}");
        }
    }

    /// V4.09, V2.17: what is no size, in Docker's words.
    #[test]
    fn no_sizes() {
        let cases = [
            ("abc", "invalid size: 'abc'"),
            ("", "invalid size: ''"),
            ("-1", "invalid size: '-1'"),
            ("1..2", "invalid size: '1..2'"),
            (".", "invalid size: '.'"),
            ("1 2k", "invalid size: '1 2k'"),
            ("10%", "invalid suffix: '%'"),
            ("1x", "invalid suffix: 'x'"),
            ("1bb", "invalid suffix: 'bb'"),
            ("1Kx", "invalid suffix: 'kx'"),
            ("1ä", "invalid suffix: 'ä'"),
            ("8192p", "invalid size: '8192p' is larger than 8 EiB"),
            ("99999999999999999999", "invalid size: '99999999999999999999' is larger than 8 EiB"),
        ];
        for (text, words) in cases {
            assert_eq!(parse_bytes(text).map_err(|e| e.to_string()), Err(words.into()), "{text:?}");
        }
    }
}
