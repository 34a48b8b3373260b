//! The time, as records keep it.

/// The time now: RFC 3339 with nanoseconds, UTC.
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nine digits, also where they are zeros.
    #[test]
    fn time() {
        let now = now();
        assert_eq!((now.len(), now.as_bytes()[19], now.as_bytes()[29]), (30, b'.', b'Z'));
    }
}
