//! Bookmarks of where pages by index ended. DynamoDB finds an item by key, not by number. Without bookmarks, a walk by
//! `startIndex` would begin from the first user for each page, and cost the square of their number.
//! Bookmarks also keep a walk from skipping users when others before them are deleted meanwhile.

use std::collections::HashMap;
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

use crate::api::authentication::Caller;
use crate::directory::{CompanyId, KeyId, UserId};

/// How long a bookmark is kept.
const KEPT_FOR: SignedDuration = SignedDuration::from_secs(60);
/// Most bookmarks that a process keeps.
const MAX_BOOKMARKS: usize = 1024;

/// The bookmarks of this process.
#[derive(Debug, Default)]
pub(super) struct PageBookmarks(Mutex<HashMap<Bookmark, (UserId, Timestamp)>>);

/// A number of users that a caller has seen in pages without filter and sorting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Bookmark {
    company: CompanyId,
    key: KeyId,
    seen: usize,
}

impl Bookmark {
    /// Returns the bookmark behind so many users.
    #[must_use]
    pub(super) fn behind(seen: usize, caller: Caller) -> Self {
        Self {
            company: caller.company,
            key: caller.key,
            seen,
        }
    }
}

impl PageBookmarks {
    /// Returns the last user before a bookmark, if a page ended there a short time ago.
    #[must_use]
    pub(super) fn last_before(&self, bookmark: Bookmark, now: Timestamp) -> Option<UserId> {
        let bookmarks = self.0.lock().ok()?;
        let (last, until) = bookmarks.get(&bookmark)?;
        (now < *until).then_some(*last)
    }

    /// Sets the bookmark of the last user on a page.
    pub(super) fn remember(&self, bookmark: Bookmark, last: UserId, now: Timestamp) {
        let Ok(mut bookmarks) = self.0.lock() else {
            return;
        };
        if bookmarks.len() >= MAX_BOOKMARKS {
            // The oldest belongs to a page that was requested long ago, or never will be.
            let oldest = bookmarks.iter().min_by_key(|(_, (_, until))| *until);
            if let Some(oldest) = oldest.map(|(bookmark, _)| *bookmark) {
                bookmarks.remove(&oldest);
            }
        }
        let until = now.saturating_add(KEPT_FOR).unwrap_or(now);
        bookmarks.insert(bookmark, (last, until));
    }
}
