//! The kind of resource that Paradigm has.

use scim::schema::{ENTERPRISE_USER, ResourceType, USER_SCHEMA};

/// Users: the only resource type of this service.
pub static USER: ResourceType = ResourceType {
    name: "User",
    endpoint: "/Users",
    description: "User account of a company in Paradigm",
    schema: &USER_SCHEMA,
    extensions: &[&ENTERPRISE_USER],
};
