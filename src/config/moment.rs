//! Points in time as people name them: `2024-05-01T10:00`, `1714557600.5`, `10m` (ago).
//!
//! The rules and the words are those of Docker's `--since`, `--until` and `until=`: a length of
//! time is reckoned back from now, a date without a zone is local.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Why a text names no point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to parse value as time or duration: {0:?}")]
pub struct MomentError(String);

/// The point in time that `text` names.
pub fn parse_moment(text: &str, now: Timestamp) -> Result<Timestamp, MomentError> {
    let wrong = || MomentError(text.into());
    // 0 is the beginning of all, not now.
    if text != "0"
        && let Some(length) = parse_duration(text)
    {
        // As with Docker, a length of time leads to a whole second.
        let moment = now.checked_sub(length).map_err(|_| wrong())?;
        return Timestamp::from_second(moment.as_second()).map_err(|_| wrong());
    }
    let moment = if text.contains('-') && !text.starts_with('-') { date(text) } else { unix(text) };
    moment.ok_or_else(wrong)
}

/// `2006-01-02`, `…T15`, `…T15:04`, `…T15:04:05.999`, each with or without a zone.
fn date(text: &str) -> Option<Timestamp> {
    let (day, rest) = match text.split_once(['T', 't']) {
        Some((day, rest)) => (day, Some(rest)),
        None => (text, None),
    };
    let (day, zone) = match rest {
        // A zone may follow the day itself: 2006-01-02Z, 2006-01-02+02:00.
        None => day.split_at_checked(10)?,
        Some(_) => (day, ""),
    };
    let day: Date = day.parse().ok()?;
    let (clock, zone) = match rest {
        None => ("", zone),
        Some(rest) => rest.split_at(rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len())),
    };
    let time = match (rest, clock.len()) {
        (None, _) => DateTime::from_parts(day, jiff::civil::Time::midnight()),
        (_, 2) => format!("{day}T{clock}:00:00").parse().ok()?,
        (_, 5 | 8..) => format!("{day}T{clock}").parse().ok()?,
        _ => return None,
    };
    match zone {
        "" => time.to_zoned(TimeZone::system()).ok().map(|zoned| zoned.timestamp()),
        _ => format!("{time}{zone}").parse().ok(),
    }
}

/// `1714557600`, `1714557600.5`
fn unix(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanoseconds: i32 = format!("{fraction:0<9}").parse().ok()?;
    let seconds: i64 = seconds.parse().ok()?;
    Timestamp::new(seconds, if seconds < 0 { -nanoseconds } else { nanoseconds }).ok()
}

/// A length of time in Go's form: `1h30m`, `1.5s`, `-2m`; none if it is not one.
pub fn parse_duration(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    let mut nanoseconds = 0i128;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        nanoseconds = nanoseconds.checked_add(part(number, unit_nanoseconds(unit)?)?)?;
        rest = after;
    }
    let nanoseconds = if negative { -nanoseconds } else { nanoseconds };
    // Go's lengths are an i64 of nanoseconds: 292 years.
    Some(SignedDuration::from_nanos(i64::try_from(nanoseconds).ok()?))
}

fn unit_nanoseconds(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

fn part(number: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let digits = &fraction[..fraction.len().min(15)];
    let scale = 10i128.pow(u32::try_from(digits.len()).ok()?);
    let fraction: i128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    whole.checked_mul(unit)?.checked_add(fraction * unit / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2024-05-01T12:00:00.75Z";

    /// V12.20: dates with a zone, seconds, lengths of time.
    #[test]
    fn moments() {
        let cases = [
            ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z"),
            ("2024-05-01T10:00:00.25Z", "2024-05-01T10:00:00.25Z"),
            ("2024-05-01T10:00:00.123456789+02:00", "2024-05-01T08:00:00.123456789Z"),
            ("2024-05-01T10:00Z", "2024-05-01T10:00:00Z"),
            ("2024-05-01T10-01:00", "2024-05-01T11:00:00Z"),
            ("2024-05-01Z", "2024-05-01T00:00:00Z"),
            ("2024-05-01+02:00", "2024-04-30T22:00:00Z"),
            ("1714557600", "2024-05-01T10:00:00Z"),
            ("1714557600.5", "2024-05-01T10:00:00.5Z"),
            ("0", "1970-01-01T00:00:00Z"),
            ("10m", "2024-05-01T11:50:00Z"),
            ("1h30m", "2024-05-01T10:30:00Z"),
            ("1.5h", "2024-05-01T10:30:00Z"),
            ("250ms", "2024-05-01T12:00:00Z"),
            ("-2m", "2024-05-01T12:02:00Z"),
        ];
        for (text, want) in cases {
            let want = want.parse::<Timestamp>().unwrap();
            assert_eq!(parse_moment(text, NOW.parse().unwrap()), Ok(want), "{text}");
        }
    }

    /// A date without a zone is local.
    #[test]
    fn local_dates() {
        let now = NOW.parse().unwrap();
        let local = |text: &str| {
            let time: DateTime = text.parse().unwrap();
            Ok(time.to_zoned(TimeZone::system()).unwrap().timestamp())
        };
        assert_eq!(parse_moment("2024-05-01", now), local("2024-05-01T00:00:00"));
        assert_eq!(parse_moment("2024-05-01T10", now), local("2024-05-01T10:00:00"));
        assert_eq!(parse_moment("2024-05-01T10:20", now), local("2024-05-01T10:20:00"));
        assert_eq!(parse_moment("2024-05-01T10:20:30.5", now), local("2024-05-01T10:20:30.5"));
    }

    /// What is neither, in Docker's words.
    #[test]
    fn refusals() {
        let now = NOW.parse().unwrap();
        let wrong = [
            "",
            "foo",
            "10x",
            "1h30",
            "m",
            "1..5s",
            "yesterday",
            "2024-13-01",
            "2024-05-01T",
            "2024-05-01T1",
            "2024-05-01T25:00",
            "1.",
            "1.1234567890",
            "12:00",
            "ä",
            "2024-0é-01",
        ];
        for text in wrong {
            let want = format!("failed to parse value as time or duration: {text:?}");
            assert_eq!(parse_moment(text, now).map_err(|e| e.to_string()), Err(want));
        }
    }
}
