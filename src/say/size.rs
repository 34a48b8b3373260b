//! Sizes in words.

/// Bytes in decimal units with four significant digits, as Docker's: `0B`, `1.5kB`, `1.536MB`.
pub fn decimal(bytes: u64) -> String {
    with_digits(bytes, 4)
}

/// The same with three digits, as Docker shows images: `7.38MB`.
pub fn decimal_short(bytes: u64) -> String {
    with_digits(bytes, 3)
}

fn with_digits(bytes: u64, digits: usize) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut unit = 0;
    let mut scale = 1u64;
    while unit + 1 < UNITS.len() && bytes / scale >= 1000 {
        scale *= 1000;
        unit += 1;
    }
    let whole: usize = match bytes / scale {
        0..10 => 1,
        10..100 => 2,
        _ => 3,
    };
    let decimals = digits.saturating_sub(whole);
    // In tenths, hundredths or thousandths of the unit, rounded half up.
    let parts = 10u128.pow(u32::try_from(decimals).unwrap_or_default());
    let scaled = (u128::from(bytes) * parts + u128::from(scale / 2)) / u128::from(scale);
    let mut text = (scaled / parts).to_string();
    if decimals > 0 {
        text += &format!(".{:0decimals$}", scaled % parts);
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    text + UNITS[unit]
}

#[cfg(test)]
mod tests {
    use super::{decimal, decimal_short};

    /// V4.25, V4.30: four significant digits, no zeros at the end.
    #[test]
    fn decimal_units() {
        let cases = [
            (0, "0B"),
            (999, "999B"),
            (1000, "1kB"),
            (1500, "1.5kB"),
            (1_536_000, "1.536MB"),
            (12_345_678, "12.35MB"),
            (123_456_789, "123.5MB"),
            (1_000_000_000, "1GB"),
            (u64::MAX, "18.45EB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(decimal(bytes), text);
        }
    }
    /// Three digits for images, and no zero of a whole number is lost.
    #[test]
    fn short_units() {
        let cases = [
            (0, "0B"),
            (100, "100B"),
            (1000, "1kB"),
            (7_377_000, "7.38MB"),
            (41_900_000, "41.9MB"),
            (120_000_000, "120MB"),
            (1_200_000_000, "1.2GB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(decimal_short(bytes), text);
        }
    }
}
