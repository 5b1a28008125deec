//! Key strings. Each begins with the company, except those of API keys. `kind` reads them, `lookup` has those of
//! lookup items.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::directory::{CompanyId, KeyId, UserId};

/// Number of counters a company's users are spread over, against contention. [`UserId::shard`] is a user's counter.
pub const COUNTER_SHARDS: u8 = 16;

pub(super) const API_KEY_SK: &str = "KEY";
const COMPANY_SK: &str = "COMPANY";
pub(super) const USER_SK: &str = "USER";
const AUDIT: &str = "AUDIT#";
pub(super) const COUNT: &str = "COUNT";
pub(super) const SCANS: &str = "SCANS";
/// Sort keys of scan budgets begin so, before the minute.
pub(super) const MINUTE: &str = "MINUTE#";
/// What other programs keep about a user is beside the user, under sort keys that begin so.
pub(super) const FOREIGN: &str = "APP#";
/// The primary key of an item. Keys are ordered by partition key, then by sort key, each by its UTF-8 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The partition key.
    pub pk: String,
    /// The sort key.
    pub sk: String,
}

/// Returns whether a sort key is that of a company.
pub(crate) fn is_company(sk: &str) -> bool {
    sk == COMPANY_SK
}

pub(crate) fn company(company: CompanyId) -> Key {
    Key {
        pk: format!("COMPANY#{company}"),
        sk: COMPANY_SK.to_owned(),
    }
}

pub(crate) fn user(company: CompanyId, user: UserId) -> Key {
    Key {
        pk: format!("COMPANY#{company}#USER#{user}"),
        sk: USER_SK.to_owned(),
    }
}

/// Returns the key of an audit record: beside the user it is about, or the company itself.
pub(crate) fn audit(
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

/// Returns the partition key of the audit records of a user, or of the company itself.
pub(crate) fn audited_partition(company: CompanyId, user: Option<UserId>) -> String {
    match user {
        Some(id) => self::user(company, id).pk,
        None => self::company(company).pk,
    }
}

/// Returns the first and last sort key of the audit records from a time on.
pub(crate) fn audit_range(since: Timestamp) -> (String, String) {
    let last = format!("{AUDIT}{}", char::MAX);
    (format!("{AUDIT}{}", sortable(since)), last)
}

/// Reads from the key of an audit record which user it is about (`None`: the company), when it was made, and for
/// which request.
pub(crate) fn audited<'k>(pk: &str, sk: &'k str) -> Option<(Option<UserId>, Timestamp, &'k str)> {
    let user = match pk.split_once("#USER#") {
        Some((_, user)) => Some(UserId::parse(user)?),
        None => None,
    };
    let (at, request_id) = sk.strip_prefix(AUDIT)?.split_once('#')?;
    Some((user, at.parse().ok()?, request_id))
}

/// Returns the partition key of the counters of a company's users.
pub(crate) fn counters(company: CompanyId) -> String {
    format!("COMPANY#{company}#{COUNT}")
}

pub(crate) fn counter(company: CompanyId, shard: u8) -> Key {
    Key {
        pk: counters(company),
        sk: format!("SHARD#{shard}"),
    }
}

/// Returns the key of what a company's scans have drawn in the minute that begins then.
pub(crate) fn scan_budget(company: CompanyId, minute: Timestamp) -> Key {
    Key {
        pk: format!("COMPANY#{company}#{SCANS}"),
        sk: format!("{MINUTE}{minute}"),
    }
}

pub(crate) fn api_key(key: KeyId) -> Key {
    Key {
        pk: format!("KEY#{key}"),
        sk: API_KEY_SK.to_owned(),
    }
}

/// Index partition of the companies themselves; sorted by company id.
pub(crate) const COMPANIES: &str = "COMPANIES";

/// Returns the index partition of a company's users; sorted by user id.
pub(crate) fn users_of(company: CompanyId) -> String {
    format!("COMPANY#{company}#USERS")
}

/// Returns the index partition of a company's API keys; sorted by key id.
pub(crate) fn keys_of(company: CompanyId) -> String {
    format!("COMPANY#{company}#KEYS")
}

/// Returns the index partition of one day of a company's audit trail; sorted by time.
pub(crate) fn audit_day_of(company: CompanyId, at: Timestamp) -> String {
    format!("COMPANY#{company}#AUDIT#{}", day(at))
}

/// Returns the day of a time, in UTC.
pub(crate) fn day(at: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(at).date()
}

/// Returns a time whose text sorts as the time does: always nine digits of a second.
pub(crate) fn sortable(at: Timestamp) -> String {
    format!("{at:.9}")
}
