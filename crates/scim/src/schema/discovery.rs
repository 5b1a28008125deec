//! Schemas of what the discovery endpoints return (RFC 7643 §5-§7, listed in §8.7.2; RFC 9865 §4).
//!
//! They have what §8.7.2 lists, except where it contradicts the rest of the RFC:
//! `schemaExtensions` and `referenceTypes` are multi-valued, references are compared with case
//! (§2.3.7), and `etag`, an authentication scheme's `type` and `primary` (§5) and the type `binary`
//! (§2.3.6) are there.

use super::attribute::{Attribute, Schema};

/// `urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig`.
pub static SERVICE_PROVIDER_CONFIG_SCHEMA: Schema = Schema::new(
    "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig",
    "Service Provider Configuration",
    "What the service provider supports",
    &[
        Attribute::reference("documentationUri", &["external"], "URL of documentation.")
            .read_only(),
        Attribute::complex("patch", SUPPORTED, "Whether PATCH is supported.").always_there(),
        Attribute::complex(
            "bulk",
            BULK,
            "Whether bulk requests are supported, and their limits.",
        )
        .always_there(),
        Attribute::complex(
            "filter",
            FILTER,
            "Whether filters are supported, and their limit.",
        )
        .always_there(),
        Attribute::complex(
            "changePassword",
            SUPPORTED,
            "Whether passwords can be changed.",
        )
        .always_there(),
        Attribute::complex("sort", SUPPORTED, "Whether lists can be sorted.").always_there(),
        Attribute::complex("etag", SUPPORTED, "Whether resources have versions.").always_there(),
        Attribute::complex("pagination", PAGINATION, "How lists are paged.").read_only(),
        Attribute::complex(
            "authenticationSchemes",
            AUTHENTICATION_SCHEMES,
            "How clients authenticate.",
        )
        .multi_valued()
        .always_there(),
    ],
);

const IS_SUPPORTED: Attribute =
    Attribute::boolean("supported", "Whether it is supported.").always_there();

static SUPPORTED: &[Attribute] = &[IS_SUPPORTED];

static BULK: &[Attribute] = &[
    IS_SUPPORTED,
    Attribute::integer("maxOperations", "Most operations in a request.").always_there(),
    Attribute::integer("maxPayloadSize", "Largest request, in bytes.").always_there(),
];

static FILTER: &[Attribute] = &[
    IS_SUPPORTED,
    Attribute::integer("maxResults", "Most resources in a response.").always_there(),
];

static PAGINATION: &[Attribute] = &[
    Attribute::boolean("cursor", "Whether by cursor.").always_there(),
    Attribute::boolean("index", "Whether by index.").always_there(),
    Attribute::string(
        "defaultPaginationMethod",
        "What is done where a request does not say.",
    )
    .canonical(&["cursor", "index"])
    .read_only(),
    Attribute::integer(
        "defaultPageSize",
        "Resources in a page where a request does not say.",
    )
    .read_only(),
    Attribute::integer("maxPageSize", "Most resources in a page.").read_only(),
    Attribute::integer("cursorTimeout", "How long a cursor is valid, in seconds.").read_only(),
];

static AUTHENTICATION_SCHEMES: &[Attribute] = &[
    Attribute::string("type", "The kind of scheme.")
        .canonical(&[
            "oauth",
            "oauth2",
            "oauthbearertoken",
            "httpbasic",
            "httpdigest",
        ])
        .always_there(),
    Attribute::string("name", "The scheme's name.").always_there(),
    Attribute::string("description", "The scheme in a sentence.").always_there(),
    Attribute::reference("specUri", &["external"], "URL of its specification.").read_only(),
    Attribute::reference("documentationUri", &["external"], "URL of documentation.").read_only(),
    Attribute::boolean("primary", "Whether it is the preferred one.").read_only(),
];

