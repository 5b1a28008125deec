//! The only place that builds and reads key strings. Everything begins with the company.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use crate::directory::{CompanyId, KeyId, UserId};
use crate::scim::compare::comparable;
use crate::scim::schema::{Attribute, COMMON_ATTRIBUTES, USER_SCHEMA};

/// Partition key of the table.
pub(super) const PK: &str = "PK";
/// Sort key of the table.
pub(super) const SK: &str = "SK";
/// The one index: sparse, KEYS_ONLY.
pub(super) const INDEX: &str = "ByCompany";
/// Partition key of the index.
pub(super) const INDEX_PK: &str = "ByCompanyPK";
/// Sort key of the index.
pub(super) const INDEX_SK: &str = "ByCompanySK";
/// Number of counters a company's users are spread over, against contention.
pub(super) const COUNTER_SHARDS: u8 = 16;

const COMPANY_SK: &str = "COMPANY";
const AUDIT: &str = "AUDIT#";
/// There is one look-up item of a `userName`, whoever bears it.
const USER_NAME_SK: &str = "USER";

/// Primary key of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) pk: String,
    pub(super) sk: String,
}

/// An attribute that users are found by, without reading any other user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookUp {
    /// Unique in the company.
    UserName,
    /// Not unique.
    ExternalId,
    /// `emails.value`, not unique.
    Email,
}

impl LookUp {
    const fn name(self) -> &'static str {
        match self {
            Self::UserName => "userName",
            Self::ExternalId => "externalId",
            Self::Email => "emails",
        }
    }

    fn attribute(self) -> Option<&'static Attribute> {
        match self {
            Self::UserName => USER_SCHEMA.attribute("userName"),
            Self::ExternalId => COMMON_ATTRIBUTES
                .iter()
                .find(|attribute| attribute.name == "externalId"),
            Self::Email => USER_SCHEMA.attribute("emails")?.sub_attribute("value"),
        }
    }

    /// Partition key of the look-up items for a value. Its SHA-256 keeps keys short and free of
    /// personal data; folding follows the schema's `caseExact`.
    pub(super) fn pk(self, company: CompanyId, value: &str) -> String {
        let comparable = match self.attribute() {
            Some(attribute) => comparable(attribute, value),
            None => value.into(),
        };
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(comparable.as_bytes()));
        format!("COMPANY#{company}#{}#{hash}", self.name())
    }

    /// Key of the look-up item that leads from a value to a user. There can be only one for a
    /// `userName`, whoever bears it: that is what makes it unique.
    pub(super) fn key(self, company: CompanyId, value: &str, user: UserId) -> Key {
        Key {
            pk: self.pk(company, value),
            sk: match self {
                Self::UserName => USER_NAME_SK.to_owned(),
                Self::ExternalId | Self::Email => format!("USER#{user}"),
            },
        }
    }
}

/// Key of the look-up item of a `userName`.
pub(super) fn user_name(company: CompanyId, user_name: &str) -> Key {
    Key {
        pk: LookUp::UserName.pk(company, user_name),
        sk: USER_NAME_SK.to_owned(),
    }
}

/// Whether a sort key is that of a company.
pub(super) fn is_company(sk: &str) -> bool {
    sk == COMPANY_SK
}

/// Reads the user id from the sort key of a look-up that is not unique.
pub(super) fn user_of_look_up(sk: &str) -> Option<UserId> {
    UserId::parse(sk.strip_prefix("USER#")?)
}

pub(super) fn company(company: CompanyId) -> Key {
    Key {
        pk: format!("COMPANY#{company}"),
        sk: COMPANY_SK.to_owned(),
    }
}

pub(super) fn user(company: CompanyId, user: UserId) -> Key {
    Key {
        pk: format!("COMPANY#{company}#USER#{user}"),
        sk: "USER".to_owned(),
    }
}

