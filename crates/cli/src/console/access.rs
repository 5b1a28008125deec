//! Who may see the console: a link that works once, and the session that it begins.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use paradigm_scim::config::Moment;
use subtle::ConstantTimeEq as _;

use crate::Failure;

/// How long a link works.
pub(crate) const LINK_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// How long a session lasts without a request.
pub(crate) const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);
/// How long a session lasts at most.
pub(crate) const SESSION_LIFETIME: Duration = Duration::from_secs(8 * 60 * 60);
/// Most sessions at a time: a new one ends the oldest.
pub(crate) const MAX_SESSIONS: usize = 8;

/// 256 random bits in hexadecimal digits. It has no `Debug`, so nothing logs it.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn random() -> Result<Self, Failure> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        let mut digits = String::with_capacity(64);
        for byte in bytes {
            write!(digits, "{byte:02x}")?;
        }
        Ok(Self(digits))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares in the same time wherever the texts differ.
    fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

struct Link {
    secret: Secret,
    made: Moment,
    is_used: bool,
}

struct Session {
    secret: Secret,
    began: Moment,
    last_request: Moment,
}

impl Session {
    fn is_over(&self, now: Moment) -> bool {
        age(self.began, now) >= SESSION_LIFETIME || age(self.last_request, now) >= SESSION_IDLE
    }
}

/// What a link led to.
pub(crate) enum LinkUse {
    /// A session began.
    Session(Secret),
    /// It was used before.
    Used,
    /// Its time is over.
    Expired,
    /// It was never made here, or a newer one has replaced it.
    Unknown,
}

/// The link that works now, and the sessions.
#[derive(Default)]
pub(crate) struct Access {
    link: Mutex<Option<Link>>,
    sessions: Mutex<VecDeque<Session>>,
}

impl Access {
    /// Makes a link, which replaces the one before. Sessions go on.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(crate) fn new_link(&self, now: Moment) -> Result<Secret, Failure> {
        let secret = Secret::random()?;
        *locked(&self.link) = Some(Link {
            secret: secret.clone(),
            made: now,
            is_used: false,
        });
        Ok(secret)
    }

    /// Uses a link, which begins a session if the link is good.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(crate) fn use_link(&self, text: &str, now: Moment) -> Result<LinkUse, Failure> {
        let mut link = locked(&self.link);
        let Some(link) = link.as_mut().filter(|link| link.secret.is(text)) else {
            return Ok(LinkUse::Unknown);
        };
        if link.is_used {
            return Ok(LinkUse::Used);
        }
        if age(link.made, now) >= LINK_LIFETIME {
            return Ok(LinkUse::Expired);
        }
        let secret = Secret::random()?;
        link.is_used = true;
        let mut sessions = locked(&self.sessions);
        sessions.retain(|session| !session.is_over(now));
        if sessions.len() >= MAX_SESSIONS {
            sessions.pop_front();
        }
        sessions.push_back(Session {
            secret: secret.clone(),
            began: now,
            last_request: now,
        });
        Ok(LinkUse::Session(secret))
    }

    /// Returns whether a cookie's value is a session's, which then goes on.
    pub(crate) fn admits(&self, cookie: &str, now: Moment) -> bool {
        let mut sessions = locked(&self.sessions);
        sessions.retain(|session| !session.is_over(now));
        match sessions
            .iter_mut()
            .find(|session| session.secret.is(cookie))
        {
            Some(session) => {
                session.last_request = now;
                true
            }
            None => false,
        }
    }

    /// Ends a session.
    pub(crate) fn end(&self, cookie: &str) {
        locked(&self.sessions).retain(|session| !session.secret.is(cookie));
    }
}

/// Returns the time from one moment to another, by the clock that says more: one of them may have been set, and the other
/// may stand still while the machine sleeps.
fn age(from: Moment, to: Moment) -> Duration {
    let by_wall = to.wall.duration_since(from.wall);
    let by_wall = Duration::try_from(by_wall).unwrap_or_default();
    by_wall.max(to.monotonic.saturating_sub(from.monotonic))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    fn at(seconds: u64) -> Moment {
        let passed = SignedDuration::from_secs(seconds.cast_signed());
        Moment {
            wall: Timestamp::UNIX_EPOCH + passed,
            monotonic: Duration::from_secs(seconds),
        }
    }

    fn session(access: &Access, now: Moment) -> Secret {
        let link = access.new_link(now).unwrap();
        match access.use_link(link.as_str(), now).unwrap() {
            LinkUse::Session(secret) => secret,
            _ => panic!("the link does not work"),
        }
    }

    #[test]
    fn a_link_works_once_and_for_ten_minutes() {
        let access = Access::default();
        let link = access.new_link(at(0)).unwrap();
        let uses = |link: &Secret, now| access.use_link(link.as_str(), now).unwrap();
        assert!(matches!(uses(&link, at(599)), LinkUse::Session(_)));
        assert!(matches!(uses(&link, at(599)), LinkUse::Used));
        let late = access.new_link(at(0)).unwrap();
        assert!(matches!(uses(&late, at(600)), LinkUse::Expired));
        assert!(matches!(uses(&link, at(0)), LinkUse::Unknown));
        assert!(matches!(
            access.use_link("", at(0)).unwrap(),
            LinkUse::Unknown
        ));
    }

    #[test]
    fn a_session_ends_without_requests_and_after_eight_hours_whatever_happens() {
        let access = Access::default();
        let secret = session(&access, at(0));
        assert!(access.admits(secret.as_str(), at(1799)));
        assert!(!access.admits(secret.as_str(), at(1799 + 1800)));
        let busy = session(&access, at(0));
        let last = (0..28_800).step_by(1000).last().unwrap();
        for now in (0..=last).step_by(1000) {
            assert!(access.admits(busy.as_str(), at(now)), "{now}");
        }
        assert!(!access.admits(busy.as_str(), at(28_800)));
    }

    /// A machine that slept has a monotonic clock that stood still; one whose clock was set back has not gained time.
    #[test]
    fn either_clock_ends_what_is_too_old() {
        let access = Access::default();
        let slept = Moment {
            monotonic: Duration::from_secs(1),
            ..at(600)
        };
        let set_back = Moment {
            monotonic: Duration::from_secs(600),
            ..at(0)
        };
        for now in [slept, set_back] {
            let link = access.new_link(at(0)).unwrap();
            let used = access.use_link(link.as_str(), now).unwrap();
            assert!(matches!(used, LinkUse::Expired), "{now:?}");
        }
    }

    #[test]
    fn the_ninth_session_ends_the_first_and_a_session_can_be_ended() {
        let access = Access::default();
        let sessions: Vec<_> = (0..9).map(|_| session(&access, at(0))).collect();
        let admitted = || {
            sessions
                .iter()
                .map(|secret| access.admits(secret.as_str(), at(0)))
        };
        assert_eq!(admitted().filter(|admitted| *admitted).count(), 8);
        assert_eq!(admitted().next(), Some(false));
        access.end(sessions[3].as_str());
        assert_eq!(admitted().nth(3), Some(false));
    }
}
