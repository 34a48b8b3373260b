//! `credentials=FILE` of a share: who mounts it, in a file that only root reads.
//!
//! The kernel passes over the word, because mount.cifs(8) reads the file for it; no such program
//! is used here (V8.04). The file's words go to the kernel as they are, so a comma in a password
//! needs no care. They are read anew for each mount and kept nowhere.

use std::fs::File;
use std::io::{self, Read};

use rustix::fs::{Mode, OFlags};

use super::local::MountWish;

/// Files that are longer are not read.
const FILE_MAX: u64 = 4096;

/// The file that the mount names, if it does and is one of a share.
pub(super) fn file(wish: &MountWish) -> Option<&str> {
    if !matches!(wish.fstype.as_str(), "cifs" | "smb3") {
        return None;
    }
    wish.data.iter().find_map(|word| path(word))
}

fn path(word: &str) -> Option<&str> {
    word.strip_prefix("credentials=").or(word.strip_prefix("cred="))
}

/// The mount with the file's words in place of its name.
pub(super) fn apply(mut wish: MountWish, file: &str) -> io::Result<MountWish> {
    let words = parse(&read(file)?);
    let at = wish.data.iter().position(|word| path(word).is_some()).unwrap_or(0);
    wish.data.splice(at..=at, words);
    Ok(wish)
}

fn read(path: &str) -> io::Result<String> {
    if !path.starts_with('/') {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path is not absolute"));
    }
    // A fifo must not keep us waiting.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut text = String::new();
    file.take(FILE_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// `username=`, `password=`, `domain=`, and the short forms that mount.cifs(8) reads.
fn parse(text: &str) -> Vec<String> {
    let word = |line: &str| {
        let (key, value) = line.trim_start().split_once('=')?;
        let key = match key.trim_end() {
            "username" | "user" => "username",
            "password" | "pass" => "password",
            "password2" => "password2",
            "domain" | "dom" | "workgroup" => "domain",
            _ => return None,
        };
        Some(format!("{key}={value}"))
    };
    text.lines().filter_map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(o: &[&str]) -> MountWish {
        MountWish {
            fstype: "cifs".into(),
            source: "//h/s".into(),
            flags: 0,
            data: o.iter().map(|word| (*word).to_owned()).collect(),
        }
    }

    /// The file's words take the place of its name and are masked where the mount is shown.
    #[test]
    fn words_of_the_file() {
        let scratch = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(scratch.path(), "# mine\nuser=u\n  pass=a,b=c \ndomain = d\nx=y\n").unwrap();
        let path = scratch.path().to_str().unwrap();
        let wish = share(&["vers=3", &format!("credentials={path}"), "seal"]);
        assert_eq!(file(&wish), Some(path));
        let with = apply(wish.clone(), path).unwrap();
        assert_eq!(with.data, ["vers=3", "username=u", "password=a,b=c ", "domain= d", "seal"]);
        assert!(!with.shown("/v".as_ref()).contains("a,b=c"));
        assert_eq!(file(&with), None);
        assert_eq!(file(&MountWish { fstype: "nfs".into(), ..wish }), None);
    }

    /// What is no file is not waited for.
    #[test]
    fn no_files() {
        for (path, words) in [
            ("rel", "the path is not absolute"),
            ("/nope", "No such file or directory (os error 2)"),
            ("/", "not a regular file"),
            ("/dev/null", "not a regular file"),
        ] {
            assert_eq!(apply(share(&["cred=x"]), path).unwrap_err().to_string(), words, "{path}");
        }
    }
}
