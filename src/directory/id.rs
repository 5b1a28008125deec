//! Identifiers. Users' and companies' are UUIDv7, so their order is the order of creation.

use std::fmt;

use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes a UUID as identifier.
            #[must_use]
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Returns the identifier itself.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// Reads the canonical form and no other: identifiers are compared exactly.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let id = Self(Uuid::try_parse(text).ok()?);
                (id.to_string() == text).then_some(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }
    };
}

uuid_id! {
    /// Identifies a company.
    CompanyId
}

uuid_id! {
    /// Identifies a user: the SCIM `id`.
    UserId
}

impl UserId {
    /// Returns which of `shards` counters counts this user. The end of a UUIDv7 is random.
    #[must_use]
    pub fn shard(&self, shards: u8) -> u8 {
        let [.., last] = *self.0.as_bytes();
        last % shards
    }
}

/// Identifies an API key: 16 hexadecimal digits, not secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u64);

impl KeyId {
    /// Takes a random number as identifier.
    #[must_use]
    pub const fn new(random: u64) -> Self {
        Self(random)
    }

    /// Returns the identifier as a number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Reads exactly 16 lower-case hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let id = Self(u64::from_str_radix(text, 16).ok()?);
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
