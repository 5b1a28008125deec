//! The only place that builds and reads key strings. Everything begins with the company.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use scim::compare::comparable;
use scim::schema::{Attribute, COMMON_ATTRIBUTES, USER_SCHEMA};
use sha2::{Digest as _, Sha256};

use crate::directory::{CompanyId, KeyId, UserId};

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

const API_KEY_SK: &str = "KEY";
const COMPANY_SK: &str = "COMPANY";
const USER_SK: &str = "USER";
const AUDIT: &str = "AUDIT#";
const COUNT: &str = "COUNT";
const SCANS: &str = "SCANS";
/// Sort keys of scan budgets begin so, before the minute.
const MINUTE: &str = "MINUTE#";
/// What other programs keep about a user is beside the user, under sort keys that begin so.
const FOREIGN: &str = "APP#";
/// There is one look-up item of a `userName`, whoever bears it.
const USER_NAME_SK: &str = "USER";

/// Primary key of an item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) pk: String,
    pub(super) sk: String,
}

/// What is stored of a look-up's value.
pub(super) type Digest = [u8; 32];

/// An attribute that users are found by, without reading any other user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LookUp {
    /// Unique in the company.
    UserName,
    /// Not unique.
    ExternalId,
    /// `emails.value`, not unique.
    Email,
}

impl LookUp {
    const ALL: [Self; 3] = [Self::UserName, Self::ExternalId, Self::Email];

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
        self.partition(company, &Sha256::digest(comparable.as_bytes()).into())
    }

    fn partition(self, company: CompanyId, digest: &Digest) -> String {
        let hash = URL_SAFE_NO_PAD.encode(digest);
        format!("COMPANY#{company}#{}#{hash}", self.name())
    }

    /// Key of the look-up item that leads from a value to a user. There can be only one for a
    /// `userName`, whoever bears it: that is what makes it unique.
    pub(super) fn key(self, company: CompanyId, value: &str, user: UserId) -> Key {
        Key {
            pk: self.pk(company, value),
            sk: self.sk(user),
        }
    }

    /// The same key, of a value that only its digest is known of.
    pub(super) fn key_of_digest(self, company: CompanyId, digest: &Digest, user: UserId) -> Key {
        Key {
            pk: self.partition(company, digest),
            sk: self.sk(user),
        }
    }

    fn sk(self, user: UserId) -> String {
        match self {
            Self::UserName => USER_NAME_SK.to_owned(),
            Self::ExternalId | Self::Email => format!("USER#{user}"),
        }
    }
}

/// What an item is, by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Company(CompanyId),
    User(CompanyId, UserId),
    /// An audit record.
    Audit(CompanyId),
    LookUp {
        company: CompanyId,
        look_up: LookUp,
        digest: Digest,
        /// Whose, if the key says so: that of a `userName` does not.
        user: Option<UserId>,
    },
    Counter(CompanyId, u8),
    /// What a company's scans have drawn in one minute.
    ScanBudget(CompanyId),
    ApiKey(KeyId),
    /// What another program keeps about a user.
    Foreign(CompanyId),
    /// None of these; of this company, if it is any's.
    Unknown(Option<CompanyId>),
}

impl Kind {
    /// The company whose item it is, if the key says so.
    pub(super) fn company(self) -> Option<CompanyId> {
        match self {
            Self::Company(company)
            | Self::User(company, _)
            | Self::Audit(company)
            | Self::LookUp { company, .. }
            | Self::Counter(company, _)
            | Self::ScanBudget(company)
            | Self::Foreign(company) => Some(company),
            Self::ApiKey(_) => None,
            Self::Unknown(company) => company,
        }
    }
}

impl Key {
    /// What the item of this key is.
    pub(super) fn kind(&self) -> Kind {
        if let Some(id) = self.pk.strip_prefix("KEY#") {
            let id = KeyId::parse(id).filter(|_| self.sk == API_KEY_SK);
            return id.map_or(Kind::Unknown(None), Kind::ApiKey);
        }
        let Some(rest) = self.pk.strip_prefix("COMPANY#") else {
            return Kind::Unknown(None);
        };
        let (company, rest) = rest.split_once('#').unwrap_or((rest, ""));
        let Some(company) = CompanyId::parse(company) else {
            return Kind::Unknown(None);
        };
        let within = self.kind_within(company, rest);
        within.unwrap_or(Kind::Unknown(Some(company)))
    }

    fn kind_within(&self, company: CompanyId, rest: &str) -> Option<Kind> {
        match rest.split_once('#') {
            None if rest.is_empty() && is_company(&self.sk) => Some(Kind::Company(company)),
            None if rest.is_empty() => self.kind_of_audit(company),
            None if rest == COUNT => {
                let mut shards = 0..COUNTER_SHARDS;
                let shard = shards.find(|shard| counter(company, *shard).sk == self.sk)?;
                Some(Kind::Counter(company, shard))
            }
            None if rest == SCANS => {
                let minute = self.sk.strip_prefix(MINUTE)?.parse::<Timestamp>();
                minute.is_ok().then_some(Kind::ScanBudget(company))
            }
            Some(("USER", user)) => {
                let user = UserId::parse(user)?;
                if self.sk == USER_SK {
                    Some(Kind::User(company, user))
                } else if self.sk.starts_with(FOREIGN) {
                    Some(Kind::Foreign(company))
                } else {
                    self.kind_of_audit(company)
                }
            }
            Some((attribute, hash)) => {
                let look_up = LookUp::ALL.iter().find(|it| it.name() == attribute)?;
                let digest = URL_SAFE_NO_PAD.decode(hash).ok()?.try_into().ok()?;
                let user = match look_up {
                    LookUp::UserName if self.sk == USER_NAME_SK => None,
                    LookUp::UserName => return None,
                    LookUp::ExternalId | LookUp::Email => Some(user_of_look_up(&self.sk)?),
                };
                Some(Kind::LookUp {
                    company,
                    look_up: *look_up,
                    digest,
                    user,
                })
            }
            None => None,
        }
    }

