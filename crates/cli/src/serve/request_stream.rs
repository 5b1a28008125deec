//! The bytes of a client on their way to hyper: never more than the head of one request and then
//! its body, and only the request line is ever changed.
//!
//! What is a request line and what is part of a body decides whose request the bytes are. So this
//! stream never decides it alone. It passes one head on, up to its blank line. Then it passes
//! nothing on until [`Announcer`] has said what hyper itself read from that head: a body of so many
//! bytes, after which the next head begins, or a body of unknown length, after which nothing is
//! changed any more and the connection has to close.

use std::io;
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::serve::drain::Progress;
use crate::serve::request_target::repaired;

/// Longest request line that is collected to be repaired: the longest target that hyper takes, and
/// room for a method and a version.
const MAX_LINE_BYTES: usize = 65_534 + 64;
/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 8 * 1024;
/// How long a connection whose client may still be sending stays open after the response, for
/// reading only. A connection that is closed at once while bytes arrive is reset, and a proxy that
/// is still sending then loses the response and makes a 502 of it.
pub(crate) const LINGER: Duration = Duration::from_secs(5);
/// How many bytes are read and dropped in that time at most.
pub(crate) const MAX_LINGER_BYTES: usize = 4 * 1024 * 1024;

/// How many bytes follow a head; `None` if only reading them shows it.
type BodyLength = Option<u64>;

/// Says which body hyper expects after the head that it has read.
pub(crate) struct Announcer(mpsc::Sender<BodyLength>);

impl Announcer {
    /// The length is that of hyper's own body, so that both sides agree on where it ends.
    pub(crate) fn body_follows(&self, length: BodyLength) {
        // Without a receiver the connection has ended.
        let _ = self.0.send(length);
    }
}

/// What the next byte of the client belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    /// A request line, or an empty line before it.
    RequestLine,
    /// A line of the head after the request line.
    Header(Line),
    /// Whatever follows a complete head: not known before hyper has read it.
    Unknown,
    /// A body of which so many bytes are still to come.
    Body(u64),
    /// A body of unknown length, or a head that cannot be one: passed on as it is until the end.
    Rest,
}

/// What a line of the head consists of so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Empty,
    CarriageReturn,
    Text,
}

/// Splits what a client sends into heads and bodies.
struct Framing {
    next: Position,
    /// Received, and not yet released.
    received: BytesMut,
    /// Bytes at the start of `received` that are known to hold no line feed.
    searched: usize,
    /// May be passed on.
    released: BytesMut,
    announced: mpsc::Receiver<BodyLength>,
}

/// What has to happen before more bytes can be passed on.
#[derive(Debug, PartialEq, Eq)]
enum Lacks {
    Nothing,
    /// More bytes from the client.
    Bytes,
    /// A word from hyper.
    Announcement,
}

impl Framing {
    /// Releases what may be passed on.
    fn release(&mut self) -> Lacks {
        loop {
            if !self.released.is_empty() {
                return Lacks::Nothing;
            }
            if self.next == Position::Unknown && !self.take_announcement() {
                return Lacks::Announcement;
            }
            if self.received.is_empty() {
                return Lacks::Bytes;
            }
            match self.next {
                Position::RequestLine => {
                    if !self.release_request_line() {
                        return Lacks::Bytes;
                    }
                }
                Position::Header(line) => self.release_headers(line),
                Position::Unknown => {}
                Position::Body(left) => {
                    let length = usize::try_from(left).unwrap_or(usize::MAX);
                    let length = length.min(self.received.len());
                    self.released = self.received.split_to(length);
                    self.next = body(left.saturating_sub(length as u64));
                }
                Position::Rest => self.released = self.received.split(),
            }
        }
    }

    /// Learns what follows the head that was passed on; whether that is known.
    fn take_announcement(&mut self) -> bool {
        let Ok(length) = self.announced.try_recv() else {
            return false;
        };
        self.next = length.map_or(Position::Rest, body);
        true
    }

