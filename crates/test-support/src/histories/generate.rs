//! Generated operations.

use std::collections::BTreeMap;

use paradigm_scim::directory::UserId;
use paradigm_scim::store::layout::{
    DOCUMENT, INDEX_PK, INDEX_SK, Item, Key, LOOKUP_USER, PK, SK, TTL, VERSION, Value,
};
use paradigm_scim::store::table::{Attributes, IndexEntry};
use paradigm_scim::store::transaction::{Action, Condition, Transaction, Update};
use uuid::Uuid;

use super::pool::{Pool, SHARED_SORTS};
use super::random::Random;
use super::values::{document, number, other_notation, text, value};

/// Attributes of any type.
const ANY: [&str; 4] = ["a", "state", "size", "keys"];
/// Attributes that are numbers, if they are there.
const NUMBERS: [&str; 2] = ["users", "units"];
/// An attribute that is a string, or a number at times.
const DAY: &str = "lastUsed";

/// One step of a history.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    Get(Key),
    GetMany(Vec<Key>),
    ReadPartition {
        pk: String,
        between: Option<(String, String)>,
        after: Option<Key>,
    },
    ReadIndex {
        partition: String,
        above: Option<String>,
        limit: Option<usize>,
        after: Option<IndexEntry>,
    },
    /// Reads the index page by page, and deletes the last item of each page before it reads on.
    DeleteAlongIndex {
        partition: String,
        limit: usize,
    },
    Commit(Transaction),
    /// Commits a transaction, and again as after a lost response. Its first action is its audit record.
    CommitTwice(Transaction),
    Update(Update),
    Scan {
        attributes: Attributes,
        limit: usize,
    },
}

/// Generates the operations of one history.
pub(super) struct Generator<'g> {
    pub(super) random: &'g mut Random,
    pub(super) pool: &'g mut Pool,
    /// The items that are there, so that conditions can be about them.
    pub(super) items: &'g BTreeMap<Key, Item>,
}

