//! Words whose value is nobody's business: how they are known, and what is shown instead (V8.09).
//!
//! Only what is shown is masked. The record of a volume has its options as given: whoever mounts
//! it again needs them, and the store is closed to others.

use std::collections::BTreeMap;

use super::nearest::nearest;
use super::volume_option::{CIFS_SECRETS, words};

/// What stands where a secret was.
const MASK: &str = "********";

/// Parts of the keys that drivers use: `s3-secret-access-key`, `sftp-pass`, `auth.token`.
const PARTS: [&str; 9] = [
    "password",
    "password2",
    "pass",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "apikey",
];

/// Is the value of `key` a secret? A slip of the finger does not make it public.
pub fn is_secret(key: &str) -> bool {
    let lower = key.to_lowercase();
    lower.split(['-', '_', '.']).any(|part| PARTS.contains(&part))
        || nearest(&lower, CIFS_SECRETS).is_some()
}

/// A word of `o` as it may be shown.
pub fn masked_word(word: &str) -> String {
    match word.split_once('=') {
        Some((key, _)) if is_secret(key) => format!("{key}={MASK}"),
        _ => word.to_owned(),
    }
}

/// A device as it may be shown: that of a network may have a password, `//user:PASSWORD@host/…`.
pub fn masked_device(device: &str) -> String {
    let Some((before, rest)) = device.split_once("//") else { return device.to_owned() };
    let authority = rest.split('/').next().unwrap_or_default();
    let Some((user, _)) = authority.rsplit_once('@') else { return device.to_owned() };
    let Some((name, _)) = user.split_once(':') else { return device.to_owned() };
    format!("{before}//{name}:{MASK}{}", &rest[user.len()..])
}

/// A driver's options as they may be shown.
pub fn masked(options: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let shown = |(key, value): (&String, &String)| {
        let value = match key.as_str() {
            "o" if words(value).any(|word| masked_word(&word) != word) => {
                let masked: Vec<_> = words(value).map(|word| masked_word(&word)).collect();
                masked.join(",")
            }
            "device" => masked_device(value),
            key if is_secret(key) => MASK.to_owned(),
            _ => value.clone(),
        };
        (key.clone(), value)
    };
    options.iter().map(shown).collect()
}

/// A flag's value as it may be shown, whether it can be read or not: after a key that holds a
/// secret all is masked up to a comma or a quote that is not doubled.
pub fn masked_text(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(equals) = rest.find('=') {
        let (before, value) = (&rest[..equals], &rest[equals + 1..]);
        let of_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let key = &before[before.trim_end_matches(of_key).len()..];
        shown.push_str(before);
        shown.push('=');
        rest = value;
        if is_secret(key) {
            shown.push_str(MASK);
            rest = &value[end_of_secret(value)..];
        }
    }
    shown + rest
}

/// Where a secret in a flag ends.
fn end_of_secret(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            mark @ (b',' | b'"') if bytes.get(at + 1) == Some(&mark) => at += 2,
            b',' | b'"' => return at,
            _ => at += 1,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    }

    /// V8.09: what is shown has no password, nor what comes after a comma in one.
    #[test]
    fn words_of_o() {
        let cases = [
            ("username=u,password=p=1,rw", "username=u,password=********,rw"),
            ("user=u,password=p,,q,,,ro,pass=x", "user=u,password=********,ro,pass=********"),
            ("password=p,,", "password=********"),
            ("addr=h,,rw", "addr=h,,rw"),
            (
                "PassWord=x,passwrod=y,sec=ntlmssp",
                "PassWord=********,passwrod=********,sec=ntlmssp",
            ),
            ("credentials=/etc/cred,seal", "credentials=/etc/cred,seal"),
        ];
        for (o, shown) in cases {
            assert_eq!(masked(&map(&[("o", o), ("device", "//h/s")]))["o"], shown, "{o}");
        }
    }

    /// The options of any driver: keys that hold a secret, in whatever way they are put together.
    #[test]
    fn options_of_drivers() {
        let shown = |key: &str, value: &str| masked(&map(&[(key, value)]))[key].clone();
        for key in ["password", "s3-secret-access-key", "sftp_pass", "auth.token", "Passphrase"] {
            assert_eq!(shown(key, "hunter2"), MASK, "{key}");
        }
        for key in ["key-file", "type", "remote", "passive", "sync", "compass"] {
            assert_eq!(shown(key, "hunter2"), "hunter2", "{key}");
        }
        for (device, as_shown) in [
            ("//u:p@ss@h/s", "//u:********@h/s"),
            ("//u@h/s", "//u@h/s"),
            ("//h/password=s", "//h/password=s"),
            ("//h/a:b@c", "//h/a:b@c"),
            (":/x", ":/x"),
        ] {
            assert_eq!(shown("device", device), as_shown);
        }
    }

    /// A flag is masked as it stands, in CSV or not.
    #[test]
    fn flags() {
        let cases = [
            ("data:/data:ro", "data:/data:ro"),
            (
                "type=volume,dst=/d,\"volume-opt=o=username=u,password=a,,b\"\"c,vers=3\",ro",
                "type=volume,dst=/d,\"volume-opt=o=username=u,password=********,vers=3\",ro",
            ),
            ("dst=/d,volume-opt=api-token=x=y,src=a", "dst=/d,volume-opt=api-token=********,src=a"),
            ("volume-opt=password=x", "volume-opt=password=********"),
            ("dst=/d,src=a=b", "dst=/d,src=a=b"),
            ("password=", "password=********"),
        ];
        for (text, shown) in cases {
            assert_eq!(masked_text(text), shown);
        }
    }
}
