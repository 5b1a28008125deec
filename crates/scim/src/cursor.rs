//! Cursors (RFC 9865): where the next page of a query begins. They are sealed, so that clients can neither make nor
//! change one, and a cursor belongs to one query only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;
use uuid::Uuid;

use crate::{ScimError, rule};

/// How long a cursor is valid.
pub const CURSOR_TIMEOUT: SignedDuration = SignedDuration::from_hours(1);
/// The layout of the sealed bytes; another number means another layout.
const VERSION: u8 = 1;
/// Length of the mark of a sort key, in bytes. It is enough to distinguish one sort key from another.
pub const MARK_BYTES: usize = 8;
/// Length of the seal, in bytes: half of SHA-256, because 128 bits cannot be guessed.
const SEAL_BYTES: usize = 16;

type Seal = Hmac<Sha256>;

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// After the resource of this id.
    pub after: Uuid,
    /// What that resource was sorted by; see [`Sort::mark`](crate::sort::Sort::mark).
    pub mark: [u8; MARK_BYTES],
}

/// Seals a position. `query` is all that must be the same when the cursor comes back.
///
/// ```
/// use scim::cursor::{MARK_BYTES, Position, open, seal};
///
/// let position = Position { after: uuid::Uuid::nil(), mark: [0; MARK_BYTES] };
/// let (secret, now) = ([7; 32], "2026-01-01T00:00:00Z".parse()?);
/// let cursor = seal(position, "title pr", &secret, now)?;
/// assert_eq!(open(&cursor, "title pr", &secret, now)?, position);
/// assert!(open(&cursor, "title eq \"x\"", &secret, now).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// 500 if the secret cannot be used as a key.
pub fn seal(
    position: Position,
    query: &str,
    secret: &[u8; 32],
    now: Timestamp,
) -> Result<String, ScimError> {
    let mut bytes = vec![VERSION];
    bytes.extend(now.as_second().to_be_bytes());
    bytes.extend(position.after.as_bytes());
    bytes.extend(position.mark);
    let seal = seal_of(&bytes, query, secret)?.finalize().into_bytes();
    bytes.extend(seal.iter().take(SEAL_BYTES));
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Returns the position in a cursor.
///
/// # Errors
/// `invalidCursor` for a cursor that was not made by [`seal`] for this query under this secret,
/// `expiredCursor` after [`CURSOR_TIMEOUT`].
pub fn open(
    cursor: &str,
    query: &str,
    secret: &[u8; 32],
    now: Timestamp,
) -> Result<Position, ScimError> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap_or_default();
    let (content, seal) = bytes
        .len()
        .checked_sub(SEAL_BYTES)
        .and_then(|length| bytes.split_at_checked(length))
        .ok_or_else(invalid)?;
    seal_of(content, query, secret)?
        .verify_truncated_left(seal)
        .map_err(|_| invalid())?;
    let (issued, rest) = content
        .strip_prefix(&[VERSION])
        .and_then(|content| content.split_first_chunk::<8>())
        .ok_or_else(invalid)?;
    let (after, mark) = rest.split_first_chunk::<16>().ok_or_else(invalid)?;
    let after = Uuid::from_bytes(*after);
    let mark = mark.try_into().map_err(|_| invalid())?;
    let issued = Timestamp::from_second(i64::from_be_bytes(*issued)).map_err(|_| invalid())?;
    if now.duration_since(issued) > CURSOR_TIMEOUT {
        return Err(expired());
    }
    Ok(Position { after, mark })
}

/// Returns the refusal of a cursor whose position no longer exists.
#[must_use]
pub fn expired() -> ScimError {
    ScimError::expired_cursor(
        "The 'cursor' has expired; begin again with an empty 'cursor', and request the next page sooner.",
    )
    .rule(rule::CURSOR_EXPIRED)
}

/// Returns the refusal of a cursor that this server did not make, or that belongs to another query.
#[must_use]
pub fn invalid() -> ScimError {
    ScimError::invalid_cursor(
        "This cursor belongs to another query; send the 'nextCursor' of the page before with the same query, or an empty 'cursor' to begin.",
    )
    .rule(rule::CURSOR_INVALID)
}

fn seal_of(content: &[u8], query: &str, secret: &[u8; 32]) -> Result<Seal, ScimError> {
    let seal = Seal::new_from_slice(secret).map_err(ScimError::internal)?;
    Ok(seal.chain_update(content).chain_update(query))
}
