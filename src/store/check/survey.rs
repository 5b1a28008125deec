//! What one walk through the table has seen, in outline. It is enough to suspect items, not to decide about them.
//!
//! A user and what leads to them are items far apart. Each is a half of a [`Link`]; halves that meet are
//! forgotten, so what is kept is those that have not met yet, in the worst moment about half of them,
//! and 16 bytes a user for the counters: 250 bytes a user with three lookups, as measured. An engine that returns items
//! in the order of their keys returns all users before their lookups: then it is 530 bytes.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::count::{Count, Counters};
use super::recount::{Recount, Second};
use crate::directory::{ApiKey, CompanyId, KeyId, User, UserId};
use crate::store::StoreError;
use crate::store::layout::keys::COUNTER_SHARDS;
use crate::store::layout::{
    Digest, Item, Key, Kind, Lookup, Reader, has_state_of, is_anonymised, is_indexed_as, lookups,
    stripped, to_api_key, to_audit_entry, to_company, to_user, user_id_of_lookup,
};

/// What must be on both sides: with the user, and as an item of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Link {
    Lookup {
        company: CompanyId,
        lookup: Lookup,
        digest: Digest,
        user: UserId,
    },
    Key {
        company: CompanyId,
        owner: UserId,
        key: KeyId,
    },
}

/// Where the half of a link was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    User,
    Item,
}

/// A suspicious item. In the order in which repairs are made: a lookup that leads to the
/// wrong user goes before the right one gets it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Suspect(pub(super) Suspicion);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Suspicion {
    Company { company: CompanyId, items: u64 },
    Item(Key),
    Lookup(Key),
    Key(KeyId),
    User(CompanyId, UserId),
    Counter(Count),
}

/// The users that one counter counts.
#[derive(Debug, Default)]
struct Shard {
    live: Vec<UserId>,
    anonymised: u64,
}

/// What a walk through the table has seen.
#[derive(Debug, Default)]
pub struct Survey {
    of: Option<CompanyId>,
    items: u64,
    users: u64,
    companies: HashMap<CompanyId, Tally>,
    links: HashMap<Link, Side>,
    shards: HashMap<(CompanyId, u8), Shard>,
    suspicions: BTreeSet<Suspicion>,
    doubtful: Vec<Count>,
}

#[derive(Debug, Default)]
struct Tally {
    is_there: bool,
    items: u64,
}

impl Survey {
    pub(super) fn of(of: Option<CompanyId>) -> Self {
        Self {
            of,
            ..Self::default()
        }
    }

    /// Returns the number of items that were read.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Returns the number of users that are not anonymised.
    #[must_use]
    pub fn users(&self) -> u64 {
        self.users
    }

    /// Returns the number of companies that have items.
    #[must_use]
    pub fn companies(&self) -> usize {
        self.companies.len()
    }

    /// Adds an item.
    pub(super) fn note(&mut self, item: &Item) -> Result<(), StoreError> {
        self.items += 1;
        let key = Reader(item).key()?;
        let kind = key.kind();
        let api_key = match kind {
            Kind::ApiKey(id) => to_api_key(id, item).ok(),
            _ => None,
        };
        let company = kind
            .company()
            .or(api_key.as_ref().map(|api_key| api_key.company));
        if self.of.is_some() && self.of != company {
            return Ok(());
        }
        // DynamoDB drops a scan budget in its own time: that a company has nothing else left is no fault.
        let is_passing = matches!(kind, Kind::ScanBudget(_));
        if let Some(company) = company.filter(|_| !is_passing) {
            self.companies.entry(company).or_default().items += 1;
        }
        match kind {
            Kind::Company(company) => {
                self.companies.entry(company).or_default().is_there = true;
                self.note_read(key, company, item, to_company(company, item));
            }
            Kind::Audit(company) => {
                self.note_read(key, company, item, to_audit_entry(item));
            }
            Kind::User(company, user) => self.note_user(company, user, &key, item),
            Kind::Lookup {
                company,
                lookup,
                digest,
                user,
            } => match user_id_of_lookup(item) {
                Ok(found) if user.is_none_or(|user| user == found) => {
                    let link = Link::Lookup {
                        company,
                        lookup,
                        digest,
                        user: found,
                    };
                    self.link(link, Side::Item);
                }
                _ => self.suspect(Suspicion::Lookup(key)),
            },
            Kind::ApiKey(id) => self.note_api_key(id, &key, api_key, item),
            Kind::Unknown(_) => self.suspect(Suspicion::Item(key)),
            // Counters are read when all users are seen.
            Kind::Counter(..) | Kind::ScanBudget(_) | Kind::Foreign(_) => {}
        }
        Ok(())
    }

    /// Suspects an item that was not read, or that is not in its place of the index.
    fn note_read<T>(
        &mut self,
        key: Key,
        company: CompanyId,
        item: &Item,
        read: Result<T, StoreError>,
    ) {
        if read.is_err() || !is_indexed_as(item, key.indexed(company).as_ref()) {
            self.suspect(Suspicion::Item(key));
        }
    }

