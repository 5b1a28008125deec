//! Who is calling: the bearer token (an API key's own or an access token), its key, the key's owner and company.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use scim::ScimError;

use super::error::{unauthenticated, unauthorized};
use super::rule;
use crate::config::Moment;
use crate::directory::api_key::{ApiKey, Validity};
use crate::directory::{
    AccessToken, Actor, CompanyId, CompanyStatus, CursorSecret, KeyId, Permission, Token, UserId,
};
use crate::store::Store;

/// How long a verdict is cached.
const CACHED_FOR: Duration = Duration::from_secs(60);
/// How long a request waits until the day of a key's use is recorded.
const RECORDING_TIMEOUT: Duration = Duration::from_secs(1);
/// Most verdicts that are cached. If there are more, refusals are dropped.
pub const MAX_CACHED: usize = 1024;
/// Most verdicts of those that accept one key, by which a client can send as many access tokens as it likes. A newer one
/// displaces the oldest.
pub const MAX_ACCEPTED: usize = 8;

/// The caller of a request, who may manage a company's users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The company; nothing outside of it is in reach.
    pub company: CompanyId,
    /// The key they sent.
    pub key: KeyId,
    /// The user the key is linked to.
    pub owner: UserId,
    /// When the key expires, if ever.
    pub key_expires: Option<Timestamp>,
    /// What the company's cursors are sealed with.
    pub cursor_secret: CursorSecret,
}

impl Caller {
    /// Returns the caller in the audit trail.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::Key {
            id: self.key,
            owner: self.owner,
        }
    }
}

/// What a client sends as bearer token.
pub enum BearerToken {
    /// The token of an API key.
    Key(Token),
    /// An access token that was issued for one.
    Access(AccessToken),
}

/// Recognises a bearer token: its key, and a digest of the rest.
type TokenId = (KeyId, [u8; 32]);

impl BearerToken {
    fn parse(text: &str) -> Option<Self> {
        let access = || AccessToken::parse(text).map(Self::Access);
        Token::parse(text).map(Self::Key).or_else(access)
    }

    /// Returns the key that it names.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        match self {
            Self::Key(token) => token.key_id(),
            Self::Access(token) => token.claims().key,
        }
    }

    fn id(&self) -> TokenId {
        let digest = match self {
            Self::Key(token) => token.secret_hash(),
            Self::Access(token) => token.digest(),
        };
        (self.key_id(), digest)
    }

    /// Returns whether it is worth a read: an access token says itself when it expires.
    fn is_current(&self, now: Timestamp) -> bool {
        match self {
            Self::Key(_) => true,
            Self::Access(token) => token.is_current(now),
        }
    }

    /// Returns whether it belongs to a key, which may be invalid by now.
    fn is_of(&self, key: &ApiKey) -> bool {
        match self {
            Self::Key(token) => key.has_token(token),
            Self::Access(token) => key.has_access_token(token),
        }
    }

    /// Returns why a key does not accept it. A revoked key has nothing left to recognise it by.
    fn refusal_by(&self, key: &ApiKey, now: Timestamp) -> Option<Refusal> {
        match key.validity(now) {
            Validity::Revoked => Some(Refusal::Revoked),
            _ if !self.is_of(key) => Some(Refusal::Unauthorized),
            Validity::Expired => Some(Refusal::Expired),
            Validity::Valid => None,
        }
    }

    /// Returns when it ends, if that is before its key expires.
    fn ends(&self, key: &ApiKey) -> Option<Timestamp> {
        let own = match self {
            Self::Key(_) => None,
            Self::Access(token) => Some(token.ends()),
        };
        [own, key.expires].into_iter().flatten().min()
    }
}

/// Why a well-formed token is not enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// No such key, wrong secret or signature, or its owner is deleted or deactivated.
    Unauthorized,
    /// The key has expired.
    Expired,
    /// The key is revoked.
    Revoked,
    /// The owner may not manage users.
    NotPermitted,
    /// The company is suspended.
    Suspended,
}

impl From<Refusal> for ScimError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unauthorized => unauthorized(),
            // The client sees no difference; only the log does.
            Refusal::Expired => unauthorized().rule(rule::KEY_EXPIRED),
            Refusal::Revoked => unauthorized().rule(rule::KEY_REVOKED),
            Refusal::NotPermitted => Self::forbidden(
                "The API key's owner may not manage users; give them the permission 'users:manage'.",
            )
            .rule(rule::NOT_PERMITTED),
            Refusal::Suspended => {
                Self::forbidden("The company is suspended; ask the operator of this instance.")
                    .rule(rule::COMPANY_SUSPENDED)
            }
        }
    }
}

type Verification = Result<Caller, Refusal>;

/// A verdict, and for how long it is used.
#[derive(Debug, Clone, Copy)]
struct Cached {
    verdict: Verification,
    /// When the request began that read the store.
    since: Moment,
    /// When the token or its key expires.
    expires: Option<Timestamp>,
}

