//! `key create|list|rotate|revoke`

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use paradigm_scim::directory::api_key::{Validity, WARNING_DAYS};
use paradigm_scim::directory::{
    ApiKey, CompanyId, KeyChange, KeyId, Operation, Token, User, UserId,
};
use paradigm_scim::store::{Next, Store};
use scim::resource::date_time;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::directory::InCompany;
use super::directory::{self, now, operator_change};
use super::expiry::Expiry;
use crate::Failure;
use crate::output::line;

#[derive(Subcommand)]
pub(crate) enum Key {
    /// Create an API key for a user who may manage users; its token is shown once
    Create(Create),
    /// List a company's API keys
    List(InCompany),
    /// Replace an API key by a new one; the old one stays valid for some time
    Rotate(Rotate),
    /// Revoke an API key for good
    Revoke(Revoke),
}

#[derive(Args)]
pub(crate) struct Create {
    /// The user the key is linked to, by id or userName
    #[arg(long, value_name = "USER")]
    owner: String,
    /// Name of the key, such as 'Entra'; at most 50 characters
    #[arg(long)]
    name: String,
    /// When the key expires: a date, a duration such as '180d', or 'never'; by default as
    /// SCIM_API_KEY_DAYS says
    #[arg(long, value_name = "WHEN")]
    expires: Option<Expiry>,
    #[command(flatten)]
    place: InCompany,
}

#[derive(Args)]
pub(crate) struct Rotate {
    /// The id of the key to replace; part of its token, and shown by 'key list'
    key: String,
    /// How long the old key stays valid beside the new one, such as '30m' or '72h'; '0s' ends it
    #[arg(long, value_name = "TIME", default_value = "24h")]
    overlap: SignedDuration,
    /// When the new key expires: a date, a duration such as '180d', or 'never'; by default as
    /// SCIM_API_KEY_DAYS says
    #[arg(long, value_name = "WHEN")]
    expires: Option<Expiry>,
    #[command(flatten)]
    place: InCompany,
}

#[derive(Args)]
pub(crate) struct Revoke {
    /// The key's id; part of its token, and shown by 'key list'
    key: String,
    #[command(flatten)]
    place: InCompany,
}

impl Key {
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Create(arguments) => arguments.run().await,
            Self::List(place) => {
                let (store, company) = place.open().await?;
                let (keys, now) = (store.api_keys(company).await?, now());
                let keys: Vec<Value> = keys.iter().map(|key| shown(key, now)).collect();
                let columns = [
                    "id", "name", "owner", "created", "expires", "daysLeft", "state", "revoked",
                    "lastUsed", "oauth2",
                ];
                place.format.records(&columns, &keys)
            }
            Self::Rotate(arguments) => arguments.run().await,
            Self::Revoke(arguments) => arguments.run().await,
        }
    }
}

impl Create {
    async fn run(&self) -> Result<(), Failure> {
        let expiry = Expiry::or_default(self.expires)?;
        let (store, company) = self.place.open().await?;
        let owner = directory::user_id(&store, company, &self.owner).await?;
        let token = random_token()?;
        let key = create(&store, company, owner, &self.name, expiry, &token).await?;
        self.place.format.record(&shown_once(&key, &token))
    }
}

impl Rotate {
    async fn run(&self) -> Result<(), Failure> {
        let expiry = Expiry::or_default(self.expires)?;
        let (store, company) = self.place.open().await?;
        let old = find(&store, company, &self.key).await?;
        let change = operator_change(company, Operation::RotateKey);
        let until = change.now.checked_add(self.overlap)?;
        let token = random_token()?;
        if old.revoked.is_some() {
            return Err("the key is revoked; create another with 'key create'".into());
        }
        let (owner, expires) = (old.owner, expiry.of_key_made(change.now)?);
        let key = ApiKey::new(&token, &old.name, company, owner, expires, change.now)?;
        store
            .change_user(&change, owner, |owner| {
                let rotated = owner.with_key_rotated(old.id, until, &key, change.now)?;
                Ok::<_, Failure>(Next::UpdateWithKeys(rotated.0, rotated.1))
            })
            .await?
            .ok_or("the key's owner is deleted, and the key revoked with them")?;
        self.place.format.record(&shown_once(&key, &token))?;
        let until = old.expires.map_or(until, |expires| expires.min(until));
        print_steps(&self.place, old.id, until)
    }
}