    fn note_user(&mut self, company: CompanyId, id: UserId, key: &Key, item: &Item) {
        let shard = (company, id.shard(COUNTER_SHARDS));
        let shard = self.shards.entry(shard).or_default();
        if is_anonymised(item) {
            shard.anonymised += 1;
        } else {
            shard.live.push(id);
            self.users += 1;
        }
        match to_user(id, item) {
            Ok(Some(user)) => {
                if is_flawed(company, key, item, &user) {
                    self.suspect(Suspicion::User(company, id));
                }
                self.link_user(company, &user);
            }
            Ok(None) if matches!(stripped(item, ""), Ok(None)) => {}
            _ => self.suspect(Suspicion::User(company, id)),
        }
    }

    fn link_user(&mut self, company: CompanyId, user: &User) {
        for entry in lookups(company, user) {
            if let Kind::Lookup { lookup, digest, .. } = entry.key.kind() {
                let link = Link::Lookup {
                    company,
                    lookup,
                    digest,
                    user: user.id,
                };
                self.link(link, Side::User);
            }
        }
        for key in user.keys.keys() {
            let link = Link::Key {
                company,
                owner: user.id,
                key: *key,
            };
            self.link(link, Side::User);
        }
    }

    fn note_api_key(&mut self, id: KeyId, key: &Key, api_key: Option<ApiKey>, item: &Item) {
        let Some(api_key) = api_key else {
            return self.suspect(Suspicion::Key(id));
        };
        if !is_indexed_as(item, key.indexed(api_key.company).as_ref()) {
            self.suspect(Suspicion::Key(id));
        }
        if api_key.revoked.is_none() {
            let link = Link::Key {
                company: api_key.company,
                owner: api_key.owner,
                key: id,
            };
            self.link(link, Side::Item);
        }
    }

    fn link(&mut self, link: Link, side: Side) {
        match self.links.entry(link) {
            Entry::Occupied(other) if *other.get() != side => {
                other.remove();
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(free) => {
                free.insert(side);
            }
        }
    }

    fn suspect(&mut self, suspicion: Suspicion) {
        self.suspicions.insert(suspicion);
    }

    /// Returns the companies that have items, to read their counters.
    pub(super) fn counted(&self) -> Vec<CompanyId> {
        self.companies.keys().copied().collect()
    }

    /// Adds a company's counters, as they are after the walk.
    pub(super) fn note_counters(&mut self, company: CompanyId, counters: &Counters) {
        for shard in 0..COUNTER_SHARDS {
            let users = self.shards.get(&(company, shard));
            let users = users.map_or(0, |shard| shard.live.len() as u64);
            let count = Count {
                company,
                shard,
                seen: counters.get(&shard).cloned(),
                least: users,
                most: users,
            };
            if !count.is_possible() {
                self.doubtful.push(count);
            }
        }
    }

    /// Returns whether counters did not agree with the walk, which may be because users were created or deleted
    /// meanwhile.
    #[must_use]
    pub fn needs_recount(&self) -> bool {
        !self.doubtful.is_empty()
    }

    /// Returns the companies of these counters.
    pub(super) fn doubted(&self) -> BTreeSet<CompanyId> {
        self.doubtful.iter().map(|count| count.company).collect()
    }

    /// Begins to count again, between this walk and the next, where these are the counters.
    pub(super) fn recount(&mut self, counters: &BTreeMap<CompanyId, Counters>) -> Recount {
        let mut recount = Recount::default();
        for count in self.doubtful.drain(..) {
            let counters = counters.get(&count.company);
            let count = Count {
                seen: counters.and_then(|counters| counters.get(&count.shard).cloned()),
                ..count
            };
            let shard = (count.company, count.shard);
            let first = self.shards.remove(&shard).unwrap_or_default();
            let second = Second::after(count, first.live, first.anonymised);
            recount.insert(shard, second);
        }
        recount
    }

    /// Adds the result of a second count.
    pub(super) fn settle(&mut self, recount: Recount) {
        for count in recount.counts() {
            if !count.is_possible() {
                self.suspect(Suspicion::Counter(count));
            }
        }
    }

    /// Returns the suspicious items.
    #[must_use]
    pub fn into_suspects(mut self) -> Vec<Suspect> {
        for (company, tally) in &self.companies {
            if !tally.is_there {
                self.suspicions.insert(Suspicion::Company {
                    company: *company,
                    items: tally.items,
                });
            }
        }
        for (link, side) in self.links.drain() {
            self.suspicions.insert(match (link, side) {
                (Link::Lookup { company, user, .. }, Side::User) => Suspicion::User(company, user),
                (Link::Key { company, owner, .. }, Side::User) => Suspicion::User(company, owner),
                (Link::Key { key, .. }, Side::Item) => Suspicion::Key(key),
                (
                    Link::Lookup {
                        company,
                        lookup,
                        digest,
                        user,
                    },
                    Side::Item,
                ) => Suspicion::Lookup(lookup.key_of_digest(company, &digest, user)),
            });
        }
        self.suspicions.into_iter().map(Suspect).collect()
    }
}

/// Returns whether something is wrong with the item of a live user itself, apart from its lookup items.
pub(super) fn is_flawed(company: CompanyId, key: &Key, item: &Item, user: &User) -> bool {
    !is_indexed_as(item, key.indexed(company).as_ref())
        || !has_state_of(item, user)
        || !is_complete(user)
}

/// Returns whether a user has what every user has.
pub(super) fn is_complete(user: &User) -> bool {
    let members = user.document.members();
    user.document.string("userName").is_some()
        && members
            .get("active")
            .is_some_and(serde_json::Value::is_boolean)
}
