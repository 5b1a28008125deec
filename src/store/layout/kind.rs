//! What an item is, read from its key, and how a key is shown to people.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::keys::{self, COUNTER_SHARDS, Key};
use super::lookup::{Digest, Lookup, USER_NAME_SK, user_of_lookup};
use crate::directory::{CompanyId, KeyId, UserId};

/// What an item is, by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Company(CompanyId),
    User(CompanyId, UserId),
    /// An audit record.
    Audit(CompanyId),
    Lookup {
        company: CompanyId,
        lookup: Lookup,
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
    /// An unknown item, and the company that its key names, if any.
    Unknown(Option<CompanyId>),
}

impl Kind {
    /// Returns the company whose item it is, if the key says so.
    pub(crate) fn company(self) -> Option<CompanyId> {
        match self {
            Self::Company(company)
            | Self::User(company, _)
            | Self::Audit(company)
            | Self::Lookup { company, .. }
            | Self::Counter(company, _)
            | Self::ScanBudget(company)
            | Self::Foreign(company) => Some(company),
            Self::ApiKey(_) => None,
            Self::Unknown(company) => company,
        }
    }
}

impl Key {
    /// Returns what the item of this key is.
    pub(crate) fn kind(&self) -> Kind {
        if let Some(id) = self.pk.strip_prefix("KEY#") {
            let id = KeyId::parse(id).filter(|_| self.sk == keys::API_KEY_SK);
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
            None if rest.is_empty() && keys::is_company(&self.sk) => Some(Kind::Company(company)),
            None if rest.is_empty() => self.kind_of_audit(company),
            None if rest == keys::COUNT => {
                let mut shards = 0..COUNTER_SHARDS;
                let shard = shards.find(|shard| keys::counter(company, *shard).sk == self.sk)?;
                Some(Kind::Counter(company, shard))
            }
            None if rest == keys::SCANS => {
                let minute = self.sk.strip_prefix(keys::MINUTE)?.parse::<Timestamp>();
                minute.is_ok().then_some(Kind::ScanBudget(company))
            }
            Some(("USER", user)) => {
                let user = UserId::parse(user)?;
                if self.sk == keys::USER_SK {
                    Some(Kind::User(company, user))
                } else if self.sk.starts_with(keys::FOREIGN) {
                    Some(Kind::Foreign(company))
                } else {
                    self.kind_of_audit(company)
                }
            }
            Some((attribute, hash)) => {
                let lookup = Lookup::ALL.iter().find(|it| it.name() == attribute)?;
                let digest = URL_SAFE_NO_PAD.decode(hash).ok()?.try_into().ok()?;
                let user = match lookup {
                    Lookup::UserName if self.sk == USER_NAME_SK => None,
                    Lookup::UserName => return None,
                    Lookup::ExternalId | Lookup::Email => Some(user_of_lookup(&self.sk)?),
                };
                Some(Kind::Lookup {
                    company,
                    lookup: *lookup,
                    digest,
                    user,
                })
            }
            None => None,
        }
    }

    fn kind_of_audit(&self, company: CompanyId) -> Option<Kind> {
        keys::audited(&self.pk, &self.sk).map(|_| Kind::Audit(company))
    }

    /// Returns where the item belongs in the index, if it does.
    pub(crate) fn indexed(&self, company: CompanyId) -> Option<(String, String)> {
        match self.kind() {
            Kind::Company(id) => Some((keys::COMPANIES.to_owned(), id.to_string())),
            Kind::User(company, id) => Some((keys::users_of(company), id.to_string())),
            Kind::ApiKey(id) => Some((keys::keys_of(company), id.to_string())),
            Kind::Audit(company) => {
                let (_, at, _) = keys::audited(&self.pk, &self.sk)?;
                Some((keys::audit_day_of(company, at), keys::sortable(at)))
            }
            _ => None,
        }
    }

    /// Returns the key for people: ids as they are, `<digest>` for a digest, which is pseudonymous personal data, and
    /// only the length of any other part, because another program may have put anything there.
    pub(crate) fn shown(&self) -> (String, String) {
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
        || Lookup::ALL.iter().any(|lookup| lookup.name() == part)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_shows_its_kind_and_no_key_shows_what_is_in_it() {
        let company = CompanyId::parse("018f2d5c-3b1a-7c4e-9f00-000000000001").unwrap();
        let user = UserId::parse("018f2d5c-3b1a-7c4e-9f00-000000000002").unwrap();
        let at: Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
        let id = KeyId::new(7);
        let request = "018f2d5c-3b1a-7c4e-9f00-000000000003";
        let known = [
            (keys::company(company), Kind::Company(company)),
            (keys::user(company, user), Kind::User(company, user)),
            (
                keys::audit(company, None, at, request),
                Kind::Audit(company),
            ),
            (
                keys::audit(company, Some(user), at, request),
                Kind::Audit(company),
            ),
            (keys::counter(company, 15), Kind::Counter(company, 15)),
            (keys::scan_budget(company, at), Kind::ScanBudget(company)),
            (keys::api_key(id), Kind::ApiKey(id)),
        ];
        for (key, kind) in known {
            assert_eq!(key.kind(), kind);
            assert_eq!(key.shown(), (key.pk, key.sk));
        }
        for lookup in Lookup::ALL {
            let key = lookup.key(company, "marker", user);
            let Kind::Lookup {
                lookup: found,
                digest,
                user: whose,
                ..
            } = key.kind()
            else {
                panic!("{key:?}");
            };
            assert_eq!(lookup, found);
            assert_eq!(whose.is_none(), lookup == Lookup::UserName);
            assert_eq!(lookup.key_of_digest(company, &digest, user), key);
            let digest = key.pk.rsplit('#').next().unwrap();
            let pk = key.pk.replace(digest, "<digest>");
            assert_eq!(key.shown(), (pk, key.sk.clone()));
        }
        let of_user = keys::user(company, user).pk;
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
            (&keys::counter(company, 0).pk, "SHARD#16"),
            (&keys::scan_budget(company, at).pk, "MINUTE#marker"),
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
