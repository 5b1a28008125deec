//! What needs attention, most urgent first, each with the command that puts it right.

use jiff::Timestamp;
use maud::{Markup, html};
use paradigm_scim::directory::api_key::WARNING_DAYS;
use paradigm_scim::directory::{ApiKey, Company, CompanyStatus};

use super::commands::{Commands, shown};
use super::companies::{linked, suspend_or_resume};
use super::keys::{TimeLeft, create, named, revoke, rotate};
use super::page::badge;
use super::text::{day, days_between};

/// Most things that are shown.
pub(super) const SHOWN: usize = 30;
/// After how many days without use a key may not be needed any more.
const UNUSED_DAYS: i32 = 30;

/// Something that needs attention.
struct Concern {
    urgency: Urgency,
    text: Markup,
    command: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    /// Requests are refused.
    Now,
    /// Requests will be refused.
    Soon,
    /// A key lies about.
    Sometime,
}

/// A company with its keys, as far as they were read.
pub(super) struct Keyring<'k> {
    pub(super) company: &'k Company,
    pub(super) keys: &'k [ApiKey],
    /// Whether these are all of the company's keys.
    pub(super) is_complete: bool,
}

/// Shows what needs attention.
pub(super) fn list(keyrings: &[Keyring<'_>], commands: &Commands, now: Timestamp) -> Markup {
    let concerns = keyrings
        .iter()
        .flat_map(|keyring| concerns(keyring, commands, now));
    let mut concerns: Vec<Concern> = concerns.collect();
    concerns.sort_by_key(|concern| concern.urgency);
    let more = concerns.len().saturating_sub(SHOWN);
    html! {
        @if concerns.is_empty() {
            p { (badge("good", "nothing")) " No key expires within " (WARNING_DAYS) " days, and none is unused." }
        } @else {
            ul.attention {
                @for concern in concerns.iter().take(SHOWN) {
                    li { (concern.text) (shown(&concern.command)) }
                }
            }
            @if more > 0 { p { "And " (more) " more: see the keys of each company." } }
        }
    }
}

fn concerns(keyring: &Keyring<'_>, commands: &Commands, now: Timestamp) -> Vec<Concern> {
    let company = keyring.company;
    let mut concerns = Vec::new();
    if company.status == CompanyStatus::Suspended {
        concerns.push(Concern {
            urgency: Urgency::Now,
            text: html! { p { (badge("bad", "suspended")) " All requests of " (linked(company)) " are refused." } },
            command: suspend_or_resume(commands, company),
        });
    }
    let has_valid = keyring
        .keys
        .iter()
        .any(|key| TimeLeft::of(key, now).is_valid());
    if !has_valid && keyring.is_complete {
        concerns.push(Concern {
            urgency: Urgency::Now,
            text: html! { p { (badge("bad", "no key")) " " (linked(company)) " has no valid key, so nothing can be provisioned." } },
            command: create(commands, company.id, None),
        });
    }
    let of_keys = keyring.keys.iter();
    concerns.extend(of_keys.filter_map(|key| concern_of(key, company, commands, now)));
    concerns
}

/// Returns what is to be done about a key.
fn concern_of(
    key: &ApiKey,
    company: &Company,
    commands: &Commands,
    now: Timestamp,
) -> Option<Concern> {
    let left = TimeLeft::of(key, now);
    let last_used = key.last_used.unwrap_or(day(key.created));
    let unused_days = days_between(last_used, day(now));
    let about = html! { "key " (named(key)) " of " (linked(company)) };
    let (rotate, revoke) = (
        rotate(commands, company.id, key.id),
        revoke(commands, company.id, key.id),
    );
    let (urgency, text, command) = match left {
        TimeLeft::Revoked => return None,
        TimeLeft::Expired if unused_days <= UNUSED_DAYS => (
            Urgency::Now,
            html! { " The " (about) " is no longer accepted." },
            create(commands, company.id, Some(key.owner)),
        ),
        TimeLeft::Expired => (
            Urgency::Sometime,
            html! { " The " (about) " is no longer accepted." },
            revoke,
        ),
        TimeLeft::Days(days) if days <= WARNING_DAYS && unused_days <= UNUSED_DAYS => (
            Urgency::Soon,
            html! { " The " (about) " expires soon." },
            rotate,
        ),
        TimeLeft::Days(_) | TimeLeft::Unlimited if unused_days > UNUSED_DAYS => {
            let text = html! { (badge("warn", "unused")) " The " (about) " was not used for " (unused_days) " days. Is it still needed?" };
            return Some(Concern {
                urgency: Urgency::Sometime,
                text: html! { p { (text) } },
                command: revoke,
            });
        }
        TimeLeft::Days(_) | TimeLeft::Unlimited => return None,
    };
    Some(Concern {
        urgency,
        text: html! { p { (left.shown()) (text) } },
        command,
    })
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;
    use paradigm_scim::directory::{CompanyId, CursorSecret, KeyId, Token, UserId};
    use uuid::Uuid;

    use super::*;

    const NOW: &str = "2026-06-15T12:00:00Z";

    /// Returns a key by the days to its expiry, and since its last use.
    fn key(id: u64, company: CompanyId, expires: Option<i64>, used: Option<i64>) -> ApiKey {
        let now: Timestamp = NOW.parse().unwrap();
        let created = now - 2400.hours();
        let owner = UserId::new(Uuid::now_v7());
        let token = Token::new(KeyId::new(id), &[1; 32]);
        let mut key = ApiKey::new(&token, "K", company, owner, None, created).unwrap();
        key.expires = expires.map(|days| now + (24 * days).hours());
        key.last_used = used.map(|days| day(now - (24 * days).hours()));
        key
    }

    fn shown_for(keys: &[ApiKey], company: &Company, is_complete: bool) -> String {
        let keyring = Keyring {
            company,
            keys,
            is_complete,
        };
        list(&[keyring], &Commands::in_memory(), NOW.parse().unwrap()).0
    }

    fn company() -> Company {
        let id = CompanyId::new(Uuid::now_v7());
        let now: Timestamp = NOW.parse().unwrap();
        Company::new(id, "Acme", CursorSecret([0; 32]), now).unwrap()
    }

    #[test]
    fn each_need_comes_with_the_command_that_helps() {
        let mut company = company();
        let id = company.id;
        let used = key(9, id, None, Some(0));
        for (about, extra, text, command) in [
            ("all is well", None, "nothing", None),
            (
                "soon",
                Some(key(1, id, Some(29), Some(0))),
                "29 days",
                Some("key rotate 0000000000000001"),
            ),
            ("far", Some(key(1, id, Some(31), Some(0))), "nothing", None),
            (
                "expired and in use",
                Some(key(1, id, Some(-1), Some(2))),
                "no longer accepted",
                Some("key create"),
            ),
            (
                "expired long ago",
                Some(key(1, id, Some(-40), Some(41))),
                "no longer accepted",
                Some("key revoke"),
            ),
            (
                "unused",
                Some(key(1, id, None, Some(31))),
                "was not used for 31 days",
                Some("key revoke"),
            ),
            (
                "never used",
                Some(key(1, id, None, None)),
                "was not used for 100 days",
                Some("key revoke"),
            ),
            (
                "used lately",
                Some(key(1, id, None, Some(30))),
                "nothing",
                None,
            ),
        ] {
            let keys: Vec<ApiKey> = [used.clone()].into_iter().chain(extra).collect();
            let shown = shown_for(&keys, &company, true);
            assert!(shown.contains(text), "{about}: {shown}");
            match command {
                Some(command) => assert!(shown.contains(command), "{about}: {shown}"),
                None => assert!(!shown.contains("paradigm-scim"), "{about}: {shown}"),
            }
        }
        let without = shown_for(&[], &company, true);
        assert!(without.contains("no valid key") && without.contains("key create"));
        assert!(!shown_for(&[], &company, false).contains("no valid key"));
        company.status = CompanyStatus::Suspended;
        let suspended = shown_for(&[used], &company, true);
        assert!(
            suspended.contains(&format!("company resume {id}")),
            "{suspended}"
        );
    }

    #[test]
    fn what_is_urgent_comes_first_and_the_list_ends() {
        let company = company();
        let unused = (1..=100).map(|number| key(number, company.id, None, None));
        let expiring = key(999, company.id, Some(3), Some(0));
        let keys: Vec<ApiKey> = unused.chain([expiring]).collect();
        let shown = shown_for(&keys, &company, true);
        assert_eq!(shown.matches("<li>").count(), SHOWN);
        assert!(shown.contains("And 71 more"), "{shown}");
        let first = shown.find("<li>").unwrap();
        let second = shown[first + 1..].find("<li>").unwrap() + first;
        assert!(shown[first..second].contains("3 days"), "{shown}");
    }
}