impl Revoke {
    async fn run(&self) -> Result<(), Failure> {
        let (store, company) = self.place.open().await?;
        let mut key = find(&store, company, &self.key).await?;
        // If the owner's item does not name the key, it is revoked all the same.
        for take in [User::without_key, with_unnamed_key_revoked] {
            if key.revoked.is_some() {
                break;
            }
            let change = operator_change(company, Operation::RevokeKey);
            store
                .change_user(&change, key.owner, |owner| {
                    let (owner, changes) = take(owner, key.id);
                    Ok::<_, Failure>(Next::UpdateWithKeys(owner, changes))
                })
                .await?
                .ok_or("the key's owner is deleted, so the key is no longer accepted; 'check' shows what is left of it")?;
            key = find(&store, company, &self.key).await?;
        }
        if key.revoked.is_none() {
            return Err("the key is not revoked; try again, or see 'check'".into());
        }
        self.place.format.record(&shown(&key, now()))
    }
}

/// Prints what to do with a new key at the identity provider, for people.
fn print_steps(place: &InCompany, old: KeyId, until: Timestamp) -> Result<(), Failure> {
    if place.format.is_json() {
        return Ok(());
    }
    let until = date_time(until);
    line(&format!(
        "
What to do now, in Entra (another provider has the same settings under other names):
1. Open Enterprise applications, the application, Provisioning, and its credentials.
2. Paste the new token as Secret Token; with OAuth 2.0 client credentials, the new key's id as client identifier and the new token as client secret.
3. Choose Test connection, and save.
4. Do this before {until}: the old key {old} is accepted until then.
5. See by 'key list' that the old key is not used any more (lastUsed), and revoke it: key revoke {old}"
    ))
}

fn with_unnamed_key_revoked(owner: &User, key: KeyId) -> (User, Vec<KeyChange<'static>>) {
    let mut owner = owner.clone();
    owner.version += 1;
    (owner, vec![KeyChange::Revoke(key)])
}

/// Returns a key of the company.
async fn find(store: &Store, company: CompanyId, id: &str) -> Result<ApiKey, Failure> {
    let key = match KeyId::parse(id) {
        Some(id) => store.find_key(id).await?,
        None => None,
    };
    key.filter(|key| key.company == company)
        .ok_or_else(|| "the company has no such key; see 'key list'".into())
}

/// Returns a new random token.
pub(crate) fn random_token() -> Result<Token, Failure> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *secret)?;
    Ok(Token::new(KeyId::new(getrandom::u64()?), &secret))
}

/// Creates a key for a user.
pub(crate) async fn create(
    store: &Store,
    company: CompanyId,
    owner: UserId,
    name: &str,
    expiry: Expiry,
    token: &Token,
) -> Result<ApiKey, Failure> {
    let now = now();
    let expires = expiry.of_key_made(now)?;
    let key = ApiKey::new(token, name, company, owner, expires, now)?;
    let change = operator_change(company, Operation::CreateKey);
    store
        .change_user(&change, owner, |owner| {
            let (owner, changes) = owner.with_key(&key, change.now)?;
            Ok::<_, Failure>(Next::UpdateWithKeys(owner, changes))
        })
        .await?
        .ok_or("the company has no such user")?;
    Ok(key)
}

fn shown(key: &ApiKey, now: Timestamp) -> Value {
    json!({
        "id": key.id.to_string(),
        "name": key.name,
        "owner": key.owner.to_string(),
        "created": date_time(key.created),
        "expires": key.expires.map(date_time),
        "daysLeft": days_left(key, now),
        "state": state(key, now),
        "revoked": key.revoked.map(date_time),
        "lastUsed": key.last_used.map(|day| day.to_string()),
        "oauth2": oauth2(key),
    })
}

/// Returns how many days a key has left, if it is not revoked and expires.
fn days_left(key: &ApiKey, now: Timestamp) -> Option<i64> {
    key.days_left(now).filter(|_| key.revoked.is_none())
}

/// Returns whether a key may be used, and whether that ends soon.
fn state(key: &ApiKey, now: Timestamp) -> &'static str {
    let is_ending = key.days_left(now).is_some_and(|days| days <= WARNING_DAYS);
    match key.validity(now) {
        Validity::Revoked => "revoked",
        Validity::Expired => "expired",
        Validity::Valid if is_ending => "expires soon",
        Validity::Valid => "valid",
    }
}

/// Returns whether clients can get access tokens for a key; `None` if it is revoked.
fn oauth2(key: &ApiKey) -> Option<&'static str> {
    match (key.revoked, key.public_key) {
        (Some(_), _) => None,
        (None, Some(_)) => Some("ready"),
        (None, None) => Some("rotate the key"),
    }
}

/// Returns a new key with its token.
fn shown_once(key: &ApiKey, token: &Token) -> Value {
    let mut record = shown(key, key.created);
    if let Some(members) = record.as_object_mut() {
        members.insert("token".into(), token.reveal().as_str().into());
    }
    record
}