impl Generator<'_> {
    pub(super) fn operation(&mut self) -> Operation {
        match self.random.below(100) {
            0..10 => Operation::Get(self.key()),
            10..15 => {
                let number = 1 + self.random.below(12);
                Operation::GetMany(self.keys(number))
            }
            15..23 => self.read_partition(),
            23..31 => self.read_index(),
            31 => Operation::DeleteAlongIndex {
                partition: self.pool.by_own.clone(),
                limit: 1 + self.random.below(4),
            },
            32..75 => Operation::Commit(self.transaction()),
            75..82 => {
                let mut transaction = self.transaction();
                let record = self.pool.guard();
                let item = self.item(&record);
                let condition = Condition::Absent;
                transaction
                    .actions
                    .insert(0, Action::Put { item, condition });
                Operation::CommitTwice(transaction)
            }
            82..98 => {
                let key = self.key();
                Operation::Update(self.update(key))
            }
            _ => self.scan(),
        }
    }

    fn key(&mut self) -> Key {
        self.random.pick(&self.pool.keys).clone()
    }

    fn keys(&mut self, number: usize) -> Vec<Key> {
        self.random.some(&self.pool.keys, number)
    }

    fn read_partition(&mut self) -> Operation {
        let Key { pk, sk } = self.key();
        let same = self.pool.keys.iter().filter(|key| key.pk == pk);
        let sort_keys: Vec<String> = same.map(|key| key.sk.clone()).collect();
        let other = self.random.pick(&sort_keys).clone();
        let (first, last) = if sk <= other {
            (sk, other)
        } else {
            (other, sk)
        };
        let inside = sort_keys.iter().filter(|sk| (&first..=&last).contains(sk));
        let inside: Vec<&String> = inside.collect();
        let after = self.random.one_in(3).then(|| Key {
            pk: pk.clone(),
            sk: (*self.random.pick(&inside)).clone(),
        });
        let between = self.random.one_in(2).then_some((first, last));
        Operation::ReadPartition { pk, between, after }
    }

    fn read_index(&mut self) -> Operation {
        let limit = self.random.one_in(2).then(|| 1 + self.random.below(6));
        if self.random.one_in(3) {
            let above = self
                .random
                .one_in(2)
                .then(|| self.random.pick(&SHARED_SORTS));
            return Operation::ReadIndex {
                partition: self.pool.by_shared.clone(),
                above: above.map(|sort| (*sort).to_owned()),
                limit,
                after: None,
            };
        }
        let (first, second) = (self.key(), self.key());
        let (above, sort) = (self.pool.own_sort(&first), self.pool.own_sort(&second));
        // An entry that may be there, or may have been.
        let is_above = above < sort;
        let after = self
            .random
            .one_in(3)
            .then_some(IndexEntry { sort, key: second });
        let is_possible = after.is_none() || is_above;
        Operation::ReadIndex {
            partition: self.pool.by_own.clone(),
            above: (is_possible && self.random.one_in(2)).then_some(above),
            limit,
            after,
        }
    }

    fn scan(&mut self) -> Operation {
        const SOME: [&[&str]; 3] = [&[], &[VERSION], &[DOCUMENT, "state", "size", INDEX_PK]];
        let attributes = match self.random.below(4) {
            0 => Attributes::All,
            number => Attributes::KeysAnd(SOME[number - 1]),
        };
        let limit = 1 + self.random.below(50);
        Operation::Scan { attributes, limit }
    }

    fn transaction(&mut self) -> Transaction {
        let number = match self.random.below(50) {
            0 => self.pool.keys.len(),
            1..25 => 1,
            _ => 2 + self.random.below(4),
        };
        let keys = self.keys(number);
        Transaction {
            id: Uuid::now_v7().to_string(),
            actions: keys.into_iter().map(|key| self.action(key)).collect(),
        }
    }

    fn action(&mut self, key: Key) -> Action {
        match self.random.below(10) {
            0..5 => Action::Put {
                item: self.item(&key),
                condition: self.condition(&key),
            },
            5..7 => Action::Delete {
                condition: self.condition(&key),
                key,
            },
            7..9 => Action::Update(self.update(key)),
            _ => Action::Check {
                condition: match self.condition(&key) {
                    // A check that checks nothing is none.
                    Condition::Always | Condition::All(_) => Condition::Exists,
                    condition => condition,
                },
                key,
            },
        }
    }

    fn item(&mut self, key: &Key) -> Item {
        let mut item = Item::from([
            (PK.to_owned(), Value::string(&key.pk)),
            (SK.to_owned(), Value::string(&key.sk)),
        ]);
        for name in [VERSION, LOOKUP_USER, DOCUMENT, TTL, DAY] {
            if self.random.one_in(2) {
                item.insert(name.to_owned(), self.value_of(name));
            }
        }
        for name in ANY.into_iter().chain(NUMBERS) {
            if self.random.one_in(3) {
                item.insert(name.to_owned(), self.value_of(name));
            }
        }
        if let Some((partition, sort)) = self.place(key) {
            item.insert(INDEX_PK.to_owned(), Value::String(partition));
            item.insert(INDEX_SK.to_owned(), Value::String(sort));
        }
        item
    }

    /// Returns where an item is in the index, if it is.
    fn place(&mut self, key: &Key) -> Option<(String, String)> {
        match self.random.below(5) {
            0..2 => None,
            2 => {
                let sort = (*self.random.pick(&SHARED_SORTS)).to_owned();
                Some((self.pool.by_shared.clone(), sort))
            }
            _ => Some((self.pool.by_own.clone(), self.pool.own_sort(key))),
        }
    }

    fn value_of(&mut self, name: &str) -> Value {
        match name {
            VERSION => Value::number(1 + self.random.below(3)),
            LOOKUP_USER => Value::string(self.random.pick(&self.pool.users)),
            DOCUMENT => document(self.random),
            // The year 2100, or another program's attribute of the same name.
            TTL if !self.random.one_in(20) => Value::number(4_102_444_800_u64),
            TTL => Value::String(text(self.random)),
            DAY if !self.random.one_in(4) => {
                let day = self.random.below(3);
                Value::String(format!("2026-01-0{day}"))
            }
            DAY => number(self.random),
            "users" => Value::number(self.random.below(5)),
            "units" => number(self.random),
            _ => value(self.random),
        }
    }

    /// Returns a condition that holds about as often as not.
    fn condition(&mut self, key: &Key) -> Condition {
        self.nested_condition(key, 2)
    }

    fn nested_condition(&mut self, key: &Key, depth: usize) -> Condition {
        let is_there = self.items.contains_key(key);
        match self.random.below(if depth == 0 { 18 } else { 20 }) {
            0..6 => Condition::Always,
            6..8 if is_there != self.random.one_in(4) => Condition::Exists,
            6..8 => Condition::Absent,
            8..10 => Condition::Version(1 + self.random.number() % 3),
            10..13 => {
                let names = [VERSION, LOOKUP_USER, DOCUMENT, "units"];
                let names: Vec<&'static str> = names.into_iter().chain(ANY).collect();
                let name = *self.random.pick(&names);
                Condition::Equals(name, self.equal_or_not(key, name))
            }
            13..15 => {
                Condition::AttributeAbsent(self.random.pick::<&str>(&[DOCUMENT, "a", "keys", DAY]))
            }
            15..17 => {
                let name = *self.random.pick(&[DAY, "units"]);
                Condition::AbsentOrLess(name, self.value_of(name))
            }
            17 => {
                let user = *self.random.pick(&self.pool.users);
                Condition::AbsentOrHeldBy(UserId::new(user))
            }
            _ => {
                let number = self.random.below(4);
                let conditions = (0..number).map(|_| self.nested_condition(key, depth - 1));
                Condition::All(conditions.collect())
            }
        }
    }

    /// Returns the value that an attribute has, a number perhaps in another notation, or any other value.
    fn equal_or_not(&mut self, key: &Key, name: &'static str) -> Value {
        let found = self.items.get(key).and_then(|item| item.get(name));
        match found {
            Some(Value::Number(found)) if !self.random.one_in(4) => {
                Value::Number(other_notation(self.random, found))
            }
            Some(found) if !self.random.one_in(4) => found.clone(),
            _ => self.value_of(name),
        }
    }

    fn update(&mut self, key: Key) -> Update {
        let mut update = Update {
            add: None,
            set: Vec::new(),
            remove: Vec::new(),
            condition: self.condition(&key),
            key,
        };
        let names = [VERSION, LOOKUP_USER, DOCUMENT, TTL, DAY];
        let mut names: Vec<&'static str> = names.into_iter().chain(ANY).collect();
        if self.random.one_in(2) {
            // A program that is not ours may have made it something else than a number.
            let name = if self.random.one_in(30) {
                ANY[0]
            } else {
                NUMBERS[0]
            };
            names.retain(|other| *other != name);
            let number = i64::try_from(self.random.below(9)).unwrap() - 4;
            update.add = Some((name, number));
        }
        let number = self.random.below(4) + usize::from(update.add.is_none());
        for name in self.random.some(&names, number) {
            // An update that only removes attributes is for items that are there.
            if self.random.one_in(3) && !(update.set.is_empty() && update.add.is_none()) {
                update.remove.push(name);
            } else {
                update.set.push((name, self.value_of(name)));
            }
        }
        self.move_in_index(&mut update);
        update
    }

    /// Changes the item's place in the index at times.
    fn move_in_index(&mut self, update: &mut Update) {
        if !self.random.one_in(4) {
            return;
        }
        match self.place(&update.key) {
            Some((partition, sort)) => {
                update.set.push((INDEX_PK, Value::String(partition)));
                update.set.push((INDEX_SK, Value::String(sort)));
            }
            None if update.set.is_empty() => {}
            None => update.remove.extend([INDEX_PK, INDEX_SK]),
        }
    }
}
