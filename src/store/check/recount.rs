//! A second walk, for the counters that the first did not agree with.
//!
//! The counters were read between both. An id is used once, and an anonymised user
//! never becomes live again. A user who is live in both walks was live when the counters were read. A user who is live
//! in only one of them may have been. So a counter can be checked while others use the table.

use std::collections::{HashMap, HashSet};

use super::count::Count;
use crate::directory::{CompanyId, UserId};
use crate::store::StoreError;
use crate::store::layout::keys::COUNTER_SHARDS;
use crate::store::layout::{Item as StoredItem, Kind, Reader, is_anonymised};

/// A second walk.
#[derive(Debug, Default)]
pub(super) struct Recount {
    shards: HashMap<(CompanyId, u8), Second>,
}

/// The users of one counter, in both walks.
#[derive(Debug)]
pub(super) struct Second {
    count: Count,
    /// Users that were live in the first walk, and were not yet read in the second.
    before: HashSet<UserId>,
    anonymised_before: u64,
    /// Live in both.
    stayed: u64,
    /// Live in the second only.
    came: u64,
    /// Anonymised in the second, and not live in the first.
    anonymised: u64,
}

impl Recount {
    pub(super) fn insert(&mut self, shard: (CompanyId, u8), second: Second) {
        self.shards.insert(shard, second);
    }

    /// Returns the result of both walks.
    pub(super) fn counts(self) -> impl Iterator<Item = Count> {
        self.shards.into_values().map(Second::count)
    }

    pub(super) fn note(&mut self, item: &StoredItem) -> Result<(), StoreError> {
        let Kind::User(company, user) = Reader(item).key()?.kind() else {
            return Ok(());
        };
        let Some(second) = self.shards.get_mut(&(company, user.shard(COUNTER_SHARDS))) else {
            return Ok(());
        };
        match (is_anonymised(item), second.before.contains(&user)) {
            (false, true) => {
                second.before.remove(&user);
                second.stayed += 1;
            }
            (false, false) => second.came += 1,
            (true, true) => {}
            (true, false) => second.anonymised += 1,
        }
        Ok(())
    }
}

impl Second {
    /// Begins to count again after a first walk has met these users.
    pub(super) fn after(count: Count, live: Vec<UserId>, anonymised: u64) -> Self {
        Self {
            count,
            before: live.into_iter().collect(),
            anonymised_before: anonymised,
            stayed: 0,
            came: 0,
            anonymised: 0,
        }
    }

    fn count(self) -> Count {
        let went = self.before.len() as u64;
        let came_and_went = self.anonymised.saturating_sub(self.anonymised_before);
        Count {
            least: self.stayed,
            most: self.stayed + went + self.came + came_and_went,
            ..self.count
        }
    }
}
