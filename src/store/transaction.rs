//! One atomic write, as plain data. So tests can compare what a change of a user writes without any database.

use super::layout::{Item, Key, Value};
use crate::directory::UserId;

/// Most actions of one transaction, and each is about another item. The limits of the directory keep every
/// transaction below it.
pub const MAX_ACTIONS: usize = 100;

/// Actions that are carried out together or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Identifies the transaction, also when it is sent again.
    pub id: String,
    /// The actions, each on another item.
    pub actions: Vec<Action>,
}

/// What a transaction does to one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Writes the whole item, in place of one that is there.
    Put {
        /// The item.
        item: Item,
        /// What must hold of the item that is there.
        condition: Condition,
    },
    /// Deletes the item if it is there.
    Delete {
        /// The key of the item.
        key: Key,
        /// What must hold of the item.
        condition: Condition,
    },
    /// Changes some attributes of the item.
    Update(Update),
    /// Changes nothing.
    Check {
        /// The key of the item.
        key: Key,
        /// What must hold of the item. A check of [`Condition::Always`] may be refused.
        condition: Condition,
    },
}

/// A change of some attributes of one item. An item that is absent, and may be, is made.
///
/// An update changes at least one attribute, each once, and none of the key. One that only removes attributes is for an
/// item that is there. A sum has at most 38 digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The key of the item.
    pub key: Key,
    /// A number to add to an attribute; one that is absent counts as 0.
    pub add: Option<(&'static str, i64)>,
    /// Attributes to set.
    pub set: Vec<(&'static str, Value)>,
    /// Attributes to remove, if they are there.
    pub remove: Vec<&'static str>,
    /// What must hold of the item before.
    pub condition: Condition,
}

/// What must hold of an item, as it is when the transaction is carried out.
///
/// Nothing is true of the attributes of an absent item, except where it says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Always,
    /// The item is absent.
    Absent,
    /// The item is there.
    Exists,
    /// The item is of this [`VERSION`](super::layout::VERSION).
    Version(u64),
    /// The attribute has this value; numbers are compared as numbers.
    Equals(&'static str, Value),
    /// The attribute is absent, or the item is.
    AttributeAbsent(&'static str),
    /// The attribute is a value of the same type that is less than this one, or it is absent, or the item is. Numbers
    /// are compared as numbers, strings by their UTF-8 bytes.
    AbsentOrLess(&'static str, Value),
    /// The lookup item is absent, or leads to this user ([`LOOKUP_USER`](super::layout::LOOKUP_USER)).
    AbsentOrHeldBy(UserId),
    /// All of these.
    All(Vec<Condition>),
}

impl Update {
    /// Sets attributes of an item.
    pub(super) fn set<const N: usize>(
        key: Key,
        set: [(&'static str, Value); N],
        condition: Condition,
    ) -> Self {
        Self {
            key,
            add: None,
            set: set.into(),
            remove: Vec::new(),
            condition,
        }
    }

    /// Adds a number to an attribute of an item, which need not be there.
    pub(super) fn add(key: Key, attribute: &'static str, number: i64) -> Self {
        Self {
            add: Some((attribute, number)),
            ..Self::set(key, [], Condition::Always)
        }
    }
}
