//! Percent-encodes what must not stand raw in a request target, before the HTTP library sees it.
//!
//! Entra has been captured sending `filter=externalId+eq+"9edf…"` with raw quotes, and curl sends
//! what it is given. API Gateway lets that through; hyper would answer 400 without a body.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BufMut as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Longest request line that is waited for; hyper refuses a longer one.
const MAX_LINE: usize = 64 * 1024;

/// A stream whose request lines are repaired while they are read. Requests that are sent before
/// the one before them is answered are passed on as they are.
pub(crate) struct Repaired<S> {
    stream: S,
    /// Whether the next byte begins a request: at the start, and after an answer.
    at_request: bool,
    /// What was read and is not handed on yet.
    pending: BytesMut,
}

impl<S> Repaired<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            at_request: true,
            pending: BytesMut::new(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Repaired<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.at_request {
            let mut chunk = [0; 4096];
            let mut chunk = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut chunk))?;
            self.pending.put_slice(chunk.filled());
            let seen = self.pending.len() - chunk.filled().len();
            let new = self.pending.get(seen.saturating_sub(1).max(1)..);
            let is_complete = new
                .unwrap_or_default()
                .windows(2)
                .any(|pair| pair == b"\r\n");
            if is_complete || chunk.filled().is_empty() || self.pending.len() > MAX_LINE {
                self.at_request = false;
                if let Some(repaired) = repaired(&self.pending) {
                    self.pending = repaired;
                }
            }
        }
        if self.pending.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let length = self.pending.len().min(buffer.remaining());
        buffer.put_slice(self.pending.get(..length).unwrap_or_default());
        self.pending.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Repaired<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // `100 Continue` asks for the body, and is no answer yet.
        let is_interim = bytes.starts_with(b"HTTP/1.1 1");
        self.at_request = self.pending.is_empty() && !is_interim;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The bytes with a repaired request line, if they begin with one that needs it.
fn repaired(bytes: &[u8]) -> Option<BytesMut> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let (line, rest) = bytes.split_at_checked(end)?;
    let method_end = line.iter().position(|byte| *byte == b' ')?;
    let version_start = line.iter().rposition(|byte| *byte == b' ')?;
    let (method, version) = (line.get(..method_end)?, line.get(version_start..)?);
    let target = line.get(method_end + 1..version_start)?;
    let is_request_line =
        method.iter().all(u8::is_ascii_uppercase) && version.starts_with(b" HTTP/1.");
    if !is_request_line || !target.iter().copied().any(must_be_encoded) {
        return None;
    }
    let mut repaired = BytesMut::with_capacity(bytes.len() + 64);
    repaired.put_slice(method);
    repaired.put_u8(b' ');
    for byte in target.iter().copied() {
        if must_be_encoded(byte) {
            repaired.put_slice(format!("%{byte:02X}").as_bytes());
        } else {
            repaired.put_u8(byte);
        }
    }
    repaired.put_slice(version);
    repaired.put_slice(rest);
    Some(repaired)
}

/// Visible characters and the space, where a request target has none of them raw; the rest is left
/// to hyper.
fn must_be_encoded(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_request_lines_that_need_it_are_changed() {
        let raw = b"GET /scim/v2/Users?filter=userName eq \"x\" HTTP/1.1\r\nhost: h\r\n\r\n";
        let encoded =
            b"GET /scim/v2/Users?filter=userName%20eq%20%22x%22 HTTP/1.1\r\nhost: h\r\n\r\n";
        assert_eq!(repaired(raw).unwrap(), encoded.as_slice());
        for untouched in [
            encoded.as_slice(),
            b"{\"userName\": \"x y\"}\r\n",
            b"GET /unfinished \"line",
            b"\r\n",
            b"",
            b"no /\" HTTP/1.1\r\n",
            b"GET /\" FTP/1.1\r\n",
        ] {
            assert!(repaired(untouched).is_none());
        }
    }
}
