//! The enterprise user extension (RFC 7643 §4.3).

use super::attribute::{Attribute, Schema};

/// `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User`.
pub static ENTERPRISE_USER: Schema = Schema::new(
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    "EnterpriseUser",
    "Enterprise User",
    &[
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
)
.older_urns(&[
    "urn:ietf:params:scim:schemas:extension:enterprise:1.0:User",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0User",
    "urn:scim:schemas:extension:enterprise:2.0:User",
    "urn:scim:schemas:extension:enterprise:1.0:User",
    "urn:scim:schemas:extension:enterprise:2.0User",
    "urn:scim:schemas:extension:enterprise:2.0",
    "urn:scim:schemas:extension:enterprise:1.0",
]);

static MANAGER: &[Attribute] = &[
    Attribute::string("value", "The manager's identifier."),
    Attribute::reference("$ref", &["User"], "URL of the manager's resource."),
    Attribute::string("displayName", "The manager's name; never stored here.").read_only(),
];
