use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use jiff::Timestamp;

use super::chain::Chain;
use super::reader::{Last, Sink, Wanted, read, read_on};
use super::reading::Reading;
use super::writer::{LogWriter, Loss};
use super::{Entry, Form, Stream};
use crate::container::options::{Log, LogDriver};

fn options(driver: LogDriver, max_size_bytes: u64, max_files: u32) -> Log {
    let max_size_bytes = Some(max_size_bytes).filter(|bytes| *bytes > 0);
    Log { driver, max_size_bytes, max_files, ..Log::default() }
}

fn writer(directory: &Path, options: &Log) -> LogWriter {
    LogWriter::new(directory, options, BTreeMap::new()).unwrap()
}

/// Collects entries.
#[derive(Default)]
struct Collected(Vec<Entry>);

impl Sink for Collected {
    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.0.push(entry.clone());
        Ok(())
    }

    fn pause(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn entries(directory: &Path, form: Form, wanted: Wanted) -> Vec<Entry> {
    let mut collected = Collected::default();
    let seen = read((directory, form), wanted, &mut collected).unwrap();
    assert_eq!(seen.unreadable, 0);
    collected.0
}

fn texts(directory: &Path, form: Form, tail: Option<usize>) -> Vec<String> {
    let wanted = Wanted { tail, ..Wanted::default() };
    let text = |entry: Entry| String::from_utf8(entry.bytes).unwrap();
    entries(directory, form, wanted).into_iter().map(text).collect()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const FORMS: [(LogDriver, Form); 2] =
    [(LogDriver::JsonFile, Form::Json), (LogDriver::Local, Form::Local)];

/// V12.21: lines are whole, the streams are apart, the last part comes without its end.
#[test]
fn lines() {
    for (driver, form) in FORMS {
        let directory = tempfile::tempdir().unwrap();
        let mut log = writer(directory.path(), &options(driver, 0, 1));
        log.take(Stream::Stdout, b"a\nb");
        log.take(Stream::Stderr, b"e\n");
        log.take(Stream::Stdout, b"b\nlast");
        assert_eq!(texts(directory.path(), form, None), ["a\n", "e\n", "bb\n"]);
        assert_eq!(log.finish(), None);
        assert_eq!(texts(directory.path(), form, None), ["a\n", "e\n", "bb\n", "last"]);
        let streams: Vec<Stream> = entries(directory.path(), form, Wanted::default())
            .iter()
            .map(|entry| entry.stream)
            .collect();
        assert_eq!(streams[..2], [Stream::Stdout, Stream::Stderr]);
    }
    let nothing = options(LogDriver::None, 0, 1);
    assert!(LogWriter::new(Path::new("/"), &nothing, BTreeMap::new()).is_none());
}

/// A container that writes nothing has no log file.
#[test]
fn no_output() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = writer(directory.path(), &options(LogDriver::JsonFile, 0, 1));
    log.finish();
    assert_eq!(names(directory.path()), [""; 0]);
    assert_eq!(texts(directory.path(), Form::Json, Some(3)), [""; 0]);
}

/// A long line is kept in parts of 16 KiB, none of which ends within a character; all have the
/// time of the first.
#[test]
fn long_lines() {
    const PART: usize = 16 << 10;
    for (driver, form) in FORMS {
        let directory = tempfile::tempdir().unwrap();
        let mut log = writer(directory.path(), &options(driver, 0, 1));
        let line = "x".repeat(PART - 1) + &"ä".repeat(PART) + "\n";
        for piece in line.as_bytes().chunks(1000) {
            log.take(Stream::Stdout, piece);
        }
        log.take(Stream::Stdout, b"next\n");
        let entries = entries(directory.path(), form, Wanted::default());
        let lengths: Vec<usize> = entries.iter().map(|entry| entry.bytes.len()).collect();
        assert_eq!(lengths, [PART - 1, PART, PART, 1, 5][..], "{form:?}");
        let whole: Vec<u8> = entries.iter().take(4).flat_map(|e| e.bytes.clone()).collect();
        assert!(whole == line.as_bytes(), "{form:?}");
        assert!(entries[..4].iter().all(|entry| entry.time == entries[0].time));
        // Its parts are one line for --tail.
        assert_eq!(texts(directory.path(), form, Some(2)).concat().len(), line.len() + 5);
        assert_eq!(texts(directory.path(), form, Some(1)), ["next\n"]);
    }
}

/// Bytes that are no text do not hold the writer up; `local` keeps them.
#[test]
fn bytes() {
    for (driver, form) in FORMS {
        let directory = tempfile::tempdir().unwrap();
        let mut log = writer(directory.path(), &options(driver, 0, 1));
        let noise: Vec<u8> = (0..40_000u32).map(|n| (n % 250) as u8 | 0x80).collect();
        log.take(Stream::Stdout, &noise);
        log.finish();
        let entries = entries(directory.path(), form, Wanted::default());
        let bytes: Vec<u8> = entries.iter().flat_map(|entry| entry.bytes.clone()).collect();
        match form {
            Form::Local => assert!(bytes == noise),
            Form::Json => assert!(bytes.starts_with("\u{fffd}".as_bytes())),
        }
    }
}

/// A full file is put aside before the next line; the oldest goes.
#[test]
fn rotation() {
    let directory = tempfile::tempdir().unwrap();
    let log_options = options(LogDriver::JsonFile, 100, 3);
    let mut log = writer(directory.path(), &log_options);
    for number in 0..12 {
        log.take(Stream::Stdout, format!("line {number}\n").as_bytes());
    }
    assert_eq!(names(directory.path()), ["log.json", "log.json.1", "log.json.2"]);
    let last: Vec<String> = (6..12).map(|number| format!("line {number}\n")).collect();
    assert_eq!(texts(directory.path(), Form::Json, None), last);
    assert_eq!(texts(directory.path(), Form::Json, Some(3)), last[3..]);

    // One file alone begins anew.
    let directory = tempfile::tempdir().unwrap();
    let log_options = options(LogDriver::JsonFile, 100, 1);
    let mut log = writer(directory.path(), &log_options);
    (0..5).for_each(|n| log.take(Stream::Stdout, format!("line {n}\n").as_bytes()));
    assert_eq!(names(directory.path()), ["log.json"]);
    assert_eq!(texts(directory.path(), Form::Json, None), ["line 4\n"]);
}

/// What is put aside is compressed and read all the same; --tail goes into it, too.
#[test]
fn compression() {
    for (driver, form) in FORMS {
        let directory = tempfile::tempdir().unwrap();
        let max_size_bytes = if form == Form::Json { 500 } else { 150 };
        let log_options = Log { compress: true, ..options(driver, max_size_bytes, 4) };
        let mut log = writer(directory.path(), &log_options);
        let lines: Vec<String> = (0..40).map(|n| format!("line {n}\n")).collect();
        lines.iter().for_each(|line| log.take(Stream::Stdout, line.as_bytes()));
        log.finish();
        let kept = texts(directory.path(), form, None);
        assert!(kept.len() > 15 && lines.ends_with(&kept), "{form:?}: {kept:?}");
        for tail in [0, 1, 7, 12, 15] {
            let want = &lines[lines.len() - tail..];
            assert_eq!(texts(directory.path(), form, Some(tail)), want, "{form:?}");
        }
        let newest = form.file_name();
        let wanted = ["", ".1.gz", ".2.gz", ".3.gz"].map(|end| format!("{newest}{end}"));
        assert_eq!(names(directory.path()), wanted);
    }
}

/// The compressed file is what gzip makes of the lines.
#[test]
fn compressed_content() {
    let directory = tempfile::tempdir().unwrap();
    let log_options = Log { compress: true, ..options(LogDriver::JsonFile, 100, 2) };
    let mut log = writer(directory.path(), &log_options);
    (0..3).for_each(|n| log.take(Stream::Stdout, format!("line {n}\n").as_bytes()));
    log.finish();
    let mut text = String::new();
    let file = File::open(directory.path().join("log.json.1.gz")).unwrap();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert!(text.starts_with(r#"{"log":"line 0\n","stream":"stdout","time":"2"#));
}

/// A supervisor that was killed may have left half an entry: it goes, and the rest stays.
#[test]
fn torn_end() {
    for (driver, form) in FORMS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(form.file_name());
        let log_options = options(driver, 0, 1);
        writer(directory.path(), &log_options).take(Stream::Stdout, b"one\ntwo\n");
        let whole = fs::metadata(&path).unwrap().len();
        File::options().write(true).open(&path).unwrap().set_len(whole - 3).unwrap();
        assert_eq!(texts(directory.path(), form, None), ["one\n"], "{form:?}");
        assert_eq!(texts(directory.path(), form, Some(1)), ["one\n"], "{form:?}");
        writer(directory.path(), &log_options).take(Stream::Stdout, b"three\n");
        assert_eq!(texts(directory.path(), form, None), ["one\n", "three\n"], "{form:?}");
    }
}

/// --since, --until and --tail: the last lines are the last ones of those up to `until`.
#[test]
fn times() {
    let directory = tempfile::tempdir().unwrap();
    let at = |second: u32| format!("2024-05-01T10:00:{second:02}Z");
    let line = |second: u32| {
        let time = at(second);
        format!("{{\"log\":\"{second}\\n\",\"stream\":\"stdout\",\"time\":\"{time}\"}}\n")
    };
    let text: String = (0..10).map(line).collect();
    fs::write(directory.path().join("log.json"), text).unwrap();
    let time = |second| at(second).parse::<Timestamp>().ok();
    let of = |since: Option<u32>, until: Option<u32>, tail| {
        let wanted = Wanted { since: since.and_then(time), until: until.and_then(time), tail };
        let entries = entries(directory.path(), Form::Json, wanted);
        entries.iter().map(|e| char::from(e.bytes[0])).collect::<String>()
    };
    assert_eq!(of(None, None, None), "0123456789");
    assert_eq!(of(Some(7), None, None), "789");
    assert_eq!(of(None, Some(3), None), "0123");
    assert_eq!(of(Some(2), Some(4), None), "234");
    assert_eq!(of(None, Some(5), Some(2)), "45");
    assert_eq!(of(Some(9), None, Some(3)), "9");
    assert_eq!(of(None, None, Some(100)), "0123456789");
}

/// The end of a large file is found without a look at its beginning.
#[test]
fn tail_of_a_large_file() {
    for (driver, form) in FORMS {
        let directory = tempfile::tempdir().unwrap();
        let mut log = writer(directory.path(), &options(driver, 0, 1));
        let lines: Vec<String> = (0..20_000).map(|n| format!("line {n}\n")).collect();
        log.take(Stream::Stdout, lines.concat().as_bytes());
        for tail in [1, 999, 1000, 5000, 19_999, 20_000, 20_001] {
            let want = &lines[lines.len().saturating_sub(tail)..];
            assert!(texts(directory.path(), form, Some(tail)) == want, "{form:?} {tail}");
        }
    }
}

/// Who follows sees every line once and in order, however often files are put aside and
/// compressed meanwhile, and ends with the container.
#[test]
fn following() {
    for (driver, form) in FORMS {
        for compress in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let lock = running(directory.path());
            let lines: Vec<String> = (0..3000).map(|n| format!("line {n}\n")).collect();
            let log_options = Log { compress, ..options(driver, 2000, 1000) };
            let mut log = writer(directory.path(), &log_options);
            log.take(Stream::Stdout, lines[0].as_bytes());
            let collected = std::thread::scope(|scope| {
                let follower = scope.spawn(|| {
                    let mut collected = Collected::default();
                    let wanted = Wanted { tail: Some(1), ..Wanted::default() };
                    read_on((directory.path(), form), (wanted, Last::Exit), &mut collected)
                        .unwrap();
                    collected.0
                });
                for line in &lines[1..] {
                    log.take(Stream::Stdout, line.as_bytes());
                }
                log.finish();
                ended(directory.path());
                follower.join().unwrap()
            });
            drop(lock);
            let texts: Vec<String> =
                collected.into_iter().map(|e| String::from_utf8(e.bytes).unwrap()).collect();
            // How many there were when it began is chance.
            assert!(lines.ends_with(&texts) && !texts.is_empty(), "{form:?} {compress}");
        }
    }
}

/// A supervisor that was killed writes no state: its lock, which is free, tells.
#[test]
fn following_to_a_sudden_end() {
    let directory = tempfile::tempdir().unwrap();
    let lock = running(directory.path());
    let mut log = writer(directory.path(), &options(LogDriver::JsonFile, 0, 1));
    log.take(Stream::Stdout, b"a\n");
    let collected = std::thread::scope(|scope| {
        let follower = scope.spawn(|| {
            let mut collected = Collected::default();
            let wanted = (Wanted::default(), Last::Supervisor);
            read_on((directory.path(), Form::Json), wanted, &mut collected).unwrap();
            collected.0
        });
        log.take(Stream::Stdout, b"b\n");
        drop(lock);
        follower.join().unwrap()
    });
    assert_eq!(collected.len(), 2);
}

/// `until` ends the following, too.
#[test]
fn following_for_a_while() {
    let directory = tempfile::tempdir().unwrap();
    let _lock = running(directory.path());
    let until = Timestamp::now() + jiff::SignedDuration::from_millis(50);
    let wanted = Wanted { until: Some(until), ..Wanted::default() };
    let mut collected = Collected::default();
    let log = (directory.path(), Form::Json);
    read_on(log, (wanted, Last::Exit), &mut collected).unwrap();
    assert!(Timestamp::now() >= until);
}

/// With one file, what its reader has open is not cut: the last line before the change is read.
#[test]
fn following_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = writer(directory.path(), &options(LogDriver::JsonFile, 60, 1));
    log.take(Stream::Stdout, b"a\n");
    let chain = Chain::open(directory.path(), Form::Json).unwrap();
    let mut collected = Collected::default();
    let mut reading = Reading::new(chain, Wanted::default(), &mut collected);
    reading.read_all().unwrap();
    let path = directory.path().join("log.json");
    let mut old = File::options().append(true).open(&path).unwrap();
    log.take(Stream::Stdout, b"c\n");
    // Written before the change, but not read before it.
    let line = "{\"log\":\"b\\n\",\"stream\":\"stdout\",\"time\":\"2024-05-01T10:00:00Z\"}\n";
    io::Write::write_all(&mut old, line.as_bytes()).unwrap();
    reading.read_all().unwrap();
    let text: Vec<u8> = collected.0.iter().map(|entry| entry.bytes[0]).collect();
    assert_eq!(text, b"abc");
}

