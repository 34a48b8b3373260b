//! `--log-driver` and `--log-opt` (V12.21).

use std::collections::BTreeMap;

use super::refusal::refused;
use crate::config::nearest::nearest;
use crate::config::size::parse_bytes;
use crate::container::log::attributes;
use crate::container::options::{Log, LogDriver};
use crate::say::failure::Failure;

/// The options of `json-file`; `local` has the first five.
const OPTIONS: [&str; 10] = [
    "max-size",
    "max-file",
    "compress",
    "mode",
    "max-buffer-size",
    "labels",
    "labels-regex",
    "env",
    "env-regex",
    "tag",
];

/// How the output is kept, checked.
pub fn log(driver: Option<&str>, words: &[String]) -> Result<Log, Failure> {
    let driver = match driver {
        None | Some("") => LogDriver::default(),
        Some(word) => driver_called(word)?,
    };
    let options: BTreeMap<String, String> = words
        .iter()
        .map(|word| word.split_once('=').unwrap_or((word, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    if driver == LogDriver::None && !options.is_empty() {
        return Err(refused("--log-opt", "invalid logging opts for driver none"));
    }
    let known = known(driver);
    for name in options.keys() {
        if !known.contains(&name.as_str()) {
            let cause = format!("unknown log opt '{name}' for {} log driver", driver.word());
            let failure = refused("--log-opt", cause);
            return Err(match nearest(name, known.iter().copied()) {
                Some(near) => failure.hint(format!("did you mean {near}?")),
                None => failure,
            });
        }
    }
    mode(&options).map_err(|cause| refused("--log-opt", cause))?;
    let initialize = |e| refused("--log-opt", format!("failed to initialize logging driver: {e}"));
    attributes::check(&options).map_err(|e| initialize(e.to_string()))?;
    rotation(Log { driver, options, ..Log::default() }).map_err(initialize)
}

/// `mode` and `max-buffer-size` are for drivers that may block. Files never do, so that both modes
/// are one here; what Docker refuses is refused.
fn mode(options: &BTreeMap<String, String>) -> Result<(), String> {
    let mode = options.get("mode").map_or("", String::as_str);
    if !matches!(mode, "" | "blocking" | "non-blocking") {
        return Err(format!("logger: logging mode not supported: {mode}"));
    }
    let Some(size) = options.get("max-buffer-size") else { return Ok(()) };
    if mode != "non-blocking" {
        return Err(
            "logger: max-buffer-size option is only supported with 'mode=non-blocking'".to_owned()
        );
    }
    parse_bytes(size).map(drop).map_err(|e| format!("error parsing option max-buffer-size: {e}"))
}

fn driver_called(word: &str) -> Result<LogDriver, Failure> {
    let known = LogDriver::ALL;
    if let Some((driver, _)) = known.iter().find(|(_, name)| *name == word) {
        return Ok(*driver);
    }
    let cause = format!("error looking up logging plugin {word}: plugin \"{word}\" not found");
    Err(refused("--log-driver", cause).hint("there are json-file, local and none"))
}

fn known(driver: LogDriver) -> &'static [&'static str] {
    match driver {
        LogDriver::JsonFile => &OPTIONS,
        LogDriver::Local => &OPTIONS[..5],
        LogDriver::None => &[],
    }
}

/// When a file is put aside, and how many there are.
fn rotation(mut log: Log) -> Result<Log, String> {
    if log.driver == LogDriver::Local {
        (log.max_size_bytes, log.max_files, log.compress) = (Some(20 << 20), 5, true);
    }
    if let Some(text) = log.options.get("max-size") {
        log.max_size_bytes = match text.as_str() {
            "-1" => None,
            text => Some(parse_bytes(text).map_err(|e| e.to_string())?),
        };
        if log.max_size_bytes == Some(0) {
            return Err("max-size must be a positive number or -1".into());
        }
    }
    if let Some(text) = log.options.get("max-file") {
        let count = text.parse().map_err(|_| format!("invalid value for max-file: '{text}'"))?;
        log.max_files = count;
        if count < 1 {
            return Err("max-file cannot be less than 1".into());
        }
    }
    if let Some(text) = log.options.get("compress") {
        log.compress = match text.as_str() {
            "true" | "1" => true,
            "false" | "0" => false,
            _ => return Err(format!("invalid value for compress: '{text}'")),
        };
        if log.compress && (log.max_files < 2 || log.max_size_bytes.is_none()) {
            let why = "compress cannot be true when max-file is less than 2 or max-size is not set";
            return Err(why.into());
        }
    }
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(driver: &str, words: &[&str]) -> Result<Log, Failure> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        log(Some(driver), &words)
    }

    /// V12.21: what is kept of the options.
    #[test]
    fn drivers() {
        let log = parsed("json-file", &["max-size=10m", "max-file=2", "compress=true"]).unwrap();
        assert_eq!((log.max_size_bytes, log.max_files, log.compress), (Some(10 << 20), 2, true));
        assert_eq!(log.options.keys().collect::<Vec<_>>(), ["compress", "max-file", "max-size"]);
        assert_eq!(parsed("", &[]).unwrap(), Log::default());
        let local = parsed("local", &[]).unwrap();
        assert_eq!((local.max_size_bytes, local.max_files), (Some(20 << 20), 5));
        assert_eq!(parsed("none", &[]).unwrap().driver, LogDriver::None);
    }

    /// V12.21b: what is refused.
    #[test]
    fn refusals() {
        let cases: [(&str, &[&str], &str); 13] = [
            ("nosuch", &[], "error looking up logging plugin nosuch: plugin \"nosuch\" not found"),
            ("json-file", &["foo=1"], "unknown log opt 'foo' for json-file log driver"),
            ("local", &["tag=x"], "unknown log opt 'tag' for local log driver"),
            ("none", &["max-size=1m"], "invalid logging opts for driver none"),
            ("json-file", &["mode=x"], "logger: logging mode not supported: x"),
            (
                "local",
                &["max-buffer-size=1m"],
                "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
            ),
            (
                "json-file",
                &["mode=non-blocking", "max-buffer-size=x"],
                "error parsing option max-buffer-size: invalid size: 'x'",
            ),
            (
                "json-file",
                &["tag={{.Name"],
                "failed to initialize logging driver: template parsing error: template: :1: \
                 unclosed action",
            ),
            (
                "json-file",
                &["max-size=abc"],
                "failed to initialize logging driver: invalid size: 'abc'",
            ),
            (
                "json-file",
                &["max-size=0"],
                "failed to initialize logging driver: max-size must be a positive number or -1",
            ),
            (
                "json-file",
                &["max-file=0"],
                "failed to initialize logging driver: max-file cannot be less than 1",
            ),
            (
                "json-file",
                &["max-file=x"],
                "failed to initialize logging driver: invalid value for max-file: 'x'",
            ),
            (
                "json-file",
                &["compress=true"],
                "failed to initialize logging driver: compress cannot be true when max-file is \
                 less than 2 or max-size is not set",
            ),
        ];
        for (driver, words, want) in cases {
            let failure = parsed(driver, words).unwrap_err();
            assert_eq!((failure.cause.as_str(), failure.status.code()), (want, 125));
        }
        let slip = parsed("json-file", &["max-sise=1m"]).unwrap_err();
        assert_eq!(slip.hint.as_deref(), Some("did you mean max-size?"));
    }
}