impl Cached {
    /// Returns whether the verdict may still be used: by **both** clocks it is younger than [`CACHED_FOR`]. The wall
    /// clock may have been set back, and the monotonic clock may have stood still.
    fn is_usable(&self, now: Moment) -> bool {
        let by_wall = now.wall.duration_since(self.since.wall);
        let by_wall = Duration::try_from(by_wall).ok();
        let monotonic = now.monotonic.checked_sub(self.since.monotonic);
        let is_young = |age: Option<Duration>| age.is_some_and(|age| age < CACHED_FOR);
        is_young(by_wall)
            && is_young(monotonic)
            && self.expires.is_none_or(|expires| now.wall < expires)
    }
}

#[derive(Default)]
struct Verdicts {
    by_token: HashMap<TokenId, Cached>,
    /// Counts how often verdicts were dropped because a user was written.
    drops: u64,
}

/// Removes the oldest of the verdicts that accept a key, if there are as many as there may be.
fn make_place(by_token: &mut HashMap<TokenId, Cached>, key: KeyId) {
    let accepted = by_token
        .iter()
        .filter(|((of, _), cached)| *of == key && cached.verdict.is_ok());
    if accepted.clone().count() < MAX_ACCEPTED {
        return;
    }
    let oldest = accepted.min_by_key(|(_, cached)| cached.since.monotonic);
    if let Some(oldest) = oldest.map(|(id, _)| *id) {
        by_token.remove(&oldest);
    }
}

/// Verdicts of the last minute, good and bad, of this process.
#[derive(Default)]
pub struct AuthenticationCache {
    verdicts: Mutex<Verdicts>,
    /// The last day of use that was recorded of each key, or is being recorded.
    recorded: Mutex<HashMap<KeyId, Date>>,
}

impl AuthenticationCache {
    fn get(&self, id: TokenId, now: Moment) -> Option<Verification> {
        let verdicts = self.verdicts.lock().ok()?;
        let cached = verdicts.by_token.get(&id)?;
        cached.is_usable(now).then_some(cached.verdict)
    }

    fn drops(&self) -> u64 {
        self.verdicts.lock().map_or(0, |verdicts| verdicts.drops)
    }

    /// Caches a verdict, unless others were dropped since the store was read: it may be one of them.
    fn put(&self, id: TokenId, cached: Cached, drops_before: u64) {
        let Ok(mut verdicts) = self.verdicts.lock() else {
            return;
        };
        if verdicts.drops != drops_before {
            return;
        }
        let by_token = &mut verdicts.by_token;
        if cached.verdict.is_ok() {
            make_place(by_token, id.0);
        }
        if by_token.len() >= MAX_CACHED {
            by_token.retain(|_, other| other.is_usable(cached.since));
        }
        if by_token.len() >= MAX_CACHED {
            by_token.retain(|_, other| other.verdict.is_ok());
        }
        if by_token.len() < MAX_CACHED {
            by_token.insert(id, cached);
        }
    }

    /// Returns the cached verdicts about the keys of a user who is about to be written.
    pub fn verdicts_about(&self, company: CompanyId, owner: UserId) -> CachedVerdicts<'_> {
        CachedVerdicts {
            cache: self,
            company,
            owner,
            are_kept: false,
        }
    }

    fn drop_verdicts(&self, company: CompanyId, owner: UserId) {
        let Ok(mut verdicts) = self.verdicts.lock() else {
            return;
        };
        verdicts.drops += 1;
        verdicts.by_token.retain(|_, cached| {
            let caller = cached.verdict.ok();
            caller.is_none_or(|caller| (caller.company, caller.owner) != (company, owner))
        });
    }

    /// Returns whether a day of a key's use is still to be recorded. Only the first caller gets `true`.
    fn is_to_record(&self, key: KeyId, day: Date) -> bool {
        let Ok(mut recorded) = self.recorded.lock() else {
            return false;
        };
        if recorded.len() >= MAX_CACHED {
            recorded.clear();
        }
        recorded.insert(key, day) != Some(day)
    }

    fn forget_recorded(&self, key: KeyId) {
        if let Ok(mut recorded) = self.recorded.lock() {
            recorded.remove(&key);
        }
    }
}

/// The cached verdicts about the keys of a user while the user is written. They are dropped at the end, so that a
/// key is refused at once if this process deactivates or deletes its owner. They are dropped too if the write ends
/// early, when it is unknown whether it took effect.
#[must_use]
pub struct CachedVerdicts<'c> {
    cache: &'c AuthenticationCache,
    company: CompanyId,
    owner: UserId,
    are_kept: bool,
}

impl CachedVerdicts<'_> {
    /// Keeps the verdicts if the user is active after the write, or the write was refused.
    pub fn settle(mut self, is_active: Result<bool, &ScimError>) {
        self.are_kept = is_active.unwrap_or_else(|error| error.status < 500);
    }
}

