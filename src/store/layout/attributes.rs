//! Names of attributes.

/// Partition key of the table.
pub const PK: &str = "PK";
/// Sort key of the table.
pub const SK: &str = "SK";
/// Partition key of the index. An item that has it has [`INDEX_SK`] too, and only such an item is in the index.
pub const INDEX_PK: &str = "ByCompanyPK";
/// Sort key of the index.
pub const INDEX_SK: &str = "ByCompanySK";

pub(crate) const ACTOR: &str = "actor";
pub(crate) const AFTER: &str = "after";
pub(crate) const ATTRIBUTES: &str = "attributes";
pub(crate) const AUDITED_KEYS: &str = "keys";
pub(crate) const BEFORE: &str = "before";
pub(crate) const COMPANY: &str = "company";
pub(crate) const CREATED: &str = "created";
pub(crate) const CURSOR_SECRET: &str = "cursorSecret";
/// The SCIM attributes of a user as JSON text; no engine changes a byte of it.
pub const DOCUMENT: &str = "document";
pub(crate) const EXPIRES: &str = "expires";
pub(crate) const KEYS: &str = "keys";
pub(crate) const LAST_MODIFIED: &str = "lastModified";
pub(crate) const NAME: &str = "name";
pub(crate) const LAST_USED: &str = "lastUsed";
pub(crate) const OPERATION: &str = "operation";
pub(crate) const OWNER: &str = "owner";
pub(crate) const PERMISSIONS: &str = "permissions";
/// Verifies the access tokens of an API key.
pub(crate) const PUBLIC_KEY: &str = "publicKey";
pub(crate) const RENAMES: &str = "renames";
pub(crate) const REVOKED: &str = "revoked";
pub(crate) const SECRET_HASH: &str = "secretHash";
pub(crate) const STATE: &str = "state";
pub(crate) const STATUS: &str = "status";
/// Seconds since 1970 after which the engine may drop the item; only audit records and scan budgets have it.
pub const TTL: &str = "ttl";
/// Read units that were drawn from a scan budget.
pub(crate) const UNITS: &str = "units";
/// Which user a lookup item leads to.
pub const LOOKUP_USER: &str = "userId";
/// Number of live users in a counter's shard.
pub(crate) const USERS: &str = "users";
/// Counts the writes of a user, from 1.
pub const VERSION: &str = "version";
/// Marks which write made the item what it is.
pub(crate) const WRITE_ID: &str = "writeId";
