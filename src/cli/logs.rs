//! `rrun logs`, also `rrun container logs` (V12.20).

use std::io::{self, BufWriter, Write};

use jiff::Timestamp;

use super::{Context, Outcome};
use crate::config::moment::parse_moment;
use crate::container::log::reader::{Last, Seen, Sink, Wanted, read, read_on};
use crate::container::log::writer::Loss;
use crate::container::log::{Entry, Form, Stream};
use crate::container::restart::RestartPolicy;
use crate::container::store::ContainerStore;
use crate::say::failure::Failure;

/// Show what a container has written
///
/// Its standard output goes to standard output, its standard error to standard error.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Show what --log-opt labels, env and tag added to each line
    #[arg(long)]
    details: bool,
    /// Go on with what is written from now on, until the container ends
    #[arg(short, long)]
    follow: bool,
    /// Only lines from this time on: 2013-01-02T13:23:37Z, 2013-01-02, 1357133017.5, or 42m for 42
    /// minutes ago
    #[arg(long, value_name = "TIME", default_value = "", hide_default_value = true)]
    since: String,
    /// Only so many lines at the end
    #[arg(short = 'n', long, value_name = "LINES", default_value = "all")]
    tail: String,
    /// Show when each line was written
    #[arg(short, long)]
    timestamps: bool,
    /// Only lines up to this time
    #[arg(long, value_name = "TIME", default_value = "", hide_default_value = true)]
    until: String,
    /// The container, by name or id
    #[arg(required = true, value_name = "CONTAINER")]
    container: String,
}

/// Shows the log.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let name = &cmd.container;
    let failed = |cause: &dyn std::fmt::Display| {
        Failure::new(format!("show the log of container {name}"), cause)
    };
    let now = Timestamp::now();
    let moment = |option, text| moment(option, text, now).map_err(|cause| failed(&cause));
    let wanted = Wanted {
        since: moment("since", &cmd.since)?,
        until: moment("until", &cmd.until)?,
        tail: lines(&cmd.tail).map_err(|cause| failed(&cause))?,
    };
    let containers = ContainerStore::open(&cx.store).map_err(|e| failed(&e))?;
    let container = containers.find(name).map_err(|e| failed(&e))?;
    let driver = container.record.options.log.driver;
    let Some(form) = Form::of(driver) else {
        return Err(failed(&"configured logging driver does not support reading")
            .hint(format!("the container was made with --log-driver {}", driver.word())));
    };
    let mut printer = Printer {
        out: BufWriter::new(io::stdout().lock()),
        timestamps: cmd.timestamps,
        details: cmd.details,
        in_line: [false; 2],
    };
    let log = (container.directory.as_path(), form);
    let seen = match (cmd.follow, container.record.options.restart) {
        (false, _) => read(log, wanted, &mut printer),
        (true, RestartPolicy::No) => read_on(log, (wanted, Last::Exit), &mut printer),
        (true, _) => read_on(log, (wanted, Last::Supervisor), &mut printer),
    };
    let Seen { unreadable } = seen.map_err(|e| failed(&e))?;
    if unreadable > 0 {
        cx.out.warning(format_args!("{unreadable} lines of the log cannot be read"));
    }
    if let Some(loss) = Loss::of(&container.directory) {
        cx.out.warning(loss);
    }
    Ok(0)
}

fn moment(option: &str, text: &str, now: Timestamp) -> Result<Option<Timestamp>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    parse_moment(text, now).map(Some).map_err(|e| format!("invalid value for {option:?}: {e}"))
}

/// `all`, or a number; less than none are all, as with Docker.
fn lines(text: &str) -> Result<Option<usize>, String> {
    if matches!(text, "all" | "") {
        return Ok(None);
    }
    let number: i64 = text
        .parse()
        .map_err(|_| format!("invalid value for \"tail\": {text:?} is neither a number nor all"))?;
    Ok(usize::try_from(number).ok())
}

/// How lines are shown.
struct Printer<W: Write> {
    out: W,
    timestamps: bool,
    details: bool,
    /// Has this stream's line begun with an earlier entry?
    in_line: [bool; 2],
}

impl<W: Write> Printer<W> {
    /// The line, with what stands before it.
    fn text(&mut self, entry: &Entry) -> Vec<u8> {
        let in_line = &mut self.in_line[entry.stream as usize];
        let mut text = Vec::with_capacity(entry.bytes.len() + 64);
        if !std::mem::replace(in_line, !entry.ends_line()) {
            if self.timestamps {
                let time = entry.time.strftime("%Y-%m-%dT%H:%M:%S.%9fZ ");
                text.extend(time.to_string().bytes());
            }
            if self.details {
                text.extend(details(entry).bytes());
            }
        }
        text.extend(&entry.bytes);
        text
    }
}

impl<W: Write> Sink for Printer<W> {
    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        let text = self.text(entry);
        match entry.stream {
            Stream::Stdout => self.out.write_all(&text),
            Stream::Stderr => {
                // Who sees both in one place sees them in their order.
                self.out.flush()?;
                io::stderr().lock().write_all(&text)
            }
        }
    }

    fn pause(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// `key=value,key=value `, as in a URL's query.
fn details(entry: &Entry) -> String {
    let pair = |(key, value): (&String, &String)| format!("{}={}", escaped(key), escaped(value));
    let pairs: Vec<String> = entry.attributes.iter().map(pair).collect();
    pairs.join(",") + " "
}

fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        b' ' => "+".into(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn entry(stream: Stream, bytes: &str, tag: &str) -> Entry {
        Entry {
            stream,
            time: "2024-05-01T10:00:00.5Z".parse().unwrap(),
            bytes: bytes.into(),
            attributes: BTreeMap::from([("tag".into(), tag.into()), ("a b".into(), "1".into())]),
        }
    }

    /// V12.20: time and attributes stand before a line, once, however many parts it has.
    #[test]
    fn prefixes() {
        let mut printer =
            Printer { out: Vec::new(), timestamps: true, details: true, in_line: [false; 2] };
        let mut show =
            |stream, bytes| String::from_utf8(printer.text(&entry(stream, bytes, "ä=,"))).unwrap();
        let prefix = "2024-05-01T10:00:00.500000000Z a+b=1,tag=%C3%A4%3D%2C ";
        assert_eq!(show(Stream::Stdout, "first "), format!("{prefix}first "));
        assert_eq!(show(Stream::Stderr, "other\n"), format!("{prefix}other\n"));
        assert_eq!(show(Stream::Stdout, "second\n"), "second\n");
        assert_eq!(show(Stream::Stdout, "third\n"), format!("{prefix}third\n"));
    }

    /// --tail and --since: what they take, and Docker's words for what they do not.
    #[test]
    fn options() {
        let cases = [("all", None), ("", None), ("-1", None), ("0", Some(0)), ("12", Some(12))];
        for (text, want) in cases {
            assert_eq!(lines(text), Ok(want), "{text}");
        }
        assert!(lines("many").is_err());
        assert_eq!(
            moment("since", "foo", Timestamp::now()),
            Err("invalid value for \"since\": failed to parse value as time or duration: \"foo\""
                .into())
        );
    }
}
