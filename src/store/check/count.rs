//! Counters of users, and what they should say.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::directory::CompanyId;
use crate::store::layout::attributes::USERS;
use crate::store::layout::{Item, Value};

/// A counter, read at one moment, and the number of users at that moment, at least and at most.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Count {
    pub(super) company: CompanyId,
    pub(super) shard: u8,
    /// The counter's value as it is stored.
    pub(super) seen: Option<String>,
    pub(super) least: u64,
    pub(super) most: u64,
}

impl Count {
    /// Returns what the counter says; one that is not there says 0.
    pub(super) fn counter(&self) -> Option<i64> {
        match &self.seen {
            None => Some(0),
            Some(seen) => seen.parse().ok(),
        }
    }

    pub(super) fn is_possible(&self) -> bool {
        let counter = self
            .counter()
            .and_then(|counter| u64::try_from(counter).ok());
        counter.is_some_and(|counter| self.users().contains(&counter))
    }

    pub(super) fn users(&self) -> RangeInclusive<u64> {
        self.least..=self.most
    }
}

/// A company's counters as they are stored, by shard.
pub(super) type Counters = BTreeMap<u8, String>;

/// Returns what a counter says, as it is stored.
pub(super) fn stored_count(item: &Item) -> String {
    match item.get(USERS) {
        Some(Value::Number(number)) => number.clone(),
        _ => String::new(),
    }
}
