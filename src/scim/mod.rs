//! The SCIM protocol, pure: no async, AWS, HTTP, clock or environment.

pub mod bulk;
pub mod compare;
pub mod cursor;
pub mod dialect;
pub mod discovery;
pub mod error;
pub mod etag;
pub mod event;
pub mod filter;
pub mod list;
pub mod patch;
pub mod path;
pub mod projection;
pub mod resource;
pub mod rule;
pub mod schema;
pub mod size;
pub mod undeclared;
pub mod work;

pub use error::ScimError;
pub use rule::Rule;