impl Drop for CachedVerdicts<'_> {
    fn drop(&mut self) {
        if !self.are_kept {
            self.cache.drop_verdicts(self.company, self.owner);
        }
    }
}

/// Returns the token of a request.
///
/// # Errors
/// 401 if there is no `Authorization` header, or it has no well-formed token.
pub fn token_of(headers: &HeaderMap) -> Result<BearerToken, ScimError> {
    let text = bearer_token(headers).ok_or_else(unauthenticated)?;
    BearerToken::parse(text).ok_or_else(unauthorized)
}

/// Finds the caller that sent a token.
///
/// # Errors
/// 401 if the token has expired, the key is unknown, wrong, expired or revoked, or its owner is not active; 403 if the owner lacks the
/// permission or the company is suspended; 503 if the store does not respond.
pub async fn authenticate(
    token: &BearerToken,
    store: &Store,
    cache: &AuthenticationCache,
    now: Moment,
) -> Result<Caller, ScimError> {
    if !token.is_current(now.wall) {
        return Err(unauthorized());
    }
    let id = token.id();
    if let Some(verdict) = cache.get(id, now) {
        return Ok(verdict?);
    }
    let drops_before = cache.drops();
    let (verdict, expires) = verify(token, store, cache, now.wall).await?;
    let cached = Cached {
        verdict,
        since: now,
        expires,
    };
    cache.put(id, cached, drops_before);
    Ok(verdict?)
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    // If there are several, a proxy that checked the request may have used another one.
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let value = value.to_str().ok()?;
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

/// Verifies a token by what the store has of its key, owner and company. Returns the verdict, and when it
/// ends.
async fn verify(
    token: &BearerToken,
    store: &Store,
    cache: &AuthenticationCache,
    now: Timestamp,
) -> Result<(Verification, Option<Timestamp>), ScimError> {
    let Some(key) = store.find_key(token.key_id()).await? else {
        return Ok((Err(Refusal::Unauthorized), None));
    };
    if let Some(refusal) = token.refusal_by(&key, now) {
        return Ok((Err(refusal), None));
    }
    let today = TimeZone::UTC.to_datetime(now).date();
    let (owner, company) = store.owner_and_company(key.company, key.owner).await?;
    let verdict = match (owner, company) {
        (Some(owner), Some(company)) if owner.is_active() => {
            if company.status == CompanyStatus::Suspended {
                Err(Refusal::Suspended)
            } else if owner.permissions.contains(&Permission::UsersManage) {
                Ok(Caller {
                    company: key.company,
                    key: key.id,
                    owner: key.owner,
                    key_expires: key.expires,
                    cursor_secret: company.cursor_secret,
                })
            } else {
                Err(Refusal::NotPermitted)
            }
        }
        _ => Err(Refusal::Unauthorized),
    };
    let is_known = key.last_used.is_some_and(|day| today <= day);
    if verdict.is_ok() && !is_known && cache.is_to_record(key.id, today) {
        let is_recorded = record_use(store, key.id, today).await;
        if !is_recorded {
            cache.forget_recorded(key.id);
        }
    }
    Ok((verdict, token.ends(&key)))
}

/// Records the day a key is used on. Returns whether that was done: no request fails or waits long for it.
async fn record_use(store: &Store, key: KeyId, today: Date) -> bool {
    let recorded = tokio::time::timeout(RECORDING_TIMEOUT, store.mark_key_used(key, today)).await;
    match recorded {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => tracing::warn!(%error, "the day a key was used on is not recorded"),
        Err(_) => tracing::warn!("the day a key was used on could not be recorded in time"),
    }
    false
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::config::{Clock as _, SystemClock};

    #[test]
    fn a_verdict_of_before_a_deactivation_is_not_cached_after_it() {
        let cache = AuthenticationCache::default();
        let token = Token::new(KeyId::new(1), &[1; 32]);
        let id = (token.key_id(), token.secret_hash());
        let (company, owner) = (CompanyId::new(Uuid::nil()), UserId::new(Uuid::nil()));
        let now = SystemClock.moment();
        let cached = Cached {
            verdict: Ok(Caller {
                company,
                key: token.key_id(),
                owner,
                key_expires: None,
                cursor_secret: CursorSecret([0; 32]),
            }),
            since: now,
            expires: None,
        };
        // One request reads the owner, who is active; another deactivates the owner meanwhile.
        let before = cache.drops();
        cache.verdicts_about(company, owner).settle(Ok(false));
        cache.put(id, cached, before);
        assert!(cache.get(id, now).is_none());

        cache.put(id, cached, cache.drops());
        assert!(cache.get(id, now).is_some());
        cache
            .verdicts_about(company, owner)
            .settle(Err(&ScimError::not_found("").rule(rule::USER_UNKNOWN)));
        assert!(cache.get(id, now).is_some(), "nothing was written");
        // The write was cut off: it is unknown whether it took effect.
        drop(cache.verdicts_about(company, owner));
        assert!(cache.get(id, now).is_none());
    }
}