/// What a full disk does not take is counted, no half entry stays, and later lines are kept.
#[test]
fn full_disk() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = writer(directory.path(), &options(LogDriver::JsonFile, 0, 1));
    log.take(Stream::Stdout, b"before\n");
    let path = directory.path().join("log.json");
    // A file that may not grow fails as a full disk does.
    log.use_file(File::open(&path).unwrap());
    log.take(Stream::Stdout, b"lost\n");
    log.take(Stream::Stderr, b"lost, too\n");
    log.use_file(File::options().append(true).open(&path).unwrap());
    log.take(Stream::Stdout, b"after\n");
    assert_eq!(texts(directory.path(), Form::Json, None), ["before\n", "after\n"]);
    let kept = Loss::of(directory.path()).unwrap();
    assert_eq!(kept.bytes, 15);
    assert_eq!(log.finish(), Some(kept));
}

/// The lock of a container that runs, by its state.
fn running(directory: &Path) -> File {
    fs::write(directory.join("state.json"), r#"{"status":"running","pid":1}"#).unwrap();
    let lock = File::create(directory.join("run.lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    lock
}

fn ended(directory: &Path) {
    let coming = directory.join(".new-state");
    fs::write(&coming, r#"{"status":"exited"}"#).unwrap();
    fs::rename(coming, directory.join("state.json")).unwrap();
}

/// A line that is none of ours is passed over and counted.
#[test]
fn foreign_lines() {
    let directory = tempfile::tempdir().unwrap();
    let text =
        "{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"2024-05-01T10:00:00Z\"}\nnoise\n";
    fs::write(directory.path().join("log.json"), text.repeat(2)).unwrap();
    let mut collected = Collected::default();
    let log = (directory.path(), Form::Json);
    let seen = read(log, Wanted::default(), &mut collected).unwrap();
    assert_eq!((collected.0.len(), seen.unreadable), (2, 2));
}
