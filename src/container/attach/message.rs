//! What a supervisor and its guests say to each other: one packet a message, a byte that says
//! which, then what belongs to it.

use crate::engine::guests::{Ask, Channel};

/// The longest message.
pub const MESSAGE_BYTES: usize = (32 << 10) + 1;

/// As many bytes of a stream as one message carries.
pub const CHUNK_BYTES: usize = MESSAGE_BYTES - 1;

/// From a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Send me what the container writes, and its end.
    Attach,
    /// Send me its end.
    Wait,
    /// The container shall not be started again.
    Stay,
    /// Something for the container.
    Ask(Ask),
}

/// From the supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The container has written.
    Output(Channel, Vec<u8>),
    /// The container has ended.
    Ended(u8),
}

impl Request {
    /// As a packet.
    pub fn encode(&self) -> Vec<u8> {
        let with = |tag: u8, rest: &[u8]| [&[tag], rest].concat();
        match self {
            Request::Attach => vec![b'A'],
            Request::Wait => vec![b'W'],
            Request::Stay => vec![b'S'],
            Request::Ask(Ask::Input(bytes)) => with(b'I', bytes),
            Request::Ask(Ask::InputEnd) => vec![b'E'],
            Request::Ask(Ask::Signal(number)) => with(b'K', &number.to_le_bytes()),
            Request::Ask(Ask::Resize { rows, columns }) => {
                with(b'R', &[rows.to_le_bytes(), columns.to_le_bytes()].concat())
            }
        }
    }

    /// From a packet; `None` for one that is no message.
    pub fn decode(packet: &[u8]) -> Option<Self> {
        let (tag, rest) = packet.split_first()?;
        Some(match (tag, rest) {
            (b'A', []) => Request::Attach,
            (b'W', []) => Request::Wait,
            (b'S', []) => Request::Stay,
            (b'I', bytes) => Request::Ask(Ask::Input(bytes.to_vec())),
            (b'E', []) => Request::Ask(Ask::InputEnd),
            (b'K', number) => {
                Request::Ask(Ask::Signal(i32::from_le_bytes(number.try_into().ok()?)))
            }
            (b'R', &[r0, r1, c0, c1]) => Request::Ask(Ask::Resize {
                rows: u16::from_le_bytes([r0, r1]),
                columns: u16::from_le_bytes([c0, c1]),
            }),
            _ => return None,
        })
    }
}

impl Answer {
    /// As a packet.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Answer::Output(channel, bytes) => {
                let tag = match channel {
                    Channel::Stdout => b'o',
                    Channel::Stderr => b'e',
                    Channel::Terminal => b't',
                };
                [&[tag], bytes.as_slice()].concat()
            }
            Answer::Ended(status) => vec![b'x', *status],
        }
    }

    /// From a packet; `None` for one that is no message.
    pub fn decode(packet: &[u8]) -> Option<Self> {
        let (tag, rest) = packet.split_first()?;
        Some(match (tag, rest) {
            (b'o', bytes) => Answer::Output(Channel::Stdout, bytes.to_vec()),
            (b'e', bytes) => Answer::Output(Channel::Stderr, bytes.to_vec()),
            (b't', bytes) => Answer::Output(Channel::Terminal, bytes.to_vec()),
            (b'x', &[status]) => Answer::Ended(status),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is encoded is decoded to the same; what is no message is none.
    #[test]
    fn both_ways() {
        let requests = [
            Request::Attach,
            Request::Wait,
            Request::Stay,
            Request::Ask(Ask::Input(b"ls\n".to_vec())),
            Request::Ask(Ask::InputEnd),
            Request::Ask(Ask::Signal(15)),
            Request::Ask(Ask::Resize { rows: 24, columns: 800 }),
        ];
        for request in requests {
            assert_eq!(Request::decode(&request.encode()), Some(request));
        }
        let answers = [
            Answer::Output(Channel::Stdout, b"o".to_vec()),
            Answer::Output(Channel::Stderr, Vec::new()),
            Answer::Output(Channel::Terminal, b"\xff".to_vec()),
            Answer::Ended(137),
        ];
        for answer in answers {
            assert_eq!(Answer::decode(&answer.encode()), Some(answer));
        }
        for packet in [&b""[..], b"?", b"A?", b"K\x01", b"R\x01\x02\x03"] {
            assert_eq!(Request::decode(packet), None, "{packet:?}");
        }
        for packet in [&b""[..], b"?", b"x", b"x12"] {
            assert_eq!(Answer::decode(packet), None, "{packet:?}");
        }
    }
}