    /// Releases a line, if it is complete or too long.
    fn release_request_line(&mut self) -> bool {
        let new = self.received.get(self.searched..).unwrap_or_default();
        let Some(end) = new.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.received.len();
            let is_too_long = self.searched > MAX_LINE_BYTES;
            if is_too_long {
                self.searched = 0;
                self.released = self.received.split();
                self.next = Position::Header(Line::Text);
            }
            return is_too_long;
        };
        let line = self.received.split_to(self.searched + end + 1);
        self.searched = 0;
        // RFC 9112 §2.2: empty lines before a request line are ignored, which hyper does.
        if !matches!(line.as_ref(), b"\n" | b"\r\n") {
            self.next = Position::Header(Line::Empty);
        }
        self.released = repaired(&line).unwrap_or(line);
        true
    }

    /// Releases headers up to the blank line, as far as they have come.
    ///
    /// A head ends at the first line feed that begins a line, or follows a carriage return that
    /// does: that is where `httparse` ends it, if it does not refuse it earlier.
    fn release_headers(&mut self, mut line: Line) {
        let mut length = 0;
        self.next = loop {
            let Some(byte) = self.received.get(length) else {
                break Position::Header(line);
            };
            length += 1;
            line = match (line, byte) {
                (Line::Empty | Line::CarriageReturn, b'\n') => break Position::Unknown,
                (Line::Text, b'\n') => Line::Empty,
                (Line::Empty, b'\r') => Line::CarriageReturn,
                _ => Line::Text,
            };
        };
        self.released = self.received.split_to(length);
    }

    /// Returns whether the next byte begins a request, and nothing of it is there.
    fn is_between_requests(&self) -> bool {
        self.next == Position::RequestLine && self.received.is_empty()
    }

    /// Ends the input: the client sends no more.
    fn end(&mut self) {
        self.released = self.received.split();
        self.next = Position::Rest;
    }

    /// Returns whether the client may be sending bytes that will not be read.
    fn may_be_sending(&mut self) -> bool {
        if self.next == Position::Unknown {
            self.take_announcement();
        }
        self.next != Position::RequestLine || !self.received.is_empty()
    }
}

fn body(length: u64) -> Position {
    match length {
        0 => Position::RequestLine,
        length => Position::Body(length),
    }
}

/// A client's stream, as hyper reads and writes it.
pub(crate) struct RequestStream<S> {
    stream: S,
    framing: Framing,
    closing: Closing,
    progress: Progress,
}

/// How far closing the connection has come.
enum Closing {
    Open,
    /// The response has left and the writing side is closed; what still arrives is dropped.
    Lingering {
        until: Pin<Box<Sleep>>,
        dropped: usize,
    },
}

