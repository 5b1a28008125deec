//! Percent-encodes what must not stand raw in a request target, before the HTTP library sees it.
//!
//! Entra has been captured sending `filter=externalId+eq+"9edf…"` with raw quotes, and curl sends
//! what it is given. API Gateway lets that through; hyper would respond 400 without a body.

use bytes::{BufMut as _, BytesMut};

/// Returns the line with its target percent-encoded, if it is a request line that needs it.
pub(crate) fn repaired(line: &[u8]) -> Option<BytesMut> {
    let method_end = line.iter().position(|byte| *byte == b' ')?;
    let version_start = line.iter().rposition(|byte| *byte == b' ')?;
    let (method, version) = (line.get(..method_end)?, line.get(version_start..)?);
    let target = line.get(method_end + 1..version_start)?;
    let is_request_line =
        method.iter().all(u8::is_ascii_uppercase) && version.starts_with(b" HTTP/1.");
    if !is_request_line || !target.iter().copied().any(must_be_encoded) {
        return None;
    }
    let mut repaired = BytesMut::with_capacity(line.len() + 64);
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
    Some(repaired)
}

/// Returns whether a byte is a visible character or space that a request target must not have raw. All other bytes are
/// left to hyper.
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
        for end in ["\r\n", "\n"] {
            let raw =
                format!("GET /scim/v2/Users?filter=userName eq \"x\" HTTP/1.1{end}").into_bytes();
            let encoded =
                format!("GET /scim/v2/Users?filter=userName%20eq%20%22x%22 HTTP/1.1{end}")
                    .into_bytes();
            assert_eq!(repaired(&raw).unwrap(), encoded.as_slice());
            assert!(repaired(&encoded).is_none());
        }
        for untouched in [
            b"{\"userName\": \"x y\"}\r\n".as_slice(),
            b"GET /unfinished \"line\r\n",
            b"\r\n",
            b"",
            b"no /\" HTTP/1.1\r\n",
            b"GET /\" FTP/1.1\r\n",
        ] {
            assert!(repaired(untouched).is_none());
        }
    }
}
