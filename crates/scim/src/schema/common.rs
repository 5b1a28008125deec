//! Attributes that every resource has (RFC 7643 §3, §3.1).

use super::attribute::{Attribute, Type};

/// `schemas`, `id`, `externalId` and `meta`. They belong to no schema of their own.
pub static COMMON_ATTRIBUTES: &[Attribute] = &[
    Attribute::reference("schemas", &["uri"], "URNs of the schemas in this resource.")
        .multi_valued()
        .read_only()
        .always_returned(),
    Attribute::string("id", "The resource's identifier, given by the server.")
        .case_exact()
        .read_only()
        .always_returned()
        .unique(),
    Attribute::string(
        "externalId",
        "The identifier the provisioning client uses for this resource.",
    )
    .case_exact(),
    Attribute::complex("meta", META, "Resource metadata.").read_only(),
];

static META: &[Attribute] = &[
    Attribute::string("resourceType", "Name of the resource type.")
        .case_exact()
        .read_only(),
    Attribute::new("created", Type::DateTime, "When the resource was created.").read_only(),
    Attribute::new(
        "lastModified",
        Type::DateTime,
        "When the resource last changed.",
    )
    .read_only(),
    Attribute::reference("location", &["uri"], "URL of this resource.").read_only(),
    Attribute::string("version", "The entity tag of this version.")
        .case_exact()
        .read_only(),
];
