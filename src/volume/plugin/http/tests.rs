//! The client against a server that sends the bytes it is told, in the parts it is told.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use super::*;

const LIMIT: Duration = Duration::from_secs(10);

/// What the client makes of `parts`, sent one by one; then the connection is closed.
fn exchange(parts: &[&[u8]]) -> Result<Reply, HttpError> {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut connection, _) = listener.accept().unwrap();
            let mut asked = [0; 4096];
            let length = connection.read(&mut asked).unwrap();
            let asked = String::from_utf8_lossy(&asked[..length]).into_owned();
            assert!(asked.starts_with("POST /VolumeDriver.Get HTTP/1.1\r\n"), "{asked}");
            assert!(asked.ends_with("\r\n\r\n{}\n") && asked.contains("Content-Length: 3\r\n"));
            for part in parts {
                // The client may have had enough.
                if connection.write_all(part).is_err() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        post(&Endpoint::Unix(path.clone()), ("/VolumeDriver.Get", b"{}\n"), LIMIT)
    })
}

fn body(parts: &[&[u8]]) -> String {
    match exchange(parts) {
        Ok(reply) => format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body)),
        Err(HttpError::Wrong(reason)) => reason.into(),
        Err(error) => panic!("{error:?}"),
    }
}

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n";

/// The three ways in which a body ends, whole and in pieces.
#[test]
fn answers() {
    let cases: [(&[&[u8]], &str); 8] = [
        (&[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}xxx"], "200 {}"),
        (&[b"HTTP/1.1 500 No\r\ncontent-length:2\r\n", b"\r\n{", b"}"], "500 {}"),
        (&[b"HTTP/1.0 200 OK\r\n\r\n{", b"}"], "200 {}"),
        (&[CHUNKED, b"1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n"], "200 {}"),
        (&[CHUNKED, b"0", b"2\r", b"\n{", b"}\r\n0\r\n"], "200 {}"),
        (&[b"HTTP/1.1 204 None\r\n\r\n"], "204 "),
        (&[b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"], "200 x"),
        (&[b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"], "200 x"),
    ];
    for (parts, wanted) in cases {
        assert_eq!(body(parts), wanted, "{}", String::from_utf8_lossy(parts[0]));
    }
}

/// What is no answer is told from one, and none is read without end.
#[test]
fn what_is_no_answer() {
    let endless = vec![b'x'; 2 << 20];
    let chunk = [b"100000\r\n".as_slice(), &vec![b'x'; 1 << 20], b"\r\n1\r\nx\r\n"].concat();
    let ok = b"HTTP/1.1 200 OK\r\n".as_slice();
    let cases: [(&[&[u8]], &str); 14] = [
        (&[], "there is none"),
        (&[b"\x7fELF"], "it is no HTTP"),
        (&[b"<html>"], "it is no HTTP"),
        (&[b"HTTP/1.1 200 OK\r\nContent-Len"], "it broke off"),
        (&[ok, b"Content-Length: 5\r\n\r\n{}"], "it broke off"),
        (&[ok, b"Content-Length: -1\r\n\r\n"], "its length is no number"),
        (&[ok, b"Content-Length: 99999999999999999999\r\n\r\n"], "its length is no number"),
        (
            &[ok, b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n"],
            "it has two lengths, or an unknown coding",
        ),
        (&[ok, b"Transfer-Encoding: gzip\r\n\r\n"], "it has two lengths, or an unknown coding"),
        (&[ok, b"Content-Length: 1048577\r\n\r\n"], "it is too long"),
        (&[ok, b"\r\n", &endless], "it is too long"),
        (&[ok, b"Transfer-Encoding: chunked\r\n\r\n", &chunk], "it is too long"),
        (&[ok, b"X: ", &endless], "its head is too long"),
        (&[ok, b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"], "a chunk of it has no size"),
    ];
    for (parts, wanted) in cases {
        assert_eq!(body(parts), wanted);
    }
    let chunked = [ok, b"Transfer-Encoding: chunked\r\n\r\n1\r\nxyz"];
    assert_eq!(body(&chunked), "a chunk of it is longer than it says");
    let size = [ok, b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"];
    assert_eq!(body(&size), "it is too long");
}

/// The limit is for the whole exchange: whoever does not listen, is silent or drips.
#[test]
fn time_limits() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("s");
    let limit = Duration::from_millis(200);
    let ask = || {
        let begun = Instant::now();
        let error = post(&Endpoint::Unix(path.clone()), ("/x", b""), limit).unwrap_err();
        (error, begun.elapsed())
    };
    let soon = Duration::from_secs(3);
    // No socket, and one that nobody listens at (V9.09: not tried again).
    for _ in 0..2 {
        let (error, took) = ask();
        assert!(matches!(error, HttpError::Connect(_)) && took < limit, "{error:?} {took:?}");
        let _ = UnixListener::bind(&path);
    }
    std::fs::remove_file(&path).unwrap();
    let listener = UnixListener::bind(&path).unwrap();
    let (error, took) = ask();
    assert!(matches!(error, HttpError::Silent) && took >= limit && took < soon, "{took:?}");
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { continue };
            let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
            let bytes = head.iter().chain(std::iter::repeat(&b'x'));
            for byte in bytes {
                if connection.write_all(&[*byte]).is_err() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    });
    let (error, took) = ask();
    assert!(matches!(error, HttpError::Silent) && took < soon, "{error:?} {took:?}");
}

/// A listener whose queue is full keeps nobody.
#[test]
fn a_full_queue() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("s");
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let listener = socket.unwrap();
    rustix::net::bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let limit = Duration::from_millis(200);
    let mut waiting = Vec::new();
    let begun = Instant::now();
    while let Ok(socket) = dial_unix(&path, limit) {
        waiting.push(socket);
        assert!(waiting.len() < 10_000);
    }
    assert!(!waiting.is_empty());
    let error = post(&Endpoint::Unix(path), ("/x", b""), limit).unwrap_err();
    assert!(matches!(error, HttpError::Silent), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}
