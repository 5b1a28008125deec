//! The enterprise user extension (RFC 7643 §4.3).

use super::{Attribute, Schema};

/// `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User`.
pub static ENTERPRISE_USER: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    name: "EnterpriseUser",
    description: "Enterprise User",
    attributes: &[
        Attribute::string(
            "employeeNumber",
            "Identifier given to the person by the organization.",
        ),
        Attribute::string("costCenter", "Name of a cost center."),
        Attribute::string("organization", "Name of an organization."),
        Attribute::string("division", "Name of a division."),
        Attribute::string("department", "Name of a department."),
        Attribute::complex("manager", MANAGER, "The person's manager."),
    ],
};

static MANAGER: &[Attribute] = &[
    Attribute::string("value", "The manager's identifier."),
    Attribute::reference("$ref", &["User"], "URL of the manager's resource."),
    Attribute::string("displayName", "The manager's name; never stored here.").read_only(),
];
