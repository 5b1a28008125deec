//! What an empty embedded store starts with: a company, its administrator and an API key.

use paradigm_scim::directory::{Operation, Permission, Token};
use paradigm_scim::store::Store;

use crate::{Failure, company, key, user};

/// Name of the company an empty embedded store gets.
pub(crate) const COMPANY: &str = "Demo";
/// `userName` of its administrator.
pub(crate) const ADMINISTRATOR: &str = "scim-admin@demo.invalid";

/// Makes company, administrator and key; `None` if the store is not empty.
pub(crate) async fn create(store: &Store) -> Result<Option<Token>, Failure> {
    if !store.companies().await?.is_empty() {
        return Ok(None);
    }
    let company = company::create(store, COMPANY).await?.id;
    let administrator = user::create(store, company, ADMINISTRATOR).await?.id;
    user::change(store, company, administrator, Operation::Grant, |user| {
        Ok(user.granted(Permission::UsersManage))
    })
    .await?;
    let (_, token) = key::create(store, company, administrator, "Demo", None).await?;
    Ok(Some(token))
}