/// Reads whom an item is about; `None` if it is not the item of a user.
pub(super) fn user_of_item(pk: &str, sk: &str) -> Option<(CompanyId, UserId)> {
    let (company, user) = pk.strip_prefix("COMPANY#")?.split_once("#USER#")?;
    (sk == "USER").then_some((CompanyId::parse(company)?, UserId::parse(user)?))
}

/// Key of an audit record: beside the user it is about, or the company itself.
pub(super) fn audit(
    company: CompanyId,
    user: Option<UserId>,
    at: Timestamp,
    request_id: &str,
) -> Key {
    Key {
        pk: audited_partition(company, user),
        sk: format!("{AUDIT}{}#{request_id}", sortable(at)),
    }
}

/// Partition key of the audit records of a user, or of the company itself.
pub(super) fn audited_partition(company: CompanyId, user: Option<UserId>) -> String {
    match user {
        Some(id) => self::user(company, id).pk,
        None => self::company(company).pk,
    }
}

/// First and last sort key of the audit records from a time on.
pub(super) fn audit_range(since: Timestamp) -> (String, String) {
    let last = format!("{AUDIT}{}", char::MAX);
    (format!("{AUDIT}{}", sortable(since)), last)
}

/// Reads whom an audit record is about (`None`: the company), when it was made and for which
/// request.
pub(super) fn audited<'k>(pk: &str, sk: &'k str) -> Option<(Option<UserId>, Timestamp, &'k str)> {
    let user = match pk.split_once("#USER#") {
        Some((_, user)) => Some(UserId::parse(user)?),
        None => None,
    };
    let (at, request_id) = sk.strip_prefix(AUDIT)?.split_once('#')?;
    Some((user, at.parse().ok()?, request_id))
}

/// Partition key of the counters of a company's users.
pub(super) fn counters(company: CompanyId) -> String {
    format!("COMPANY#{company}#COUNT")
}

pub(super) fn counter(company: CompanyId, shard: u8) -> Key {
    Key {
        pk: counters(company),
        sk: format!("SHARD#{shard}"),
    }
}

pub(super) fn api_key(key: KeyId) -> Key {
    Key {
        pk: format!("KEY#{key}"),
        sk: "KEY".to_owned(),
    }
}

/// Index partition of the companies themselves; sorted by company id.
pub(super) const COMPANIES: &str = "COMPANIES";

/// Index partition of a company's users; sorted by user id.
pub(super) fn users_of(company: CompanyId) -> String {
    format!("COMPANY#{company}#USERS")
}

/// Index partition of a company's API keys; sorted by key id.
pub(super) fn keys_of(company: CompanyId) -> String {
    format!("COMPANY#{company}#KEYS")
}

/// Index partition of one day of a company's audit trail; sorted by time.
pub(super) fn audit_day_of(company: CompanyId, at: Timestamp) -> String {
    format!("COMPANY#{company}#AUDIT#{}", day(at))
}

/// The day of a time, in UTC.
pub(super) fn day(at: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(at).date()
}

/// A time whose text sorts as the time does: always nine digits of a second.
pub(super) fn sortable(at: Timestamp) -> String {
    format!("{at:.9}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_ups_fold_as_the_schema_compares_and_never_show_the_value() {
        let company = CompanyId::parse("018f2d5c-3b1a-7c4e-9f00-000000000001").unwrap();
        let pk = |look_up: LookUp, value| look_up.pk(company, value);
        assert_eq!(
            pk(LookUp::UserName, "Ａda@x.eu"),
            pk(LookUp::UserName, "ada@X.EU")
        );
        assert_eq!(pk(LookUp::Email, "ADA@x.eu"), pk(LookUp::Email, "ada@x.eu"));
        assert_ne!(pk(LookUp::ExternalId, "A1"), pk(LookUp::ExternalId, "a1"));
        assert_ne!(pk(LookUp::UserName, "a"), pk(LookUp::Email, "a"));
        assert!(!pk(LookUp::UserName, "ada@x.eu").contains("ada"));
    }
}
