//! Why a connection ends, as a WebSocket close code.
//!
//! RFC 6455 defines 1000 to 1015 (section 7.4.1). 3000 to 4999 are free for libraries and
//! applications (section 7.4.2): from 3500 on our client stops, below 3500 it reconnects. A stream
//! has no close code on the wire; the log uses the code for its end too.

/// The end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseCode {
    /// 1000: the channel is finished, or a long poll has its answer.
    Finished,
    /// 1001: the client goes away, like a page that a user leaves.
    GoingAway,
    /// 1003: a binary frame, which the server does not accept.
    BinaryFrame,
    /// 1005: the client closed without a code. Never sent.
    NoCode,
    /// 1006: the connection broke without a close. Never sent.
    ConnectionLost,
    /// 1009: a frame is too large.
    FrameTooLarge,
    /// 1013: a fault of the server, or too many readers or requests; retry.
    TryAgain,
    /// 1015: TLS failed. Never sent.
    TlsFailed,
    /// 3005: the credential expired.
    CredentialExpired,
    /// 3008: the reader is slower than its channel.
    Slow,
    /// 3010: the channel was deleted, or it expired.
    ChannelDeleted,
    /// 3501: a frame or a request is wrong.
    Refused,
    /// 3507: the access is denied or revoked, or the credential is missing or not valid.
    AccessDenied,
    /// 4000, for the log alone: the client of a stream left.
    ReaderLeft,
    /// 4001, for the log alone: a stream reached its age or its number of frames, and the client
    /// reconnects.
    StreamRenewed,
}

impl CloseCode {
    /// Every close code.
    pub const ALL: [CloseCode; 15] = [
        CloseCode::Finished,
        CloseCode::GoingAway,
        CloseCode::BinaryFrame,
        CloseCode::NoCode,
        CloseCode::ConnectionLost,
        CloseCode::FrameTooLarge,
        CloseCode::TryAgain,
        CloseCode::TlsFailed,
        CloseCode::CredentialExpired,
        CloseCode::Slow,
        CloseCode::ChannelDeleted,
        CloseCode::Refused,
        CloseCode::AccessDenied,
        CloseCode::ReaderLeft,
        CloseCode::StreamRenewed,
    ];

    /// The number on the wire.
    pub const fn number(self) -> u16 {
        match self {
            CloseCode::Finished => 1000,
            CloseCode::GoingAway => 1001,
            CloseCode::BinaryFrame => 1003,
            CloseCode::NoCode => 1005,
            CloseCode::ConnectionLost => 1006,
            CloseCode::FrameTooLarge => 1009,
            CloseCode::TryAgain => 1013,
            CloseCode::TlsFailed => 1015,
            CloseCode::CredentialExpired => 3005,
            CloseCode::Slow => 3008,
            CloseCode::ChannelDeleted => 3010,
            CloseCode::Refused => 3501,
            CloseCode::AccessDenied => 3507,
            CloseCode::ReaderLeft => 4000,
            CloseCode::StreamRenewed => 4001,
        }
    }

    /// The number for clients of Yjs, which reconnect after all but 4400 to 4499, the range of HTTP
    /// (`y-websocket` 3.1).
    pub const fn document_number(self) -> u16 {
        match self {
            CloseCode::BinaryFrame | CloseCode::Refused => 4400,
            CloseCode::CredentialExpired => 4401,
            CloseCode::AccessDenied => 4403,
            CloseCode::ChannelDeleted => 4404,
            CloseCode::FrameTooLarge => 4413,
            other => other.number(),
        }
    }

    /// The close code of this number; `None` for a number that a client chose.
    pub fn of(number: u16) -> Option<CloseCode> {
        let of_number = CloseCode::ALL.into_iter().find(|code| code.number() == number);
        // Of two with one number the later: the other is not sent to these clients.
        let of_document =
            || CloseCode::ALL.into_iter().rev().find(|code| code.document_number() == number);
        of_number.or_else(of_document)
    }

    /// Its name in the log.
    pub fn meaning(self) -> &'static str {
        match self {
            CloseCode::Finished => "finished",
            CloseCode::GoingAway | CloseCode::NoCode | CloseCode::ReaderLeft => "left",
            CloseCode::BinaryFrame | CloseCode::FrameTooLarge | CloseCode::Refused => {
                "frame-refused"
            }
            CloseCode::ConnectionLost => "connection-lost",
            CloseCode::TryAgain => "overloaded",
            CloseCode::TlsFailed => "other",
            CloseCode::CredentialExpired => "credential-expired",
            CloseCode::Slow => "slow",
            CloseCode::ChannelDeleted => "channel-deleted",
            CloseCode::AccessDenied => "access-denied",
            CloseCode::StreamRenewed => "stream-renewed",
        }
    }

    /// The number that answers a close of this number: the same, unless it describes an event on
    /// the receiving side and must not be sent.
    pub fn answer(number: u16) -> u16 {
        match CloseCode::of(number) {
            Some(CloseCode::NoCode | CloseCode::ConnectionLost | CloseCode::TlsFailed) => {
                CloseCode::Finished.number()
            }
            _ => number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_read_back_and_has_a_number_of_its_own() {
        for code in CloseCode::ALL {
            assert_eq!(CloseCode::of(code.number()), Some(code));
        }
        assert_eq!([CloseCode::of(1004), CloseCode::of(4999), CloseCode::of(0)], [None; 3]);
        for number in [4400, 4401, 4403, 4404, 4413] {
            assert_eq!(CloseCode::of(number).unwrap().document_number(), number);
        }
        assert_eq!(CloseCode::of(4400), Some(CloseCode::Refused));
    }

    #[test]
    fn each_that_is_sent_stands_in_the_protocol() {
        let protocol = include_str!("../PROTOCOL.md");
        let is_sent =
            |code: &CloseCode| !matches!(code.number(), 1001 | 1005 | 1006 | 1015 | 4000..);
        for code in CloseCode::ALL.iter().filter(|code| is_sent(code)) {
            assert!(protocol.contains(&format!("\n| {} |", code.number())), "{code:?}");
            assert!(protocol.contains(&format!("\n| {} |", code.document_number())), "{code:?}");
        }
    }

    #[test]
    fn a_close_is_answered_as_it_came_unless_its_code_may_not_be_sent() {
        assert_eq!([1000, 1001, 3008, 4999].map(CloseCode::answer), [1000, 1001, 3008, 4999]);
        assert_eq!([1005, 1006, 1015].map(CloseCode::answer), [1000; 3]);
    }
}
