//! Tasks that race on the same items of one engine: nothing may be lost, written twice, or half-written.

use std::collections::BTreeSet;
use std::sync::Arc;

use paradigm_scim::store::StoreError;
use paradigm_scim::store::layout::{INDEX_PK, INDEX_SK, Item, Key, PK, SK, VERSION, Value};
use paradigm_scim::store::table::{CommitError, IndexRange, PartitionRange, Table};
use paradigm_scim::store::transaction::{Action, Condition, Transaction, Update};
use uuid::Uuid;

use super::outcome::deletion;
use super::random::Random;
use crate::raw::key_of;

/// An attribute that tasks add to.
const NUMBER: &str = "users";
/// How often a transaction is committed again while the engine is busy.
const ATTEMPTS: usize = 1_000;

/// How many tasks race, and how often each of them.
#[derive(Debug, Clone, Copy)]
pub struct Races {
    pub tasks: usize,
    pub rounds: usize,
}

/// One race of several tasks.
#[derive(Clone)]
struct Race {
    name: String,
    table: Arc<dyn Table>,
    /// What the keys of this race begin with.
    prefix: String,
    races: Races,
}

/// Races tasks on an engine, and fails if anything is lost. It needs several threads.
pub async fn assert_nothing_lost(name: &str, table: Arc<dyn Table>, races: Races) {
    let race = |subject: &str| Race {
        name: format!("{name}, {subject}"),
        table: Arc::clone(&table),
        prefix: format!("COMPANY#{}", Uuid::now_v7()),
        races,
    };
    race("one winner").one_winner().await;
    race("counters").counters().await;
    race("transfers").transfers().await;
    race("versions").versions().await;
    race("updates").updates().await;
    race("index").index().await;
}

impl Race {
    fn key(&self, sk: impl ToString) -> Key {
        Key {
            pk: format!("{}#RACE", self.prefix),
            sk: sk.to_string(),
        }
    }

    /// Returns a transaction that begins with an audit record, so that it is written once however often it is committed.
    fn transaction(&self, actions: impl IntoIterator<Item = Action>) -> Transaction {
        let id = Uuid::now_v7().to_string();
        let record = Key {
            pk: self.prefix.clone(),
            sk: format!("AUDIT#2026-01-01T00:00:00.000000000Z#{id}"),
        };
        let record = Action::Put {
            item: item(record, []),
            condition: Condition::Absent,
        };
        Transaction {
            actions: [record].into_iter().chain(actions).collect(),
            id,
        }
    }

    /// Commits a transaction, again if the engine is busy, and returns whether it is written.
    async fn commit(&self, transaction: &Transaction) -> bool {
        for _ in 0..ATTEMPTS {
            match self.table.commit(transaction).await {
                Ok(()) => return true,
                // The audit record of this very transaction is there.
                Err(CommitError::Conditions(failed)) => return failed.first() == Some(&0),
                Err(CommitError::Store(StoreError::Busy(_))) => tokio::task::yield_now().await,
                Err(error) => panic!("{}: {error:?}", self.name),
            }
        }
        panic!("{}: still busy", self.name);
    }

