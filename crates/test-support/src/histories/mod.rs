//! Generated histories of operations. Every engine must return what the reference does, which is the engine in memory.
//!
//! `PROPTEST_CASES` is the number of operations and `PROPTEST_RNG_SEED` the seed, as for the other properties.

mod generate;
mod outcome;
mod pool;
pub mod races;
pub mod random;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use paradigm_scim::store::layout::{Item, Key};
use paradigm_scim::store::memory::Memory;
use paradigm_scim::store::table::{BATCH_SIZE, Table};

use crate::raw::key_of;
use generate::{Generator, Operation};
use outcome::{Outcome, carry_out, deletion};
use pool::Pool;
use random::Random;

const SEED: u64 = 20_261_126;
/// Operations on the same keys.
const OPERATIONS_EACH: u64 = 250;
/// After so many operations each the test says how far it is.
const PROGRESS: u64 = 100_000;
/// Most characters of an operation or outcome in a message.
const SHOWN: usize = 4_000;

/// How many operations to compare.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub operations: u64,
    pub seed: u64,
}

impl Plan {
    /// Returns so many operations, unless the environment says otherwise.
    pub fn of(operations: u64) -> Self {
        let set = |name: &str| {
            let text = std::env::var(name).ok()?;
            Some(
                text.parse()
                    .unwrap_or_else(|_| panic!("{name} is a number")),
            )
        };
        Self {
            operations: set("PROPTEST_CASES").unwrap_or(operations),
            seed: set("PROPTEST_RNG_SEED").unwrap_or(SEED),
        }
    }
}

/// How many operations were compared, by kind and result.
#[derive(Debug, Default)]
pub struct Tally(BTreeMap<(&'static str, &'static str), u64>);

impl Tally {
    fn count(&mut self, operation: &Operation, outcome: &Outcome) {
        let operation = match operation {
            Operation::Get(_) => "get",
            Operation::GetMany(_) => "get_many",
            Operation::ReadPartition { .. } => "read_partition",
            Operation::ReadIndex { .. } => "read_index",
            Operation::DeleteAlongIndex { .. } => "read_index, deleting",
            Operation::Commit(_) => "commit",
            Operation::CommitTwice(_) => "commit twice",
            Operation::Update(_) => "update",
            Operation::Scan { .. } => "scan",
        };
        let outcome = match outcome {
            Outcome::Items(items) if items.is_empty() => "nothing",
            Outcome::Entries(entries) if entries.is_empty() => "nothing",
            Outcome::Items(_) | Outcome::Entries(_) => "something",
            Outcome::Written => "written",
            Outcome::Conditions(_) => "conditions",
            Outcome::Refused(_) => "refused",
            Outcome::Broken(_) => "broken",
        };
        *self.0.entry((operation, outcome)).or_default() += 1;
    }

    /// Returns how many operations of a kind had a result.
    pub fn of(&self, operation: &'static str, outcome: &'static str) -> u64 {
        self.0.get(&(operation, outcome)).copied().unwrap_or(0)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: u64 = self.0.values().sum();
        write!(f, "{total} operations")?;
        for ((operation, outcome), number) in &self.0 {
            write!(f, "\n{number:>9} {operation}: {outcome}")?;
        }
        Ok(())
    }
}

/// Runs generated histories on every engine, and fails if the result of an operation differs from that in memory.
///
/// Other programs may use the tables at the same time: each history has keys of its own, and deletes its items.
pub async fn assert_agreement(engines: &[(&str, Arc<dyn Table>)], plan: Plan) -> Tally {
    println!("PROPTEST_RNG_SEED={}", plan.seed);
    let mut random = Random::new(plan.seed);
    let mut tally = Tally::default();
    let mut left = plan.operations;
    while left > 0 {
        let operations = left.min(OPERATIONS_EACH);
        let mut history = History {
            reference: Memory::new(),
            engines,
            pool: Pool::new(),
            seed: plan.seed,
            begin: plan.operations - left,
        };
        history.run(&mut random, operations, &mut tally).await;
        left -= operations;
        let done = plan.operations - left;
        if done.is_multiple_of(PROGRESS) {
            println!("{done} operations agree");
        }
    }
    tally
}

/// Operations on the same keys.
struct History<'h> {
    reference: Memory,
    engines: &'h [(&'h str, Arc<dyn Table>)],
    pool: Pool,
    seed: u64,
    /// The number of operations before.
    begin: u64,
}

impl History<'_> {
    async fn run(&mut self, random: &mut Random, operations: u64, tally: &mut Tally) {
        for number in 1..=operations {
            let items = self.items().await;
            let mut generator = Generator {
                random,
                pool: &mut self.pool,
                items: &items,
            };
            let operation = generator.operation();
            let outcome = self.compare(&operation, self.begin + number).await;
            tally.count(&operation, &outcome);
        }
        // What the operations left, read and then deleted.
        for keys in self.pool.all().chunks(BATCH_SIZE) {
            let end = self.begin + operations;
            let read = Operation::GetMany(keys.to_vec());
            self.compare(&read, end).await;
            let delete = Operation::Commit(deletion(keys.to_vec()));
            self.compare(&delete, end).await;
        }
    }

    /// Returns the items that are there.
    async fn items(&self) -> BTreeMap<Key, Item> {
        let keys = self.pool.keys.clone();
        let found = self.reference.get_many(keys).await.unwrap();
        found
            .into_iter()
            .map(|item| (key_of(&item), item))
            .collect()
    }

    /// Carries out an operation on all engines, and returns its outcome, which must be the same.
    async fn compare(&self, operation: &Operation, number: u64) -> Outcome {
        let expected = carry_out(&self.reference, operation, &self.pool).await;
        let about = || {
            let operation = shown(operation);
            format!("operation {number} of seed {}: {operation}", self.seed)
        };
        if let Outcome::Broken(reason) = &expected {
            panic!("in memory: {reason}\n{}", about());
        }
        for (name, engine) in self.engines {
            let found = carry_out(&**engine, operation, &self.pool).await;
            assert!(
                found == expected,
                "{name} differs in {}\nin memory: {}\n{name}: {}",
                about(),
                shown(&expected),
                shown(&found)
            );
        }
        expected
    }
}

fn shown(value: &impl fmt::Debug) -> String {
    let mut text = format!("{value:?}");
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push('…');
    }
    text
}
