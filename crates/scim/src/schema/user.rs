//! The core user schema (RFC 7643 §4.1).

use super::attribute::{Attribute, Schema, Type};

/// `urn:ietf:params:scim:schemas:core:2.0:User`, without `password`: users who sign in through an identity provider
/// have none, so one that is sent is ignored like any unknown attribute.
///
/// It lists `emails.display` and the other `display` as RFC 7643 §8.7.1 does.
pub static USER_SCHEMA: Schema = Schema::new(
    "urn:ietf:params:scim:schemas:core:2.0:User",
    "User",
    "User Account",
    &[
        Attribute::string(
            "userName",
            "The name the user signs in with; unique, compared without regard to case.",
        )
        .required()
        .unique(),
        Attribute::complex("name", NAME, "The components of the user's name."),
        Attribute::string("displayName", "The name shown to other people."),
        Attribute::string("nickName", "The casual way to address the user."),
        Attribute::reference(
            "profileUrl",
            &["external"],
            "URL of the user's online profile.",
        ),
        Attribute::string("title", "The user's title, such as 'Vice President'."),
        Attribute::string(
            "userType",
            "The relationship between organization and user.",
        ),
        Attribute::string(
            "preferredLanguage",
            "The user's preferred languages, as in the HTTP Accept-Language header.",
        ),
        Attribute::string("locale", "The user's locale, such as 'en-US'."),
        Attribute::string("timezone", "The user's time zone, such as 'Europe/Paris'."),
        Attribute::boolean(
            "active",
            "Whether the user may sign in. False deactivates the account; true restores it.",
        )
        .with_default(),
        Attribute::complex("emails", EMAILS, "Email addresses.").multi_valued(),
        Attribute::complex("phoneNumbers", PHONE_NUMBERS, "Phone numbers.").multi_valued(),
        Attribute::complex("ims", IMS, "Instant messaging addresses.").multi_valued(),
        Attribute::complex("photos", PHOTOS, "URLs of photos of the user.").multi_valued(),
        Attribute::complex("addresses", ADDRESSES, "Mailing addresses.").multi_valued(),
        Attribute::complex("groups", GROUPS, "Groups the user belongs to.")
            .multi_valued()
            .read_only(),
        Attribute::complex("entitlements", ENTITLEMENTS, "Things the user has.").multi_valued(),
        Attribute::complex("roles", ROLES, "Who the user is, such as 'Student'.").multi_valued(),
        Attribute::complex(
            "x509Certificates",
            CERTIFICATES,
            "Certificates of the user.",
        )
        .multi_valued(),
    ],
)
.older_urns(&[
    "urn:ietf:params:scim:schemas:core:1.0:User",
    "urn:scim:schemas:core:2.0:User",
    "urn:scim:schemas:core:2.0",
    "urn:scim:schemas:core:1.0",
]);

static NAME: &[Attribute] = &[
    Attribute::string("formatted", "The full name, formatted for display."),
    Attribute::string("familyName", "The family name, or last name."),
    Attribute::string("givenName", "The given name, or first name."),
    Attribute::string("middleName", "The middle names."),
    Attribute::string("honorificPrefix", "The title, such as 'Ms.'."),
    Attribute::string("honorificSuffix", "The suffix, such as 'III'."),
];

const DISPLAY: Attribute = Attribute::string("display", "A name for people to read.");
const TYPE: Attribute = Attribute::string("type", "What the value is for.");
const PRIMARY: Attribute = Attribute::boolean(
    "primary",
    "Whether this is the preferred value; true at most once.",
);

static EMAILS: &[Attribute] = &[
    Attribute::string("value", "The email address."),
    DISPLAY,
    TYPE.canonical(&["work", "home", "other"]),
    PRIMARY,
];

static PHONE_NUMBERS: &[Attribute] = &[
    Attribute::string("value", "The phone number."),
    DISPLAY,
    TYPE.canonical(&["work", "home", "mobile", "fax", "pager", "other"]),
    PRIMARY,
];

static IMS: &[Attribute] = &[
    Attribute::string("value", "The instant messaging address."),
    DISPLAY,
    TYPE.canonical(&["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"]),
    PRIMARY,
];

static PHOTOS: &[Attribute] = &[
    Attribute::reference("value", &["external"], "URL of the photo."),
    DISPLAY,
    TYPE.canonical(&["photo", "thumbnail"]),
    PRIMARY,
];

static ADDRESSES: &[Attribute] = &[
    Attribute::string("formatted", "The full address, formatted for display."),
    Attribute::string("streetAddress", "Street, house number and the like."),
    Attribute::string("locality", "City or locality."),
    Attribute::string("region", "State or region."),
    Attribute::string("postalCode", "Zip code or postal code."),
    Attribute::string("country", "Country."),
    TYPE.canonical(&["work", "home", "other"]),
    PRIMARY,
];

static GROUPS: &[Attribute] = &[
    Attribute::string("value", "The group's identifier.").read_only(),
    Attribute::reference("$ref", &["Group"], "URL of the group.").read_only(),
    DISPLAY.read_only(),
    TYPE.canonical(&["direct", "indirect"]).read_only(),
];

static ENTITLEMENTS: &[Attribute] = &[
    Attribute::string("value", "The entitlement."),
    DISPLAY,
    TYPE,
    PRIMARY,
];

static ROLES: &[Attribute] = &[
    Attribute::string("value", "The role."),
    DISPLAY,
    TYPE,
    PRIMARY,
];

static CERTIFICATES: &[Attribute] = &[
    Attribute::new(
        "value",
        Type::Binary,
        "The certificate, DER encoded, in base64.",
    )
    .case_exact(),
    DISPLAY,
    TYPE,
    PRIMARY,
];
