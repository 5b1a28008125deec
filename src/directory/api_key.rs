//! API keys: the bearer tokens SCIM clients send.
//!
//! A token is `pscim_<key id>_<secret><checksum>`: 16, 64 and 8 lower-case hexadecimal digits, so
//! secret scanners find it by `pscim_[0-9a-f]{16}_[0-9a-f]{72}`. The checksum distinguishes a typo from a
//! wrong key without reading the store. Only the SHA-256 of the 256-bit secret is stored, and the public key of the key
//! pair that is derived from it ([`access_token`](super::access_token)); against random secrets of that size a slow hash
//! would protect nothing.

use std::fmt;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::access_token::{AccessToken, Claims, PublicKey, SigningKey};
use super::company::checked_name;
use super::{CompanyId, DirectoryError, KeyId, UserId};

/// From how many days before its end on a key is about to expire.
pub const WARNING_DAYS: i64 = 30;
/// Longest name of a key, in characters.
pub const MAX_KEY_NAME_CHARS: usize = 50;

const PREFIX: &str = "pscim_";
const SECRET_DIGITS: usize = 64;
const CHECKSUM_DIGITS: usize = 8;

/// SHA-256 of a secret.
pub type SecretHash = [u8; 32];

/// A bearer token. Its secret is erased from memory when dropped and never printed.
pub struct Token {
    key_id: KeyId,
    secret: Zeroizing<String>,
}

impl Token {
    /// Makes a token from random bytes, which the caller erases.
    #[must_use]
    pub fn new(key_id: KeyId, random: &[u8; 32]) -> Self {
        let secret = Zeroizing::new(hex(random));
        Self { key_id, secret }
    }

    /// Reads a token; `None` if it cannot be one, or its checksum shows a typo.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (key_id, rest) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let key_id = KeyId::parse(key_id)?;
        let (secret, checksum) = rest.split_at_checked(SECRET_DIGITS)?;
        let is_hex = secret
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        let token = Self {
            key_id,
            secret: Zeroizing::new(secret.to_owned()),
        };
        (is_hex && checksum == token.checksum()).then_some(token)
    }

    /// Reads the credentials of an OAuth client, whose id is that of the key. Its secret is the whole token, or what
    /// follows the key's id in it.
    #[must_use]
    pub fn of_client(id: &str, secret: &str) -> Option<Self> {
        let token = if secret.starts_with(PREFIX) {
            Self::parse(secret)
        } else {
            Self::parse(&Zeroizing::new(format!("{PREFIX}{id}_{secret}")))
        };
        token.filter(|token| token.key_id.to_string() == id)
    }

    /// Returns the key it belongs to.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Returns what is stored of the secret.
    #[must_use]
    pub fn secret_hash(&self) -> SecretHash {
        Sha256::digest(self.secret.as_bytes()).into()
    }

    /// Returns the key pair that signs access tokens of the key.
    ///
    /// # Errors
    /// [`DirectoryError::Signing`] if this machine cannot compute it.
    pub fn signing_key(&self) -> Result<SigningKey, DirectoryError> {
        SigningKey::derive(self.secret.as_bytes())
    }

    /// Returns the token as the client sends it: for showing once.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let key_id = self.key_id.to_string();
        let parts = [PREFIX, &key_id, "_", &self.secret, &self.checksum()];
        // A text that grows leaves what it was in memory.
        let length = parts.iter().map(|part| part.len()).sum();
        let mut token = Zeroizing::new(String::with_capacity(length));
        parts.iter().for_each(|part| token.push_str(part));
        token
    }

    fn checksum(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(self.key_id.to_string());
        digest.update(self.secret.as_bytes());
        let mut checksum = hex(&digest.finalize());
        checksum.truncate(CHECKSUM_DIGITS);
        checksum
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    // Of its full length from the beginning: a text that grows leaves what it was in memory.
    let text = String::with_capacity(2 * bytes.len());
    bytes.iter().fold(text, |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A stored API key.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its identifier, part of the token.
    pub id: KeyId,
    /// SHA-256 of the secret.
    pub secret_hash: SecretHash,
    /// What verifies access tokens of the key. `None` if the key is revoked, or was made before there were such tokens.
    pub public_key: Option<PublicKey>,
    /// What the operator called it; empty once it is revoked.
    pub name: String,
    /// The company it acts in.
    pub company: CompanyId,
    /// The user it acts for.
    pub owner: UserId,
    /// When it was created.
    pub created: Timestamp,
    /// When it expires, if ever.
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// The last day it was used on, in UTC.
    pub last_used: Option<Date>,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A change of an API key that belongs to a change of its owner.
#[derive(Debug, Clone, Copy)]
pub enum KeyChange<'k> {
    /// The key is new.
    Create(&'k ApiKey),
    /// The key expires then.
    Expire(KeyId, Timestamp),
    /// The key is revoked, and its hash, public key and name are cleared.
    Revoke(KeyId),
}

impl fmt::Display for KeyChange<'_> {
    /// Writes the change as the audit trail has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(key) => write!(f, "+{}", key.id),
            Self::Expire(id, at) => write!(f, "~{id} until {at}"),
            Self::Revoke(id) => write!(f, "-{id}"),
        }
    }
}

