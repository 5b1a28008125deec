//! Access tokens: what a client gets for its API key, for a limited time (RFC 6749 §4.4).
//!
//! A token is `pscimat_` and 105 bytes in base64url: version, key id, company, the seconds of issue and expiry, and an
//! Ed25519 signature of these. Secret scanners find it by `pscimat_[A-Za-z0-9_-]{140}`.
//!
//! Nothing that is stored suffices to make one. The key pair of an API key is derived from the key's secret: the public
//! key is stored, and the private key exists only while the token endpoint has the secret from its client.

use std::fmt;
use std::ops::RangeInclusive;

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{CompanyId, DirectoryError, KeyId};

/// How many minutes an access token may live.
pub const LIFETIME_MINUTES: RangeInclusive<u32> = 5..=360;
/// How many minutes an access token lives by default.
pub const DEFAULT_LIFETIME_MINUTES: u32 = 60;

const PREFIX: &str = "pscimat_";
const VERSION: u8 = 1;
const CLAIMS_BYTES: usize = 41;
const SIGNATURE_BYTES: usize = 64;
const TOKEN_BYTES: usize = CLAIMS_BYTES + SIGNATURE_BYTES;
/// What the key pair is for: the label of its derivation (RFC 5869 §3.2).
const PURPOSE: &[u8] = b"paradigm-scim access token 1";
/// How far the clocks of the process that issues a token and of the one that verifies it may be apart.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// An Ed25519 public key, which verifies the access tokens of an API key.
pub type PublicKey = [u8; 32];

/// What an access token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// The API key that it was issued for.
    pub key: KeyId,
    /// The company of the key.
    pub company: CompanyId,
    /// When it was issued, to the second.
    pub issued: Timestamp,
    /// When it expires, to the second.
    pub expires: Timestamp,
}

impl Claims {
    fn to_bytes(self) -> Vec<u8> {
        [
            &[VERSION],
            self.key.number().to_be_bytes().as_slice(),
            self.company.uuid().as_bytes(),
            &self.issued.as_second().to_be_bytes(),
            &self.expires.as_second().to_be_bytes(),
        ]
        .concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (key, rest) = rest.split_first_chunk()?;
        let (company, rest) = rest.split_first_chunk()?;
        let (issued, rest) = rest.split_first_chunk()?;
        let expires = rest.try_into().ok()?;
        let time = |seconds| Timestamp::from_second(i64::from_be_bytes(seconds)).ok();
        (*version == VERSION).then_some(Self {
            key: KeyId::new(u64::from_be_bytes(*key)),
            company: CompanyId::new(Uuid::from_bytes(*company)),
            issued: time(*issued)?,
            expires: time(expires)?,
        })
    }
}

/// An access token as a client sends it, whether it is genuine or not.
pub struct AccessToken {
    claims: Claims,
    bytes: [u8; TOKEN_BYTES],
}

impl AccessToken {
    /// Reads a token; `None` if the text does not have the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let bytes: [u8; TOKEN_BYTES] = bytes.try_into().ok()?;
        let (claims, _) = bytes.split_first_chunk::<CLAIMS_BYTES>()?;
        let claims = Claims::from_bytes(claims)?;
        Some(Self { claims, bytes })
    }

    /// Returns what the token says.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Returns whether the token has been issued and has not expired, by a clock that may be a minute off. Whoever has the
    /// key's secret can sign a token of any lifetime, so one that is too long counts as not valid.
    #[must_use]
    pub fn is_current(&self, now: Timestamp) -> bool {
        let Claims {
            issued, expires, ..
        } = self.claims;
        let longest = SignedDuration::from_mins(i64::from(*LIFETIME_MINUTES.end()));
        expires.duration_since(issued) <= longest
            && now.duration_since(issued) >= -CLOCK_SKEW
            && now < self.ends()
    }

    /// Returns when the token is refused from: a minute after it expires.
    #[must_use]
    pub fn ends(&self) -> Timestamp {
        let ends = self.claims.expires.checked_add(CLOCK_SKEW);
        ends.unwrap_or(Timestamp::MAX)
    }

    /// Returns whether the private key that belongs to this public key has signed the token.
    #[must_use]
    pub fn is_signed_by(&self, public_key: &PublicKey) -> bool {
        let Some((claims, signature)) = self.bytes.split_first_chunk::<CLAIMS_BYTES>() else {
            return false;
        };
        let verified = UnparsedPublicKey::new(&ED25519, public_key).verify(claims, signature);
        verified.is_ok()
    }

    /// Returns the SHA-256 of the token, by which it is recognised.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.bytes).into()
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}

/// The key pair of an API key.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public_key: PublicKey,
}

