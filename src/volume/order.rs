//! The order of names in lists: `v2` before `v10` (V4.16).

use std::cmp::Ordering;

/// Compares digits by their number and all else byte by byte. Equal numbers: fewer zeros first.
pub fn natural(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    let mut zeros = Ordering::Equal;
    while let (Some(a), Some(b)) = (left.first(), right.first()) {
        if a.is_ascii_digit() && b.is_ascii_digit() {
            let (left_number, left_rest) = number(left);
            let (right_number, right_rest) = number(right);
            let (bare_left, bare_right) = (bare(left_number), bare(right_number));
            let by_value = bare_left.len().cmp(&bare_right.len()).then(bare_left.cmp(bare_right));
            if by_value.is_ne() {
                return by_value;
            }
            zeros = zeros.then(left_number.len().cmp(&right_number.len()));
            (left, right) = (left_rest, right_rest);
        } else if a == b {
            (left, right) = (&left[1..], &right[1..]);
        } else {
            return a.cmp(b);
        }
    }
    left.len().cmp(&right.len()).then(zeros)
}

/// The digits at the start, and the rest.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// Digits without leading zeros.
fn bare(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|b| **b == b'0').count();
    &digits[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// V4.16: numbers inside names count as numbers, whatever their length.
    #[test]
    fn numbers_count_as_numbers() {
        let sorted =
            ["a", "a1", "a01", "a2", "a10", "a10b", "a18446744073709551616", "a-1", "b", "ba"];
        let mut names = sorted;
        names.reverse();
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(
            names,
            ["a", "a-1", "a1", "a01", "a2", "a10", "a10b", "a18446744073709551616", "b", "ba"]
        );
    }
}