    fn kind_of_audit(&self, company: CompanyId) -> Option<Kind> {
        audited(&self.pk, &self.sk).map(|_| Kind::Audit(company))
    }

    /// Where the item belongs in the index, if it does.
    pub(super) fn indexed(&self, company: CompanyId) -> Option<(String, String)> {
        match self.kind() {
            Kind::Company(id) => Some((COMPANIES.to_owned(), id.to_string())),
            Kind::User(company, id) => Some((users_of(company), id.to_string())),
            Kind::ApiKey(id) => Some((keys_of(company), id.to_string())),
            Kind::Audit(company) => {
                let (_, at, _) = audited(&self.pk, &self.sk)?;
                Some((audit_day_of(company, at), sortable(at)))
            }
            _ => None,
        }
    }

    /// The key for people: ids as they are, `<digest>` for a digest, which is pseudonymous personal data, and only the
    /// length of any other part, because another program may have put anything there.
    pub(super) fn shown(&self) -> (String, String) {
        let shown = |text: &str| {
            let parts = text.split('#').map(shown_part);
            parts.collect::<Vec<_>>().join("#")
        };
        (shown(&self.pk), shown(&self.sk))
    }
}

fn shown_part(part: &str) -> String {
    let words = [
        "APP", "AUDIT", "COMPANY", "COUNT", "KEY", "MINUTE", "SCANS", "SHARD", "USER",
    ];
    let is_digest = || URL_SAFE_NO_PAD.decode(part).is_ok_and(|it| it.len() == 32);
    let is_ours = words.contains(&part)
        || LookUp::ALL.iter().any(|look_up| look_up.name() == part)
        || part.parse::<u8>().is_ok()
        || KeyId::parse(part).is_some()
        || UserId::parse(part).is_some()
        || part.parse::<Timestamp>().is_ok();
    match part.chars().count() {
        _ if is_ours => part.to_owned(),
        _ if is_digest() => "<digest>".to_owned(),
        0 => String::new(),
        length => format!("<{length} characters>"),
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
        sk: USER_SK.to_owned(),
    }
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
    format!("COMPANY#{company}#{COUNT}")
}

pub(super) fn counter(company: CompanyId, shard: u8) -> Key {
    Key {
        pk: counters(company),
        sk: format!("SHARD#{shard}"),
    }
}

/// Key of what a company's scans have drawn in the minute that begins then.
pub(super) fn scan_budget(company: CompanyId, minute: Timestamp) -> Key {
    Key {
        pk: format!("COMPANY#{company}#{SCANS}"),
        sk: format!("{MINUTE}{minute}"),
    }
}

pub(super) fn api_key(key: KeyId) -> Key {
    Key {
        pk: format!("KEY#{key}"),
        sk: API_KEY_SK.to_owned(),
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

    #[test]
    fn every_key_tells_what_it_is_of_and_no_other_shows_what_is_in_it() {
        let company = CompanyId::parse("018f2d5c-3b1a-7c4e-9f00-000000000001").unwrap();
        let user = UserId::parse("018f2d5c-3b1a-7c4e-9f00-000000000002").unwrap();
        let at: Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
        let id = KeyId::new(7);
        let request = "018f2d5c-3b1a-7c4e-9f00-000000000003";
        let known = [
            (self::company(company), Kind::Company(company)),
            (self::user(company, user), Kind::User(company, user)),
            (audit(company, None, at, request), Kind::Audit(company)),
            (
                audit(company, Some(user), at, request),
                Kind::Audit(company),
            ),
            (counter(company, 15), Kind::Counter(company, 15)),
            (scan_budget(company, at), Kind::ScanBudget(company)),
            (api_key(id), Kind::ApiKey(id)),
        ];
        for (key, kind) in known {
            assert_eq!(key.kind(), kind);
            assert_eq!(key.shown(), (key.pk, key.sk));
        }
        for look_up in LookUp::ALL {
            let key = look_up.key(company, "marker", user);
            let Kind::LookUp {
                look_up: found,
                digest,
                user: whose,
                ..
            } = key.kind()
            else {
                panic!("{key:?}");
            };
            assert_eq!(look_up, found);
            assert_eq!(whose.is_none(), look_up == LookUp::UserName);
            assert_eq!(look_up.key_of_digest(company, &digest, user), key);
            let digest = key.pk.rsplit('#').next().unwrap();
            let pk = key.pk.replace(digest, "<digest>");
            assert_eq!(key.shown(), (pk, key.sk.clone()));
        }
        let of_user = self::user(company, user).pk;
        let foreign = Key {
            pk: of_user.clone(),
            sk: "APP#marker@example.com".to_owned(),
        };
        assert_eq!(foreign.kind(), Kind::Foreign(company));
        let unknown = [
            ("marker@example.com", "x"),
            ("KEY#marker", "KEY"),
            ("COMPANY#marker", "COMPANY"),
            (&of_user, "marker"),
            (&counter(company, 0).pk, "SHARD#16"),
            (&scan_budget(company, at).pk, "MINUTE#marker"),
        ];
        for (pk, sk) in unknown {
            let key = Key {
                pk: pk.to_owned(),
                sk: sk.to_owned(),
            };
            assert!(matches!(key.kind(), Kind::Unknown(_)), "{key:?}");
            let (pk, sk) = key.shown();
            assert!(
                !pk.contains("marker") && !sk.contains("marker"),
                "{pk} {sk}"
            );
        }
    }
}