/// `urn:ietf:params:scim:schemas:core:2.0:ResourceType`.
pub static RESOURCE_TYPE_SCHEMA: Schema = Schema::new(
    "urn:ietf:params:scim:schemas:core:2.0:ResourceType",
    "ResourceType",
    "A kind of resource, its endpoint and schemas",
    &[
        Attribute::string("id", "The same as the name.").read_only(),
        Attribute::string("name", "The resource type's name.").always_there(),
        Attribute::string("description", "The resource type in a sentence.").read_only(),
        Attribute::reference(
            "endpoint",
            &["uri"],
            "Where its resources are, below the base URL.",
        )
        .always_there(),
        Attribute::reference("schema", &["uri"], "URN of its schema.").always_there(),
        Attribute::complex(
            "schemaExtensions",
            SCHEMA_EXTENSIONS,
            "Extensions of its schema.",
        )
        .multi_valued()
        .always_there(),
    ],
);

static SCHEMA_EXTENSIONS: &[Attribute] = &[
    Attribute::reference("schema", &["uri"], "URN of the extension.").always_there(),
    Attribute::boolean("required", "Whether every resource must have it.").always_there(),
];

/// `urn:ietf:params:scim:schemas:core:2.0:Schema`.
pub static SCHEMA_SCHEMA: Schema = Schema::new(
    "urn:ietf:params:scim:schemas:core:2.0:Schema",
    "Schema",
    "A schema and its attributes",
    &[
        Attribute::string("id", "URN of the schema.").always_there(),
        Attribute::string("name", "The schema's name.").always_there(),
        Attribute::string("description", "The schema in a sentence.").read_only(),
        Attribute::complex("attributes", ATTRIBUTES, "Its attributes.")
            .multi_valued()
            .always_there(),
    ],
);

static ATTRIBUTES: &[Attribute] = &[
    NAME,
    TYPE,
    MULTI_VALUED,
    DESCRIPTION,
    REQUIRED,
    CANONICAL_VALUES,
    CASE_EXACT,
    MUTABILITY,
    RETURNED,
    UNIQUENESS,
    REFERENCE_TYPES,
    Attribute::complex(
        "subAttributes",
        SUB_ATTRIBUTES,
        "Attributes of a complex attribute.",
    )
    .multi_valued()
    .read_only(),
];

static SUB_ATTRIBUTES: &[Attribute] = &[
    NAME,
    TYPE,
    MULTI_VALUED,
    DESCRIPTION,
    REQUIRED,
    CANONICAL_VALUES,
    CASE_EXACT,
    MUTABILITY,
    RETURNED,
    UNIQUENESS,
    REFERENCE_TYPES,
];

const NAME: Attribute = Attribute::string("name", "The attribute's name.")
    .case_exact()
    .always_there();
const TYPE: Attribute = Attribute::string("type", "Its data type.")
    .canonical(&[
        "string",
        "boolean",
        "decimal",
        "integer",
        "dateTime",
        "binary",
        "reference",
        "complex",
    ])
    .always_there();
const MULTI_VALUED: Attribute =
    Attribute::boolean("multiValued", "Whether it has several values.").always_there();
const DESCRIPTION: Attribute = Attribute::string("description", "The attribute in a sentence.")
    .case_exact()
    .read_only();
const REQUIRED: Attribute =
    Attribute::boolean("required", "Whether it must have a value.").read_only();
const CANONICAL_VALUES: Attribute = Attribute::string("canonicalValues", "Suggested values.")
    .multi_valued()
    .case_exact()
    .read_only();
const CASE_EXACT: Attribute =
    Attribute::boolean("caseExact", "Whether upper and lower case differ.").read_only();
const MUTABILITY: Attribute = Attribute::string("mutability", "Who may write it.")
    .canonical(&["readOnly", "readWrite", "immutable", "writeOnly"])
    .case_exact()
    .read_only();
const RETURNED: Attribute = Attribute::string("returned", "When it is returned.")
    .canonical(&["always", "never", "default", "request"])
    .case_exact()
    .read_only();
const UNIQUENESS: Attribute = Attribute::string("uniqueness", "Where a value may occur only once.")
    .canonical(&["none", "server", "global"])
    .case_exact()
    .read_only();
const REFERENCE_TYPES: Attribute =
    Attribute::string("referenceTypes", "What a reference may point to.")
        .multi_valued()
        .case_exact()
        .read_only();