impl SigningKey {
    /// Derives the key pair from the secret of an API key.
    ///
    /// # Errors
    /// [`DirectoryError::Signing`] if this machine cannot compute it.
    pub fn derive(secret: &[u8]) -> Result<Self, DirectoryError> {
        let failed = |_| DirectoryError::Signing;
        let mut seed = Zeroizing::new([0; 32]);
        Salt::new(HKDF_SHA256, &[])
            .extract(secret)
            .expand(&[PURPOSE], HKDF_SHA256)
            .and_then(|derived| derived.fill(&mut *seed))
            .map_err(failed)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed);
        let pair = pair.map_err(|_| DirectoryError::Signing)?;
        let public_key = pair.public_key().as_ref().try_into();
        let public_key = public_key.map_err(|_| DirectoryError::Signing)?;
        Ok(Self { pair, public_key })
    }

    /// Returns what is stored of the key pair.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// Returns an access token as the client sends it.
    ///
    /// # Errors
    /// [`DirectoryError::Signing`] if this machine cannot compute it.
    pub fn sign(&self, claims: Claims) -> Result<String, DirectoryError> {
        let claims = claims.to_bytes();
        let signature = self.pair.try_sign(&claims);
        let signature = signature.map_err(|_| DirectoryError::Signing)?;
        let token = [&claims, signature.as_ref()].concat();
        Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(token)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            key: KeyId::new(0x0123_4567_89ab_cdef),
            company: CompanyId::new(Uuid::from_u128(7)),
            issued: "2026-01-01T00:00:00Z".parse().unwrap(),
            expires: "2026-01-01T01:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_token_survives_its_text_and_every_change_of_it_is_noticed() {
        let key = SigningKey::derive(b"secret").unwrap();
        let text = key.sign(claims()).unwrap();
        assert_eq!(text.len(), PREFIX.len() + 140);
        let token = AccessToken::parse(&text).unwrap();
        assert_eq!(*token.claims(), claims());
        assert!(token.is_signed_by(&key.public_key()));
        for index in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            let accepted = AccessToken::parse(&changed)
                .is_some_and(|token| token.is_signed_by(&key.public_key()));
            assert!(!accepted, "changed at {index}");
        }
        for other in ["", PREFIX, &text[..text.len() - 1], &format!("{text}A")] {
            assert!(AccessToken::parse(other).is_none(), "{other}");
        }
    }

    /// Whoever has the secret can sign what they like.
    #[test]
    fn a_token_that_lives_longer_than_any_that_is_issued_is_not_current() {
        let key = SigningKey::derive(b"secret").unwrap();
        let issued = claims().issued;
        for (minutes, is_current) in [(360, true), (361, false), (5_000_000, false)] {
            let expires = issued + SignedDuration::from_mins(minutes);
            let token = key
                .sign(Claims {
                    expires,
                    ..claims()
                })
                .unwrap();
            let token = AccessToken::parse(&token).unwrap();
            assert_eq!(token.is_current(issued), is_current, "{minutes}");
        }
    }

    #[test]
    fn each_secret_has_a_key_pair_of_its_own_and_always_the_same() {
        let key = |secret: &[u8]| SigningKey::derive(secret).unwrap();
        assert_eq!(key(b"one").public_key(), key(b"one").public_key());
        let token = key(b"one").sign(claims()).unwrap();
        let token = AccessToken::parse(&token).unwrap();
        assert!(!token.is_signed_by(&key(b"two").public_key()));
        // Tokens that are issued stay valid over releases.
        let hex = |bytes: PublicKey| bytes.map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(
            hex(key(b"one").public_key()),
            "30d4730a6386614ad1afad7645cc2a8e8bcea73f80de54ab633026eba1553577"
        );
    }

    #[test]
    fn a_token_is_current_from_a_minute_before_its_issue_until_a_minute_after_its_expiry() {
        let key = SigningKey::derive(b"secret").unwrap();
        let token = AccessToken::parse(&key.sign(claims()).unwrap()).unwrap();
        for (now, is_current) in [
            ("2025-12-31T23:58:59Z", false),
            ("2025-12-31T23:59:00Z", true),
            ("2026-01-01T00:00:00Z", true),
            ("2026-01-01T01:00:59.999Z", true),
            ("2026-01-01T01:01:00Z", false),
        ] {
            assert_eq!(token.is_current(now.parse().unwrap()), is_current, "{now}");
        }
    }

    #[test]
    fn debug_output_holds_no_signature() {
        let key = SigningKey::derive(b"secret").unwrap();
        let token = AccessToken::parse(&key.sign(claims()).unwrap()).unwrap();
        assert!(!format!("{token:?}").contains("bytes"));
    }
}
