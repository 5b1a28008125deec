//! The SCIM protocol, pure: no async, AWS, HTTP, clock or environment.

pub mod compare;
pub mod cursor;
pub mod dialect;
pub mod discovery;
pub mod error;
pub mod etag;
pub mod event;
pub mod filter;
pub mod messages;
pub mod name;
pub mod page;
pub mod patch;
pub mod projection;
mod raw;
pub mod resource;
pub mod rule;
pub mod schema;
pub mod size;
pub mod sort;
pub mod undeclared;
pub mod work;

pub use error::ScimError;
pub use raw::RawMembers;
pub use rule::Rule;
