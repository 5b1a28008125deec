//! What an empty embedded store starts with: a company, its administrator and an API key.

use paradigm_scim::directory::{CompanyId, KeyId, Operation, Permission, Token, UserId};
use paradigm_scim::store::Store;
use uuid::Uuid;

use crate::user::{self, Profile};
use crate::{Failure, company, key};

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

/// Makes company, administrator and key with ids and a secret nobody can guess; `None` if the
/// store is not empty.
pub(crate) async fn create(store: &Store) -> Result<Option<Token>, Failure> {
    let company = CompanyId::new(Uuid::now_v7());
    let administrator = UserId::new(Uuid::now_v7());
    create_as(store, company, administrator, key::random_token()?).await
}

/// Makes the same, and some users, with ids and a secret that everybody knows; `None` if the store
/// is not empty.
pub(crate) async fn create_fixed(store: &Store) -> Result<Option<Token>, Failure> {
    let company = CompanyId::new(fixed_id(0x01));
    let token = Token::new(KeyId::new(0xde30), &[0xde; 32]);
    let token = create_as(store, company, UserId::new(fixed_id(0x02)), token).await?;
    if token.is_some() {
        for (end, user_name) in FIXED_USERS {
            let resource = Profile::default().to_resource(user_name);
            user::create(store, company, UserId::new(fixed_id(end)), resource).await?;
        }
    }
    Ok(token)
}

async fn create_as(
    store: &Store,
    company: CompanyId,
    administrator: UserId,
    token: Token,
) -> Result<Option<Token>, Failure> {
    if !store.companies().await?.is_empty() {
        return Ok(None);
    }
    let resource = administrator_profile().to_resource(ADMINISTRATOR);
    user::create(store, company, administrator, resource).await?;
    user::change(store, company, administrator, Operation::Grant, |user| {
        Ok(user.granted(Permission::UsersManage))
    })
    .await?;
    key::create(store, company, administrator, COMPANY, None, &token).await?;
    // Last, because a store without company counts as empty: an interrupted start is made up for.
    company::create(store, company, COMPANY).await?;
    Ok(Some(token))
}

/// The administrator has name and email, because some clients and test suites read the first listed
/// user and need them.
fn administrator_profile() -> Profile {
    Profile {
        given_name: Some("Demo".to_owned()),
        family_name: Some("Administrator".to_owned()),
        display_name: Some("Demo Administrator".to_owned()),
        email: Some(ADMINISTRATOR.to_owned()),
    }
}

/// A UUIDv7 of the year 2024 that ends in the given byte.
fn fixed_id(end: u8) -> Uuid {
    Uuid::from_u128(0x018c_c251_f400_7000_8000_0000_0000_0000 | u128::from(end))
}