impl ApiKey {
    /// Returns a new key, with the hash of `token`. [`User::with_key`](super::User::with_key) links it.
    ///
    /// # Errors
    /// [`DirectoryError::NameLength`] if the name is empty or too long, [`DirectoryError::ExpiresInThePast`] if it
    /// would have expired already, [`DirectoryError::Signing`] if this machine cannot derive its key pair.
    pub fn new(
        token: &Token,
        name: &str,
        company: CompanyId,
        owner: UserId,
        expires: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Self, DirectoryError> {
        if expires.is_some_and(|expires| expires <= now) {
            return Err(DirectoryError::ExpiresInThePast);
        }
        Ok(Self {
            id: token.key_id(),
            secret_hash: token.secret_hash(),
            public_key: Some(token.signing_key()?.public_key()),
            name: checked_name(name, MAX_KEY_NAME_CHARS)?,
            company,
            owner,
            created: now,
            expires,
            revoked: None,
            last_used: None,
        })
    }

    /// Returns whether this is the token's key. The comparison takes the same time wherever the hashes differ.
    #[must_use]
    pub fn has_token(&self, token: &Token) -> bool {
        self.secret_hash.ct_eq(&token.secret_hash()).into()
    }

    /// Returns whether an access token was issued for this key.
    #[must_use]
    pub fn has_access_token(&self, token: &AccessToken) -> bool {
        let is_signed = |public_key| token.is_signed_by(public_key);
        token.claims().company == self.company && self.public_key.as_ref().is_some_and(is_signed)
    }

    /// Returns whether the key is valid now, and if not, why.
    #[must_use]
    pub fn validity(&self, now: Timestamp) -> Validity {
        let is_expired = self.expires.is_some_and(|expires| expires <= now);
        match self.revoked {
            Some(_) => Validity::Revoked,
            None if is_expired => Validity::Expired,
            None => Validity::Valid,
        }
    }

    /// Returns how many whole days are left until the key expires; `None` if it never does.
    #[must_use]
    pub fn days_left(&self, now: Timestamp) -> Option<i64> {
        self.expires.map(|expires| days_until(expires, now))
    }

    /// Returns an access token for the client that has sent the key's own token. It lives as long as `lifetime`, or
    /// until the key expires. `None` if the token is of another key, or the key has no public key.
    ///
    /// # Errors
    /// [`DirectoryError::Signing`] if this machine cannot compute it.
    pub fn access_token(
        &self,
        token: &Token,
        lifetime: SignedDuration,
        now: Timestamp,
    ) -> Result<Option<IssuedToken>, DirectoryError> {
        if !self.has_token(token) || self.public_key.is_none() {
            return Ok(None);
        }
        let expires = now.checked_add(lifetime).unwrap_or(Timestamp::MAX);
        let expires = self.expires.map_or(expires, |key| key.min(expires));
        let claims = Claims {
            key: self.id,
            company: self.company,
            issued: now,
            expires,
        };
        Ok(Some(IssuedToken {
            token: token.signing_key()?.sign(claims)?,
            seconds: expires.as_second() - now.as_second(),
        }))
    }
}

/// Whether a key may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// It may.
    Valid,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

/// Returns how many whole days are left until a time; negative if it is over.
#[must_use]
pub fn days_until(time: Timestamp, now: Timestamp) -> i64 {
    const SECONDS_A_DAY: i64 = 86_400;
    time.duration_since(now).as_secs().div_euclid(SECONDS_A_DAY)
}

/// An access token that was issued.
pub struct IssuedToken {
    /// The token as the client sends it.
    pub token: String,
    /// In how many seconds it expires.
    pub seconds: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_text_and_every_typo_is_noticed() {
        let token = Token::new(KeyId::new(0x1234), &[7; 32]);
        let text = token.reveal();
        assert_eq!(text.len(), 95);
        let parsed = Token::parse(&text).unwrap();
        assert_eq!(parsed.secret_hash(), token.secret_hash());
        for index in 0..text.len() {
            let mut typo = text.as_bytes().to_vec();
            typo[index] = if typo[index] == b'0' { b'1' } else { b'0' };
            let typo = String::from_utf8(typo).unwrap();
            assert!(Token::parse(&typo).is_none(), "typo at {index}");
        }
        for other in [
            "",
            "pscim_",
            "pscim__",
            "Bearer x",
            &text[..94],
            &format!("{}0", *text),
        ] {
            assert!(Token::parse(other).is_none());
        }
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let token = Token::new(KeyId::new(1), &[0xab; 32]);
        assert!(!format!("{token:?}").contains("abab"));
    }

    #[test]
    fn the_secrets_text_never_grows_out_of_memory_that_is_not_erased() {
        // What grows does so by doubling, so it would have room left.
        let token = Token::new(KeyId::new(1), &[0xab; 32]);
        assert_eq!(token.secret.capacity(), SECRET_DIGITS);
        let text = token.reveal();
        assert_eq!(text.capacity(), text.len());
        let parsed = Token::parse(&text).unwrap();
        assert_eq!(parsed.secret.capacity(), SECRET_DIGITS);
    }
}
