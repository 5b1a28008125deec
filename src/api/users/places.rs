//! Where pages by index ended. DynamoDB finds a place by key, not by number: without this, a walk by
//! `startIndex` would begin from the first user for each page, and cost the square of their number.
//! It also keeps a walk from passing over users when others before them are deleted meanwhile.

use std::collections::HashMap;
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

use crate::api::authentication::Caller;
use crate::directory::{CompanyId, KeyId, UserId};

/// How long the end of a page is remembered.
const REMEMBERED_FOR: SignedDuration = SignedDuration::from_secs(60);
/// Most ends that are remembered.
const MAX_PLACES: usize = 1024;

/// Ends of pages, of this process.
#[derive(Debug, Default)]
pub(in crate::api) struct Places(Mutex<HashMap<Place, (UserId, Timestamp)>>);

/// A number of users that a caller has seen in pages without filter and sorting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::api) struct Place {
    company: CompanyId,
    key: KeyId,
    seen: usize,
}

impl Place {
    /// The place behind so many users.
    #[must_use]
    pub(in crate::api) fn behind(seen: usize, caller: Caller) -> Self {
        Self {
            company: caller.company,
            key: caller.key,
            seen,
        }
    }
}

impl Places {
    /// The last user before a place, if a page ended there a short time ago.
    #[must_use]
    pub(in crate::api) fn last_before(&self, place: Place, now: Timestamp) -> Option<UserId> {
        let places = self.0.lock().ok()?;
        let (last, until) = places.get(&place)?;
        (now < *until).then_some(*last)
    }

    /// Remembers the last user before a place.
    pub(in crate::api) fn remember(&self, place: Place, last: UserId, now: Timestamp) {
        let Ok(mut places) = self.0.lock() else {
            return;
        };
        if places.len() >= MAX_PLACES {
            // The oldest is that of a page which has been asked for long ago, or never will be.
            let oldest = places.iter().min_by_key(|(_, (_, until))| *until);
            if let Some(oldest) = oldest.map(|(place, _)| *place) {
                places.remove(&oldest);
            }
        }
        let until = now.saturating_add(REMEMBERED_FOR).unwrap_or(now);
        places.insert(place, (last, until));
    }
}
