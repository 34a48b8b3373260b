//! A container's output as it is kept: a JSON object a line, in Docker's form (V12.21).
//!
//! `log.json` is the newest file; what was put aside is `log.json.1`, `log.json.2`, … A line is
//! written with its end, so that a reader never sees half of one.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Without an end of line for so long, a part is written by itself, as Docker does it.
const PART_BYTES: usize = 16 << 10;

/// Which stream a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, or the terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    fn word(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }
}

/// When a file is put aside, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// A file that has grown so large is put aside; none never is.
    pub max_size_bytes: Option<u64>,
    /// How many files there are at most, the newest among them.
    pub max_files: u32,
}

/// The log of a container that runs.
#[derive(Debug)]
pub struct JsonLog {
    path: PathBuf,
    file: File,
    written_bytes: u64,
    rotation: Rotation,
    waiting: [Vec<u8>; 2],
}

impl JsonLog {
    /// Opens the log at `path`; what earlier runs wrote stays.
    pub fn open(path: &Path, rotation: Rotation) -> std::io::Result<Self> {
        let file = append_to(path)?;
        let written_bytes = file.metadata()?.len();
        let waiting = [Vec::new(), Vec::new()];
        Ok(Self { path: path.into(), file, written_bytes, rotation, waiting })
    }

    /// Takes bytes of a stream; whole lines are written.
    pub fn take(&mut self, stream: Stream, bytes: &[u8]) -> std::io::Result<()> {
        let mut waiting = std::mem::take(&mut self.waiting[stream as usize]);
        let mut text = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            waiting.extend_from_slice(piece);
            if piece.ends_with(b"\n") || waiting.len() >= PART_BYTES {
                line(&mut text, stream, &waiting)?;
                waiting.clear();
            }
        }
        self.waiting[stream as usize] = waiting;
        self.write(&text)
    }

    /// Writes what waits for the end of its line.
    pub fn finish(&mut self) -> std::io::Result<()> {
        let mut text = Vec::new();
        for stream in [Stream::Stdout, Stream::Stderr] {
            let waiting = std::mem::take(&mut self.waiting[stream as usize]);
            if !waiting.is_empty() {
                line(&mut text, stream, &waiting)?;
            }
        }
        self.write(&text)
    }

    fn write(&mut self, text: &[u8]) -> std::io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.file.write_all(text)?;
        self.written_bytes += text.len() as u64;
        match self.rotation.max_size_bytes {
            Some(limit) if self.written_bytes >= limit => self.put_aside(),
            _ => Ok(()),
        }
    }

    fn put_aside(&mut self) -> std::io::Result<()> {
        let aside = |number: u32| PathBuf::from(format!("{}.{number}", self.path.display()));
        let kept = self.rotation.max_files.saturating_sub(1);
        for number in (1..kept).rev() {
            match fs::rename(aside(number), aside(number + 1)) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        if kept == 0 {
            self.file.set_len(0)?;
        } else {
            fs::rename(&self.path, aside(1))?;
            self.file = append_to(&self.path)?;
        }
        self.written_bytes = 0;
        Ok(())
    }
}

fn append_to(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().create(true).append(true).mode(0o640).open(path)
}

#[derive(serde::Serialize)]
struct Line<'a> {
    log: &'a str,
    stream: &'a str,
    time: &'a str,
}

fn line(text: &mut Vec<u8>, stream: Stream, bytes: &[u8]) -> std::io::Result<()> {
    let (log, time) = (String::from_utf8_lossy(bytes), super::clock::now());
    let line = Line { log: &log, stream: stream.word(), time: &time };
    serde_json::to_writer(&mut *text, &line)?;
    text.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Tried = std::io::Result<()>;

    fn logs(path: &Path) -> std::io::Result<Vec<String>> {
        let text = fs::read_to_string(path)?;
        Ok(text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["log"].to_string())
            .collect())
    }

    /// V12.21: lines are whole, the streams are apart, the last part comes without its end.
    #[test]
    fn lines() -> Tried {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("log.json");
        let mut log = JsonLog::open(&path, Rotation { max_size_bytes: None, max_files: 1 })?;
        log.take(Stream::Stdout, b"a\nb")?;
        log.take(Stream::Stderr, b"e\n")?;
        log.take(Stream::Stdout, b"b\nlast")?;
        log.finish()?;
        assert_eq!(logs(&path)?, [r#""a\n""#, r#""e\n""#, r#""bb\n""#, r#""last""#]);
        assert!(fs::read_to_string(&path)?.lines().next().is_some_and(|line| {
            line.starts_with(r#"{"log":"a\n","stream":"stdout","time":"2"#)
                && line.ends_with("Z\"}")
        }));
        Ok(())
    }

    /// A full file is put aside, the oldest goes; with one file it begins anew.
    #[test]
    fn rotation() -> Tried {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("log.json");
        let rotation = Rotation { max_size_bytes: Some(100), max_files: 3 };
        let mut log = JsonLog::open(&path, rotation)?;
        for number in 0..12 {
            log.take(Stream::Stdout, format!("line {number}\n").as_bytes())?;
        }
        let mut names: Vec<_> = fs::read_dir(directory.path())?
            .map(|entry| Ok(entry?.file_name().into_string().unwrap_or_default()))
            .collect::<std::io::Result<_>>()?;
        names.sort();
        assert_eq!(names, ["log.json", "log.json.1", "log.json.2"]);
        assert_eq!(
            logs(&directory.path().join("log.json.1"))?,
            [r#""line 10\n""#, r#""line 11\n""#]
        );
        Ok(())
    }
}
