//! `key create|list|revoke`

use clap::{Args, Subcommand};
use jiff::Timestamp;
use paradigm_scim::directory::{ApiKey, CompanyId, KeyId, Operation, Token, UserId};
use paradigm_scim::store::{Next, Store};
use serde_json::{Value, json};

use crate::Failure;
use crate::open::{self, now, operator_change};
use crate::user::InCompany;

#[derive(Subcommand)]
pub(crate) enum Key {
    /// Create an API key for a user who may manage users; its token is shown once
    Create(Create),
    /// List a company's API keys
    List(InCompany),
    /// Revoke an API key for good
    Revoke(Revoke),
}

#[derive(Args)]
pub(crate) struct Create {
    /// The user the key is linked to, by id or userName
    #[arg(long, value_name = "USER")]
    owner: String,
    /// What to call the key, such as 'Entra'; at most 50 characters
    #[arg(long)]
    name: String,
    /// When the key expires, such as 2027-12-31T00:00:00Z; never, if left out
    #[arg(long, value_name = "TIME")]
    expires: Option<Timestamp>,
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
                let keys: Vec<Value> = store.api_keys(company).await?.iter().map(shown).collect();
                let columns = ["id", "name", "owner", "created", "expires", "revoked"];
                place.format.records(&columns, &keys)
            }
            Self::Revoke(arguments) => arguments.run().await,
        }
    }
}

impl Create {
    async fn run(&self) -> Result<(), Failure> {
        let (store, company) = self.place.open().await?;
        let owner = open::user_id(&store, company, &self.owner).await?;
        let token = random_token()?;
        let key = create(&store, company, owner, &self.name, self.expires, &token).await?;
        let mut record = shown(&key);
        if let Some(members) = record.as_object_mut() {
            members.insert("token".into(), token.reveal().as_str().into());
        }
        self.place.format.record(&record)
    }
}

impl Revoke {
    async fn run(&self) -> Result<(), Failure> {
        let (store, company) = self.place.open().await?;
        let no_such_key = || Failure::from("the company has no such key; see 'key list'");
        let id = KeyId::parse(&self.key).ok_or_else(no_such_key)?;
        let key = store.find_key(id).await?.ok_or_else(no_such_key)?;
        if key.company != company {
            return Err(no_such_key());
        }
        if key.revoked.is_none() {
            let change = operator_change(company, Operation::RevokeKey);
            store
                .change_user(&change, key.owner, |owner| {
                    let (owner, changes) = owner.without_key(id);
                    Ok::<_, Failure>(Next::UpdateWithKeys(owner, changes))
                })
                .await?
                .ok_or("the key's owner is gone, and the key with them")?;
        }
        let revoked = store.find_key(id).await?.ok_or_else(no_such_key)?;
        self.place.format.record(&shown(&revoked))
    }
}

/// A token nobody can guess.
pub(crate) fn random_token() -> Result<Token, Failure> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    Ok(Token::new(KeyId::new(getrandom::u64()?), secret))
}

/// Makes a key for a user.
pub(crate) async fn create(
    store: &Store,
    company: CompanyId,
    owner: UserId,
    name: &str,
    expires: Option<Timestamp>,
    token: &Token,
) -> Result<ApiKey, Failure> {
    let key = ApiKey::new(token, name, company, owner, expires, now())?;
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

fn shown(key: &ApiKey) -> Value {
    json!({
        "id": key.id.to_string(),
        "name": key.name,
        "owner": key.owner.to_string(),
        "created": key.created.to_string(),
        "expires": key.expires.map(|time| time.to_string()),
        "revoked": key.revoked.map(|time| time.to_string()),
    })
}
