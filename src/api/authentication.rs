//! Who is calling: the bearer token, its key, the key's owner and company.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::rule;
use crate::directory::api_key::SecretHash;
use crate::directory::{
    Actor, CompanyId, CompanyStatus, CursorSecret, KeyId, Permission, Token, UserId,
};
use crate::scim::ScimError;
use crate::store::Store;

/// How long an answer is believed without asking the store again.
const CACHED_FOR: SignedDuration = SignedDuration::from_secs(60);
/// How long a request waits for the day of a key's use to be noted.
const NOTING_TAKES: Duration = Duration::from_secs(1);
/// Most answers that are remembered; of more, refusals are forgotten.
pub const MAX_CACHED: usize = 1024;

/// Someone who may manage a company's users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The company; nothing outside of it is in reach.
    pub company: CompanyId,
    /// The key they sent.
    pub key: KeyId,
    /// The user the key is linked to.
    pub owner: UserId,
    /// What the company's cursors are sealed with.
    pub cursor_secret: CursorSecret,
}

impl Caller {
    /// The caller in the audit trail.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::Key {
            id: self.key,
            owner: self.owner,
        }
    }
}

/// Why a well-formed token is not enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// No such key, wrong secret, expired, revoked, or its owner is gone or deactivated.
    Unauthorized,
    /// The owner may not manage users.
    NotPermitted,
    /// The company is suspended.
    Suspended,
}

impl From<Refusal> for ScimError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unauthorized => Self::unauthorized().rule(rule::UNAUTHORIZED),
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

type Verdict = Result<Caller, Refusal>;

/// Verdicts of the last minute, good and bad, of this process.
#[derive(Default)]
pub struct AuthenticationCache {
    verdicts: Mutex<HashMap<(KeyId, SecretHash), (Verdict, Timestamp)>>,
    /// The day that each key was last noted to be used on, or is being so.
    noted: Mutex<HashMap<KeyId, Date>>,
}

impl AuthenticationCache {
    fn get(&self, id: (KeyId, SecretHash), now: Timestamp) -> Option<Verdict> {
        let verdicts = self.verdicts.lock().ok()?;
        let (verdict, until) = verdicts.get(&id)?;
        (now < *until).then_some(*verdict)
    }

    fn put(&self, id: (KeyId, SecretHash), verdict: Verdict, until: Timestamp, now: Timestamp) {
        let Ok(mut verdicts) = self.verdicts.lock() else {
            return;
        };
        if verdicts.len() >= MAX_CACHED {
            verdicts.retain(|_, (_, until)| now < *until);
        }
        if verdicts.len() >= MAX_CACHED {
            verdicts.retain(|_, (verdict, _)| verdict.is_ok());
        }
        if verdicts.len() < MAX_CACHED {
            verdicts.insert(id, (verdict, until));
        }
    }

    /// Whether a day of a key's use is still to be noted, which the first who asks is told to do.
    fn is_to_note(&self, key: KeyId, day: Date) -> bool {
        let Ok(mut noted) = self.noted.lock() else {
            return false;
        };
        if noted.len() >= MAX_CACHED {
            noted.clear();
        }
        noted.insert(key, day) != Some(day)
    }

    fn forget_noted(&self, key: KeyId) {
        if let Ok(mut noted) = self.noted.lock() {
            noted.remove(&key);
        }
    }
}

/// The token of a request.
///
/// # Errors
/// 401, if there is none, or what is there cannot be one.
pub fn token_of(headers: &HeaderMap) -> Result<Token, ScimError> {
    bearer_token(headers)
        .and_then(Token::parse)
        .ok_or_else(|| Refusal::Unauthorized.into())
}

/// Finds out who sent a token.
///
/// # Errors
/// 401, 403, or 503 if the store does not answer.
pub async fn authenticate(
    token: &Token,
    store: &Store,
    cache: &AuthenticationCache,
    now: Timestamp,
) -> Result<Caller, ScimError> {
    let id = (token.key_id(), token.secret_hash());
    if let Some(verdict) = cache.get(id, now) {
        return Ok(verdict?);
    }
    let (verdict, until) = judge(token, store, cache, now).await?;
    cache.put(id, verdict, until, now);
    Ok(verdict?)
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

/// Asks the store, and says until when its answer is believed.
async fn judge(
    token: &Token,
    store: &Store,
    cache: &AuthenticationCache,
    now: Timestamp,
) -> Result<(Verdict, Timestamp), ScimError> {
    let until = now.saturating_add(CACHED_FOR).unwrap_or(now);
    let key = store.find_key(token.key_id()).await?;
    let Some(key) = key.filter(|key| key.accepts(token, now)) else {
        return Ok((Err(Refusal::Unauthorized), until));
    };
    let until = key.expires.map_or(until, |expires| until.min(expires));
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
                    cursor_secret: company.cursor_secret,
                })
            } else {
                Err(Refusal::NotPermitted)
            }
        }
        _ => Err(Refusal::Unauthorized),
    };
    let is_known = key.last_used.is_some_and(|day| today <= day);
    if verdict.is_ok() && !is_known && cache.is_to_note(key.id, today) {
        let is_noted = note_use(store, key.id, today).await;
        if !is_noted {
            cache.forget_noted(key.id);
        }
    }
    Ok((verdict, until))
}

/// Notes the day a key is used on; whether that was done. No request fails or waits long for it.
async fn note_use(store: &Store, key: KeyId, today: Date) -> bool {
    let noted = tokio::time::timeout(NOTING_TAKES, store.mark_key_used(key, today)).await;
    match noted {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => tracing::warn!(%error, "the day a key was used on is not noted"),
        Err(_) => tracing::warn!("the day a key was used on could not be noted in time"),
    }
    false
}
