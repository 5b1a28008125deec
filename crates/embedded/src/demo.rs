//! Demo data for an empty embedded store: a company, its administrator and an API key.

use std::error::Error;

use paradigm_scim::config::{Clock as _, SystemClock};
use paradigm_scim::directory::{
    Actor, ApiKey, Company, CompanyId, CursorSecret, KeyId, Operation, Permission, Token, USER,
    User, UserId,
};
use paradigm_scim::store::{Next, Store, UserChange};
use scim::resource::Document;
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

/// The reason why demo data was not created.
type Failure = Box<dyn Error + Send + Sync>;

/// Name of the demo company.
const COMPANY: &str = "Demo";
/// `userName` of its administrator.
const ADMINISTRATOR: &str = "scim-admin@demo.invalid";
/// Users with fixed ids, for the events in `events/`: each is read or changed by few of them.
const FIXED_USERS: [(u8, &str); 5] = [
    (0xa1, "ada@demo.invalid"),
    (0xb2, "bob@demo.invalid"),
    (0xc3, "carol@demo.invalid"),
    (0xd4, "dan@demo.invalid"),
    (0xe5, "eve@demo.invalid"),
];

/// Creates a company, its administrator and an API key with random ids and a random secret; returns `None` if
/// the store is not empty.
///
/// # Errors
/// The store is busy or refuses the write, or the system has no random numbers.
pub async fn create(store: &Store) -> Result<Option<Token>, Failure> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *secret)?;
    let demo = Demo {
        store,
        company: CompanyId::new(Uuid::now_v7()),
        administrator: UserId::new(Uuid::now_v7()),
    };
    demo.create(Token::new(KeyId::new(getrandom::u64()?), &secret))
        .await
}

/// Creates the same, and some users, with ids and a secret that are public; returns `None` if the store is not
/// empty.
///
/// # Errors
/// The store is busy or refuses the write.
pub async fn create_fixed(store: &Store) -> Result<Option<Token>, Failure> {
    let demo = Demo {
        store,
        company: CompanyId::new(fixed_id(0x01)),
        administrator: UserId::new(fixed_id(0x02)),
    };
    let token = demo
        .create(Token::new(KeyId::new(0xde30), &[0xde; 32]))
        .await?;
    if token.is_some() {
        for (end, user_name) in FIXED_USERS {
            let user = json!({"userName": user_name});
            demo.create_user(UserId::new(fixed_id(end)), &user).await?;
        }
    }
    Ok(token)
}

/// Demo data to be written into a store.
struct Demo<'s> {
    store: &'s Store,
    company: CompanyId,
    administrator: UserId,
}

impl Demo<'_> {
    async fn create(&self, token: Token) -> Result<Option<Token>, Failure> {
        if !self.store.companies().await?.is_empty() {
            return Ok(None);
        }
        // Some clients and test suites read the first listed user and need a name and an email.
        let administrator = json!({
            "userName": ADMINISTRATOR,
            "name": {"givenName": "Demo", "familyName": "Administrator"},
            "displayName": "Demo Administrator",
            "emails": [{"value": ADMINISTRATOR, "type": "work", "primary": true}],
        });
        self.create_user(self.administrator, &administrator).await?;
        self.change_administrator(Operation::Grant, |user| {
            Ok(Next::Update(user.granted(Permission::UsersManage)))
        })
        .await?;
        let now = SystemClock.now();
        let key = ApiKey::new(&token, COMPANY, self.company, self.administrator, None, now)?;
        self.change_administrator(Operation::CreateKey, |owner| {
            let (owner, changes) = owner.with_key(&key, now)?;
            Ok(Next::UpdateWithKeys(owner, changes))
        })
        .await?;
        // Last, because a store without company counts as empty: after an interruption the next start begins again.
        let mut cursor_secret = [0; 32];
        getrandom::fill(&mut cursor_secret)?;
        let company = Company::new(self.company, COMPANY, CursorSecret(cursor_secret), now)?;
        let change = self.change(Operation::Create);
        self.store.create_company(&change, &company).await?;
        Ok(Some(token))
    }

    async fn create_user(&self, id: UserId, resource: &Value) -> Result<(), Failure> {
        let resource = resource.as_object().cloned().unwrap_or_default();
        let document = Document::from_input(resource, &USER).map_err(|error| error.detail)?;
        let change = self.change(Operation::Create);
        let user = User::new(id, document, change.now)?;
        Ok(self.store.create_user(&change, &user).await?)
    }

    async fn change_administrator<'k>(
        &self,
        operation: Operation,
        decide: impl Fn(&User) -> Result<Next<'k>, Failure>,
    ) -> Result<(), Failure> {
        let change = self.change(operation);
        let changed = self.store.change_user(&change, self.administrator, decide);
        changed
            .await?
            .ok_or("the administrator was deleted meanwhile")?;
        Ok(())
    }

    fn change(&self, operation: Operation) -> UserChange {
        UserChange {
            company: self.company,
            actor: Actor::Operator,
            operation,
            request_id: Uuid::now_v7().to_string(),
            now: SystemClock.now(),
        }
    }
}

/// Returns a UUIDv7 of the year 2024 that ends in the given byte.
fn fixed_id(end: u8) -> Uuid {
    Uuid::from_u128(0x018c_c251_f400_7000_8000_0000_0000_0000 | u128::from(end))
}
