//! Paradigm's own rules: companies, the lifecycle of users, permissions, API keys, audit.
//!
//! Pure, like [`scim`]: the clock and all random values are passed in.

pub mod access_token;
pub mod api_key;
pub mod audit;
pub mod company;
pub mod id;
pub mod lifecycle;
pub mod permission;
pub mod resource_type;
pub mod user;

pub use access_token::AccessToken;
pub use api_key::{ApiKey, KeyChange, Token};
pub use audit::{Actor, AuditRecord, Operation};
pub use company::{Company, CompanyStatus, CursorSecret};
pub use id::{CompanyId, KeyId, UserId};
pub use lifecycle::State;
pub use permission::Permission;
pub use resource_type::USER;
pub use user::User;

use thiserror::Error;

use user::{MAX_DOCUMENT_BYTES, MAX_EMAILS, MAX_USER_NAME_CHARS};

/// The reason why the directory refuses a change.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DirectoryError {
    /// `active` would have no value.
    #[error("'active' must be true or false; send false to deactivate the user")]
    ActiveMissing,
    /// `userName` is blank.
    #[error("'userName' may not be blank")]
    UserNameBlank,
    /// `userName` is too long.
    #[error("'userName' may have at most {MAX_USER_NAME_CHARS} characters")]
    UserNameTooLong,
    /// There are too many emails.
    #[error("'emails' may have at most {MAX_EMAILS} values")]
    TooManyEmails,
    /// The whole user is too large.
    #[error("the user's attributes may have at most {MAX_DOCUMENT_BYTES} bytes as JSON")]
    DocumentTooLarge,
    /// The owner has as many active keys as allowed.
    #[error("the owner already has {0} active API keys; revoke one first")]
    TooManyKeys(usize),
    /// The user has no such key, or it is revoked.
    #[error("the user has no such API key, or it is revoked")]
    NoSuchKey,
    /// The key would expire before it is made.
    #[error("the time a key expires must be in the future")]
    ExpiresInThePast,
    /// The owner may not manage users.
    #[error("the key's owner must be active and hold '{}'", Permission::UsersManage.as_str())]
    OwnerNotPermitted,
    /// A key pair cannot be derived, or an access token not be signed.
    #[error("this machine cannot sign access tokens")]
    Signing,
    /// The name of a company or key is empty or too long.
    #[error("a name must have 1 to {0} characters")]
    NameLength(usize),
}