    async fn get(&self, sk: impl ToString) -> Option<Item> {
        let found = self.table.get(self.key(sk)).await;
        found.unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    async fn partition(&self, pk: &str) -> Vec<Item> {
        let range = PartitionRange { pk, between: None };
        let mut items = Vec::new();
        let mut after = None;
        loop {
            let page = self.table.read_partition(range, after).await.unwrap();
            items.extend(page.items);
            after = page.next;
            if after.is_none() {
                return items;
            }
        }
    }

    /// Runs all tasks at a time, each with its number, and returns their results.
    async fn run<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        task: impl Fn(Self, usize) -> F,
    ) -> Vec<T> {
        let tasks = (0..self.races.tasks).map(|number| tokio::spawn(task(self.clone(), number)));
        let mut results = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            results.push(task.await.unwrap());
        }
        results
    }

    /// In every round, one of all tasks creates the item.
    async fn one_winner(self) {
        for round in 0..self.races.rounds {
            let won = self.run(move |race, task| async move {
                let put = Action::Put {
                    item: item(race.key(round), [("a", Value::number(task))]),
                    condition: Condition::Absent,
                };
                race.commit(&race.transaction([put])).await
            });
            let won = won.await;
            let winners: Vec<usize> = (0..won.len()).filter(|task| won[*task]).collect();
            assert_eq!(winners.len(), 1, "{}: {winners:?} won", self.name);
            let there = self.get(round).await.unwrap();
            assert_eq!(there["a"], Value::number(winners[0]), "{}", self.name);
        }
        // Nothing of the losers was written.
        let records = self.partition(&self.prefix).await;
        assert_eq!(records.len(), self.races.rounds, "{}", self.name);
    }

    /// Counters add up in any order of the actions.
    async fn counters(self) {
        const COUNTERS: usize = 3;
        let rounds = self.races.rounds;
        let counted = self.run(move |race, task| async move {
            for round in 0..rounds {
                let mut keys: Vec<Key> = (0..COUNTERS).map(|number| race.key(number)).collect();
                keys.rotate_left((task + round) % COUNTERS);
                let adds = keys.into_iter().map(|key| add(key, 1));
                assert!(race.commit(&race.transaction(adds)).await, "{}", race.name);
            }
        });
        counted.await;
        let total = i64::try_from(self.races.tasks * rounds).unwrap();
        for counter in 0..COUNTERS {
            let there = self.get(counter).await.unwrap();
            assert_eq!(number(&there, NUMBER), total, "{}", self.name);
        }
    }

    /// What is taken from one item is in another one, and each transfer has one record.
    async fn transfers(self) {
        const ACCOUNTS: [usize; 4] = [0, 1, 2, 3];
        let rounds = self.races.rounds;
        let transferred = self.run(move |race, task| async move {
            let mut random = Random::new(u64::try_from(task).unwrap());
            for _ in 0..rounds {
                let accounts = random.some(&ACCOUNTS, 2);
                let [from, to] = [race.key(accounts[0]), race.key(accounts[1])];
                let transfer = race.transaction([add(from, -1), add(to, 1)]);
                assert!(race.commit(&transfer).await, "{}", race.name);
                // Written already, so that nothing more is.
                assert!(race.commit(&transfer).await, "{}", race.name);
            }
        });
        transferred.await;
        let accounts = self.partition(&self.key("").pk).await;
        let total: i64 = accounts.iter().map(|item| number(item, NUMBER)).sum();
        assert_eq!(total, 0, "{}", self.name);
        let records = self.partition(&self.prefix).await;
        assert_eq!(records.len(), self.races.tasks * rounds, "{}", self.name);
    }

    /// Who writes an item only if its version is the one that was read overwrites nothing of others.
    async fn versions(self) {
        let first = item(self.key("item"), [(VERSION, Value::number(1))]);
        let condition = Condition::Absent;
        let create = Action::Put {
            item: first,
            condition,
        };
        assert!(self.commit(&self.transaction([create])).await);
        let rounds = self.races.rounds;
        let wrote = self.run(move |race, task| async move {
            for round in 0..rounds {
                while !race.write_version(&format!("{task}.{round}")).await {}
            }
        });
        wrote.await;
        let total = self.races.tasks * rounds;
        let there = self.get("item").await.unwrap();
        let Value::StringSet(writers) = &there["a"] else {
            panic!("{}: {there:?}", self.name);
        };
        assert_eq!(writers.len(), total, "{}", self.name);
        let version = i64::try_from(total + 1).unwrap();
        assert_eq!(number(&there, VERSION), version, "{}", self.name);
    }

    /// Adds a writer to the item as it is read, and returns whether the item was still so.
    async fn write_version(&self, writer: &str) -> bool {
        let mut item = self.get("item").await.unwrap();
        let version = u64::try_from(number(&item, VERSION)).unwrap();
        let mut writers = match item.remove("a") {
            Some(Value::StringSet(writers)) => writers,
            _ => BTreeSet::new(),
        };
        writers.insert(writer.to_owned());
        item.insert("a".to_owned(), Value::StringSet(writers));
        item.insert(VERSION.to_owned(), Value::number(version + 1));
        let condition = Condition::Version(version);
        let put = Action::Put { item, condition };
        self.commit(&self.transaction([put])).await
    }

    /// Single updates: each number is written over a smaller one only, so the greatest stays.
    async fn updates(self) {
        let rounds = self.races.rounds;
        let updated = self.run(move |race, task| async move {
            for round in 0..rounds {
                let value = Value::number(task + round * 7 % rounds);
                race.update(Update {
                    key: race.key("greatest"),
                    add: None,
                    set: vec![(NUMBER, value.clone())],
                    remove: Vec::new(),
                    condition: Condition::AbsentOrLess(NUMBER, value),
                })
                .await;
            }
        });
        updated.await;
        let there = self.get("greatest").await.unwrap();
        let sevens = (0..rounds).map(|round| round * 7 % rounds).max().unwrap();
        let greatest = i64::try_from(self.races.tasks - 1 + sevens).unwrap();
        assert_eq!(number(&there, NUMBER), greatest, "{}", self.name);
    }

    async fn update(&self, update: Update) {
        for _ in 0..ATTEMPTS {
            match self.table.update(update.clone()).await {
                Ok(_) => return,
                Err(StoreError::Busy(_)) => tokio::task::yield_now().await,
                Err(error) => panic!("{}: {error}", self.name),
            }
        }
        panic!("{}: still busy", self.name);
    }

    /// The index has what the items say, after they were written, moved and deleted.
    async fn index(self) {
        const ITEMS: [usize; 5] = [0, 1, 2, 3, 4];
        let rounds = self.races.rounds;
        let partition = format!("{}#USERS", self.prefix);
        let place = partition.clone();
        let wrote = self.run(move |race, task| {
            let place = place.clone();
            async move {
                let mut random = Random::new(u64::try_from(task).unwrap());
                for _ in 0..rounds {
                    let keys = random.some(&ITEMS, 2).into_iter().map(|sk| race.key(sk));
                    let transaction = match random.below(3) {
                        0 => deletion(keys.collect()),
                        _ => race.transaction(keys.map(|key| {
                            let sort = Value::string(random.below(9));
                            let place = [(INDEX_PK, Value::string(&place)), (INDEX_SK, sort)];
                            let condition = Condition::Always;
                            let item = item(key, place);
                            Action::Put { item, condition }
                        })),
                    };
                    race.commit(&transaction).await;
                }
            }
        });
        wrote.await;
        let items = self.partition(&self.key("").pk).await;
        let place = |item: &Item| (item[INDEX_SK].clone(), key_of(item));
        let expected: Vec<(Value, Key)> = items.iter().map(place).collect();
        let range = IndexRange {
            partition: &partition,
            above: None,
            limit: None,
        };
        let found = self.table.read_index(range, None).await.unwrap().entries;
        let found = found.into_iter();
        let mut found: Vec<(Value, Key)> = found
            .map(|entry| (Value::String(entry.sort), entry.key))
            .collect();
        found.sort_by(|(_, a), (_, b)| a.cmp(b));
        assert_eq!(found, expected, "{}", self.name);
    }
}

fn item<const N: usize>(key: Key, attributes: [(&str, Value); N]) -> Item {
    let keys = [(PK, Value::String(key.pk)), (SK, Value::String(key.sk))];
    let all = keys.into_iter().chain(attributes);
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn add(key: Key, number: i64) -> Action {
    Action::Update(Update {
        key,
        add: Some((NUMBER, number)),
        set: Vec::new(),
        remove: Vec::new(),
        condition: Condition::Always,
    })
}

fn number(item: &Item, name: &str) -> i64 {
    match item.get(name) {
        Some(Value::Number(number)) => number.parse().unwrap(),
        _ => 0,
    }
}