impl<S> RequestStream<S> {
    pub(crate) fn new(stream: S, progress: Progress) -> (Self, Announcer) {
        let (announcer, announced) = mpsc::channel();
        let framing = Framing {
            next: Position::RequestLine,
            received: BytesMut::new(),
            searched: 0,
            released: BytesMut::new(),
            announced,
        };
        let stream = Self {
            stream,
            framing,
            closing: Closing::Open,
            progress,
        };
        (stream, Announcer(announcer))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for RequestStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self {
            stream,
            framing,
            progress,
            ..
        } = &mut *self;
        loop {
            match framing.release() {
                Lacks::Nothing => break,
                // hyper reads on in a head that ended here: nothing is safe any more.
                Lacks::Announcement => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                Lacks::Bytes => {}
            }
            if framing.is_between_requests() {
                progress.waits();
            }
            let mut chunk = [0; CHUNK_BYTES];
            let mut chunk = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut *stream).poll_read(context, &mut chunk))?;
            if chunk.filled().is_empty() {
                framing.end();
                break;
            }
            if framing.is_between_requests() {
                progress.has_received();
            }
            framing.received.extend_from_slice(chunk.filled());
        }
        let length = framing.released.len().min(buffer.remaining());
        buffer.put_slice(framing.released.get(..length).unwrap_or_default());
        framing.released.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for RequestStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// Closes the writing side, and the reading side only once the client has stopped sending
    /// (RFC 9112 §9.6), within limits.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Closing::Open = self.closing {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            if !self.framing.may_be_sending() {
                return Poll::Ready(Ok(()));
            }
            self.closing = Closing::Lingering {
                until: Box::pin(tokio::time::sleep(LINGER)),
                dropped: 0,
            };
        }
        let Self {
            stream, closing, ..
        } = &mut *self;
        let Closing::Lingering { until, dropped } = closing else {
            return Poll::Ready(Ok(()));
        };
        while *dropped < MAX_LINGER_BYTES && until.as_mut().poll(context).is_pending() {
            let mut chunk = [0; CHUNK_BYTES];
            let mut chunk = ReadBuf::new(&mut chunk);
            let read = ready!(Pin::new(&mut *stream).poll_read(context, &mut chunk));
            if read.is_err() || chunk.filled().is_empty() {
                break;
            }
            *dropped += chunk.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// Returns where the head ends in some bytes that come one by one; `None` if it does not.
    fn end_of_head(bytes: &[u8]) -> Option<usize> {
        let (stream, _announcer) = RequestStream::new((), Progress::default());
        let mut framing = stream.framing;
        let mut passed = 0;
        for byte in bytes {
            framing.received.extend_from_slice(&[*byte]);
            while framing.release() == Lacks::Nothing {
                passed += framing.released.split().len();
            }
            if framing.next == Position::Unknown {
                return Some(passed);
            }
        }
        None
    }

    /// Returns where the parser that hyper uses finds the end.
    fn end_of_parsed(bytes: &[u8]) -> Option<usize> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        match httparse::Request::new(&mut headers).parse(bytes) {
            Ok(httparse::Status::Complete(length)) => Some(length),
            Ok(httparse::Status::Partial) | Err(_) => None,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 4000,
            failure_persistence: None,
            rng_seed: proptest::test_runner::RngSeed::Fixed(14),
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_head_ends_where_hyper_ends_it(
            before in vec(select(vec!["\r\n", "\n", "\r", " "]), 0..3),
            line in select(vec!["GET /a HTTP/1.1", "GET /a HTTP/1.0", "GET /a", "G", ""]),
            rest in vec(select(vec![
                "\r\n", "\n", "\r\n", "\n", "\r", "a: b", "a:", "c:d", " e", "\t", "x", "\0", "\r\n\r\n",
                "GET /b HTTP/1.1",
            ]), 0..12),
        ) {
            let text = format!("{}{line}\r\n{}", before.concat(), rest.concat());
            if let Some(end) = end_of_parsed(text.as_bytes()) {
                prop_assert_eq!(Some(end), end_of_head(text.as_bytes()), "{:?}", text);
            }
        }
    }

    #[test]
    fn a_line_too_long_to_be_repaired_is_passed_on_as_it_is() {
        let line = format!("GET /{}\" HTTP/1.1\r\n\r\n", "a".repeat(MAX_LINE_BYTES));
        assert_eq!(end_of_head(line.as_bytes()), Some(line.len()));
    }

    #[test]
    fn nothing_is_passed_on_after_a_head_before_its_body_is_announced() {
        let (stream, announcer) = RequestStream::new((), Progress::default());
        let mut framing = stream.framing;
        let head = "GET /\" HTTP/1.1\r\n\r\n";
        let body = "GET /\"\" HTTP/1.1\r\n";
        for length in [Some(body.len() as u64), Some(0), None] {
            framing.received.extend_from_slice(head.as_bytes());
            framing.received.extend_from_slice(body.as_bytes());
            let mut passed = Vec::new();
            while framing.release() == Lacks::Nothing {
                passed.extend(framing.released.split());
            }
            assert_eq!(passed, head.replace('"', "%22").as_bytes());
            assert_eq!(framing.release(), Lacks::Announcement);
            announcer.body_follows(length);
            assert_eq!(framing.release(), Lacks::Nothing);
            let repaired = body.replace('"', "%22");
            let expected = if length == Some(0) { &repaired } else { body };
            assert_eq!(framing.released.split(), expected.as_bytes());
            if length == Some(0) {
                framing.received.extend_from_slice(b"\r\n");
                framing.release();
                framing.released.clear();
                announcer.body_follows(Some(0));
            }
        }
        assert_eq!(framing.next, Position::Rest);
    }
}
