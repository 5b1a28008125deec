//! What `check` finds: typed, and free of personal data.

use std::fmt;
use std::ops::RangeInclusive;

use crate::directory::{KeyId, UserId};
use crate::store::layout::Key;

/// What is wrong with an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// There are items of a company that does not exist.
    CompanyMissing {
        /// How many, at least.
        items: u64,
    },
    /// The service writes no such item.
    Unknown,
    /// An attribute is not there, or not as the service writes it.
    Unreadable {
        /// Its name.
        attribute: &'static str,
    },
    /// The item is not listed in the index, or at the wrong place.
    NotListed,
    /// The stored state is not the one that follows from the rest of the user.
    StateWrong,
    /// More than may be left of an anonymised user.
    NotAnonymised,
    /// The user has the value, and no lookup leads there.
    LookupMissing {
        /// Who.
        user: UserId,
    },
    /// The user has the value, and the lookup leads to a user who does not.
    LookupMisdirected {
        /// The user who has it.
        user: UserId,
    },
    /// Two users have one `userName`; the lookup leads to one of them.
    UserNameShared {
        /// The user that it does not find.
        user: UserId,
        /// The user that it finds.
        found: UserId,
    },
    /// The lookup leads to a user who does not have the value, or to none.
    LookupOrphaned {
        /// The user that it leads to.
        user: Option<UserId>,
    },
    /// The counter is not the number of users.
    CounterWrong {
        /// What it says; `None` if that is no number.
        counter: Option<i64>,
        /// How many users there are, at least and at most: some may have been created or deleted meanwhile.
        users: RangeInclusive<u64>,
    },
    /// The user names an API key that is not there, revoked, or another user's.
    KeyNotHeld {
        /// Who.
        user: UserId,
        /// Which key.
        key: KeyId,
    },
    /// An API key is not revoked, and its owner does not name it.
    KeyNotNamed {
        /// The owner.
        owner: UserId,
        /// Whether there is such a user.
        is_owner_there: bool,
    },
}

impl Fault {
    /// Returns a name for scripts.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CompanyMissing { .. } => "companyMissing",
            Self::Unknown => "unknown",
            Self::Unreadable { .. } => "unreadable",
            Self::NotListed => "notListed",
            Self::StateWrong => "stateWrong",
            Self::NotAnonymised => "notAnonymised",
            Self::LookupMissing { .. } => "lookUpMissing",
            Self::LookupMisdirected { .. } => "lookUpMisdirected",
            Self::UserNameShared { .. } => "userNameShared",
            Self::LookupOrphaned { .. } => "lookUpOrphaned",
            Self::CounterWrong { .. } => "counterWrong",
            Self::KeyNotHeld { .. } => "keyNotHeld",
            Self::KeyNotNamed { .. } => "keyNotNamed",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CompanyMissing { items } => {
                write!(f, "the company does not exist, but {items} of its items do")
            }
            Self::Unknown => f.write_str("the service writes no such item"),
            Self::Unreadable { attribute } => {
                write!(f, "its '{attribute}' is missing or not valid")
            }
            Self::NotListed => f.write_str("it is not in the index, or at the wrong place"),
            Self::StateWrong => f.write_str("its state does not follow from its attributes"),
            Self::NotAnonymised => f.write_str("more is left of an anonymised user than may be"),
            Self::LookupMissing { user } => {
                write!(f, "user {user} has the value, and the lookup is missing")
            }
            Self::LookupMisdirected { user } => write!(
                f,
                "user {user} has the value, and the lookup leads elsewhere"
            ),
            Self::UserNameShared { user, found } => write!(
                f,
                "users {user} and {found} have one userName; only the second is found by it"
            ),
            Self::LookupOrphaned { user: Some(user) } => write!(
                f,
                "it leads to user {user}, who does not have the value or does not exist"
            ),
            Self::LookupOrphaned { user: None } => f.write_str("it leads to no user"),
            Self::CounterWrong { counter, users } => {
                match counter {
                    Some(counter) => write!(f, "it says {counter}")?,
                    None => f.write_str("it says nothing")?,
                }
                match (users.start(), users.end()) {
                    (least, most) if least == most => write!(f, ", there are {least} users"),
                    (least, most) => write!(f, ", there are {least} to {most} users"),
                }
            }
            Self::KeyNotHeld { user, key } => write!(
                f,
                "user {user} names key {key}, which does not exist, is revoked, or is another user's"
            ),
            Self::KeyNotNamed {
                owner,
                is_owner_there: true,
            } => write!(
                f,
                "it is not revoked, and its owner {owner} does not name it"
            ),
            Self::KeyNotNamed {
                owner,
                is_owner_there: false,
            } => write!(f, "it is not revoked, and its owner {owner} does not exist"),
        }
    }
}

/// What can be done about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// A write that is safe, in words.
    Write(&'static str),
    /// Nothing that is safe; what an operator may do.
    Advice(&'static str),
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub fault: Fault,
    /// Partition key of the item; what another program may have put there is not shown.
    pub pk: String,
    /// Sort key of the item, likewise.
    pub sk: String,
    /// What can be done.
    pub remedy: Remedy,
}

impl Finding {
    pub(super) fn new(fault: Fault, key: &Key, remedy: Remedy) -> Self {
        let (pk, sk) = key.shown();
        Self {
            fault,
            pk,
            sk,
            remedy,
        }
    }
}
