//! The keys of one history: few, so that operations meet on them.

use paradigm_scim::store::layout::Key;
use uuid::Uuid;

/// Sort keys of one partition whose order differs between UTF-8, UTF-16 and a language's rules. No key has a NUL.
const SORT_KEYS: [&str; 10] = [
    "A",
    "B",
    "a",
    "a b",
    "a\u{1}",
    "b",
    "é",
    "\u{ffff}",
    "\u{10000}",
    "\u{10ffff}",
];

/// Sort keys of the index that several entries have.
pub(super) const SHARED_SORTS: [&str; 3] =
    ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "\u{e9}"];

/// The keys that a history uses.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) keys: Vec<Key>,
    pub(super) users: Vec<Uuid>,
    /// A partition of the index in which each item has a sort key of its own: see [`Pool::own_sort`].
    pub(super) by_own: String,
    /// A partition of the index in which items share sort keys.
    pub(super) by_shared: String,
    company: String,
    guards: usize,
}

impl Pool {
    /// Makes keys that no other history has.
    pub(super) fn new() -> Self {
        let id = Uuid::now_v7();
        let company = format!("COMPANY#{id}");
        let users: Vec<Uuid> = (0..3).map(|_| Uuid::now_v7()).collect();
        let mut keys = vec![key(&company, "COMPANY")];
        for user in &users {
            let partition = format!("{company}#USER#{user}");
            keys.push(key(&partition, "USER"));
            keys.push(key(&partition, "APP#\u{1f600}'\\"));
            keys.push(key(
                &format!("{company}#emails#hash"),
                &format!("USER#{user}"),
            ));
        }
        for day in 1..4 {
            let record = format!("AUDIT#2026-01-0{day}T00:00:00.000000000Z#r");
            keys.push(key(&format!("{company}#USER#{}", users[0]), &record));
        }
        keys.push(key(&format!("{company}#userName#hash"), "USER"));
        for shard in [0, 1, 2, 10] {
            keys.push(key(&format!("{company}#COUNT"), &format!("SHARD#{shard}")));
        }
        keys.push(key(
            &format!("{company}#SCANS"),
            "MINUTE#2026-01-01T00:00:00Z",
        ));
        keys.push(key(&format!("KEY#{:016x}", id.as_u64_pair().1), "KEY"));
        keys.extend(SORT_KEYS.map(|sk| key(&format!("{company}#Ünder\u{10000}"), sk)));
        Self {
            keys,
            users,
            by_own: format!("{company}#USERS"),
            by_shared: format!("{company}#AUDIT#2026-01-01"),
            company,
            guards: 0,
        }
    }

    /// Returns the sort key of an item in the partition `by_own`.
    pub(super) fn own_sort(&self, key: &Key) -> String {
        match self.keys.iter().position(|other| other == key) {
            Some(number) => format!("{}{number}", SORT_KEYS[number % SORT_KEYS.len()]),
            None => key.sk.clone(),
        }
    }

    /// Returns the key of an audit record that no transaction has had.
    pub(super) fn guard(&mut self) -> Key {
        self.guards += 1;
        let record = format!("AUDIT#2026-02-01T00:00:00.000000000Z#{}", self.guards);
        key(&self.company, &record)
    }

    /// Returns all keys that an item of this history may have.
    pub(super) fn all(&self) -> Vec<Key> {
        let guards = (1..=self.guards).map(|number| {
            let record = format!("AUDIT#2026-02-01T00:00:00.000000000Z#{number}");
            key(&self.company, &record)
        });
        self.keys.iter().cloned().chain(guards).collect()
    }
}

fn key(pk: &str, sk: &str) -> Key {
    Key {
        pk: pk.to_owned(),
        sk: sk.to_owned(),
    }
}
