//! Schemas as data (RFC 7643 §2, §7).
//!
//! The tables are what `/Schemas` serves and what validates, filters, patches and projects: there is no second
//! description of an attribute anywhere.

mod attribute;
mod attribute_path;
mod common;
mod discovery;
mod enterprise;
mod resource_type;
mod user;

pub use attribute::{Attribute, Mutability, Returned, Schema, Type, Uniqueness};
pub use attribute_path::{AttributePath, Declared};
pub use common::COMMON_ATTRIBUTES;
pub use discovery::{RESOURCE_TYPE_SCHEMA, SCHEMA_SCHEMA, SERVICE_PROVIDER_CONFIG_SCHEMA};
pub use enterprise::ENTERPRISE_USER;
pub use resource_type::ResourceType;
pub use user::USER_SCHEMA;
