//! What is stored where: keys, and the items of users, companies, API keys, lookups and the audit trail. All of it is
//! pure.

mod api_key;
pub(crate) mod attributes;
mod audit;
mod company;
mod item;
pub(crate) mod keys;
mod kind;
mod lookup;
mod user;

pub use attributes::{DOCUMENT, INDEX_PK, INDEX_SK, LOOKUP_USER, PK, SK, TTL, VERSION};
pub use audit::AuditEntry;
pub use item::{Item, Value};
pub use keys::{COUNTER_SHARDS, Key};
pub use lookup::Lookup;
pub use user::{from_user, to_user};

pub(crate) use api_key::{from_api_key, to_api_key};
pub(crate) use audit::{from_audit, to_audit_entry};
pub(crate) use company::{from_company, to_company};
pub(crate) use item::{Reader, is_indexed_as};
pub(crate) use kind::Kind;
pub(crate) use lookup::{
    Digest, LookupEntry, from_lookup, lookups, user_id_of_lookup, user_name, user_of_lookup,
};
pub(crate) use user::{from_anonymised, has_state_of, is_anonymised, stripped};
