//! What an engine provides: a table of items, with one index.
//!
//! Access paths, layout, `check`, audit and erasure are above this trait and exist once, for all engines.

use std::fmt;

use futures_util::future::BoxFuture;

use super::StoreError;
use super::layout::{Item, Key, VERSION, Value};
use super::transaction::{Condition, Transaction, Update};

/// Most keys of one [`Table::get_many`].
pub const BATCH_SIZE: usize = 100;

/// Items from one read, and where the next one goes on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The items.
    pub items: Vec<Item>,
    /// What to pass as `after` to read on; `None` if there is nothing more.
    pub next: Option<Key>,
}

/// The items of one partition to read.
#[derive(Debug, Clone, Copy)]
pub struct PartitionRange<'r> {
    /// The partition key.
    pub pk: &'r str,
    /// The first and the last sort key; `None` for all.
    pub between: Option<(&'r str, &'r str)>,
}

/// The entries of one partition of the index to read.
#[derive(Debug, Clone, Copy)]
pub struct IndexRange<'r> {
    /// The value of [`INDEX_PK`](super::layout::INDEX_PK).
    pub partition: &'r str,
    /// Only entries whose sort key is greater, by its UTF-8 bytes; `None` for all.
    pub above: Option<&'r str>,
    /// Most entries to return; `None` for as many as one read gives.
    pub limit: Option<usize>,
}

/// An item's place in the index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexEntry {
    /// The value of [`INDEX_SK`](super::layout::INDEX_SK), which several items may have.
    pub sort: String,
    /// The key of the item.
    pub key: Key,
}

/// Entries of the index from one read, and where the next one goes on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IndexPage {
    /// The entries.
    pub entries: Vec<IndexEntry>,
    /// What to pass as `after` to read on; `None` if there is nothing more.
    pub next: Option<IndexEntry>,
}

/// Which attributes a scan returns.
#[derive(Debug, Clone, Copy)]
pub enum Attributes {
    /// All of them.
    All,
    /// These, and the keys.
    KeysAnd(&'static [&'static str]),
}

/// The reason why a transaction was not written.
#[derive(Debug)]
pub enum CommitError {
    /// These actions' conditions did not hold: their positions, in order. Nothing was written.
    Conditions(Vec<usize>),
    /// Anything else. After [`StoreError::Busy`] it is unknown whether the transaction was written, and it may be
    /// committed again.
    Store(StoreError),
}

impl From<StoreError> for CommitError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Something that a table needs to serve requests.
#[derive(Debug)]
pub struct ReadinessCheck {
    /// What is needed, in a word: a released name keeps its meaning.
    pub name: &'static str,
    /// Whether it is so, or why not.
    pub outcome: Result<(), StoreError>,
}

/// A table of items by [`Key`], with one sparse index.
///
/// An item is in the index if it has the attributes [`INDEX_PK`](super::layout::INDEX_PK) and
/// [`INDEX_SK`](super::layout::INDEX_SK), which are strings. An engine may drop an item some time after its
/// [`TTL`](super::layout::TTL), in seconds since 1970; callers do not rely on when.
///
/// What conditions and updates mean is written down in `store::memory::semantics`. `test_support::histories` compares
/// every engine with the one in memory.
///
/// # Values
///
/// Every [`Value`] is read as it was written: every type, every character, and names of members
/// with a NUL too. The text of a user's [`DOCUMENT`](super::layout::DOCUMENT) keeps every byte. Numbers keep their value
/// but not their text: `1e2` may be read as `100`.
///
/// Callers write items of less than 400 kB, and keys of less than 1 kB. Keys and what is in the index are never empty and
/// have no NUL.
///
/// # Consistency
///
/// All reads except those of the index see every write that succeeded before they began. The index may lag behind by
/// moments. Several items of one read, and several pages, need not be of one moment: a reader may see half of a
/// transaction, and `check` reads again for that reason. Index entries may be of items that are deleted meanwhile.
///
/// # Pages
///
/// An engine ends a page where it likes, but not before the first item. The item or entry that `after` names may have
/// been deleted meanwhile, or may never have been there: reading goes on with what is behind it. It must be in the range
/// that is read.
///
/// # Errors
///
/// [`StoreError::Busy`] if the same call may succeed later, [`StoreError::Refused`] if not. An engine may repeat a call
/// by itself for a few seconds, and it must give up in time: a write with its repetitions must end within about 13 s.
/// No error has anything of an item in its text, because that may be personal.
///
/// # Usage
///
/// Every call counts in [`usage`](super::usage), and so does every repetition that an engine makes by itself. Capacity
/// units count on DynamoDB only.
///
/// # What engines may do, and what each does
///
/// | | DynamoDB | in memory | PostgreSQL |
/// | --- | --- | --- | --- |
/// | recognises the id of a transaction that is committed again | yes; the embedded store: no | no | no |
/// | reads a number as it was written | in DynamoDB's notation | yes | yes |
/// | lets the index lag behind | yes; the embedded store: no | no | no |
/// | drops items after their time | yes; the embedded store: no | no | yes |
/// | returns [`StoreError::Busy`] | yes | no | yes |
/// | ends a page | after 1 MB | after 1,000 items | after 200 items or 10,000 entries |
/// | refuses a check of [`Condition::Always`] | yes | no | no |
/// | can be read before it is safe, so that [`confirm`](Self::confirm) has to wait | no | no | with replicas |
pub trait Table: fmt::Debug + Send + Sync {
    /// Returns an item.
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>>;

    /// Returns those of up to [`BATCH_SIZE`] items that are there, in no particular order. The keys differ.
    fn get_many(&self, keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>>;

    /// Reads a partition, sorted by the UTF-8 bytes of the sort key.
    fn read_partition<'a>(
        &'a self,
        range: PartitionRange<'a>,
        after: Option<Key>,
    ) -> BoxFuture<'a, Result<Page, StoreError>>;

    /// Reads a partition of the index, sorted by the UTF-8 bytes of the sort key; entries with the same sort key are in
    /// an order that does not change.
    fn read_index<'a>(
        &'a self,
        range: IndexRange<'a>,
        after: Option<IndexEntry>,
    ) -> BoxFuture<'a, Result<IndexPage, StoreError>>;

    /// Carries out all actions of a transaction, or none.
    ///
    /// All conditions are evaluated, also after one that does not hold, and all actions whose conditions do not hold
    /// are reported: the caller decides which of them matters most. Either the transaction is isolated from all others
    /// that have an item in common with it, or the call ends with [`StoreError::Busy`].
    ///
    /// The caller commits the same transaction again after [`StoreError::Busy`]. An engine may recognise its id and
    /// succeed without writing again. An engine that does not is safe too: once the transaction is written, its own
    /// conditions no longer hold, above all that the audit record of this very change is absent. The few repairs
    /// without a record write the same again, or nothing.
    ///
    /// Deleting an absent item need not take a lock. That is safe because the lookup items of a user change only in
    /// transactions with the user's own item, which is written only if its version has not changed: of two concurrent
    /// changes of one user, one fails. An engine that locks items in the order of their keys locks the user's item
    /// first, because it sorts before the lookup items.
    ///
    /// A transaction has at most [`MAX_ACTIONS`](super::transaction::MAX_ACTIONS) actions and 4 MB.
    fn commit<'a>(&'a self, transaction: &'a Transaction)
    -> BoxFuture<'a, Result<(), CommitError>>;

    /// Updates one item by itself, and returns whether the condition held; if not, nothing changed.
    ///
    /// Fails with [`StoreError::Refused`] if it adds to an attribute that is not a number. So does a transaction with
    /// such an update, if all its conditions hold.
    ///
    /// It may cost half of what a transaction does. An update whose response was lost may be carried out twice, so it
    /// is only for what that does not harm.
    fn update(&self, update: Update) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Returns once everything that reads show now is as safe as what a commit has acknowledged.
    ///
    /// The caller does this before it reports a success that no commit of its own has acknowledged: after a lost
    /// response it finds its transaction written, or a user already as a client wants it. On an engine that waits for
    /// replicas, a commit whose wait was cut short can be read, but the loss of a server may still undo it. An engine
    /// whose reads only show what is safe does nothing.
    fn confirm(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Reads up to so many items of the whole table, consistently and in no particular order: for `check` only. An item
    /// that is there from the first page to the last is returned exactly once.
    fn scan(
        &self,
        attributes: Attributes,
        after: Option<Key>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page, StoreError>>;

    /// Returns about how many items there are, if that is known without counting: for the progress of `check`.
    fn approximate_items(&self) -> BoxFuture<'_, Option<u64>>;

    /// Checks what the table needs to serve requests, one after another until something is missing. It changes nothing.
    fn readiness(&self) -> BoxFuture<'_, Vec<ReadinessCheck>>;
}

/// Checks that a table can be read (`reachable`) and written (`writable`), by a read and a conditional write of an item
/// that is absent. That shows that the table takes writes, and not that there is space for them.
pub async fn read_and_write(table: &dyn Table) -> Vec<ReadinessCheck> {
    let reachable = ReadinessCheck {
        name: "reachable",
        outcome: table.get(absent()).await.map(drop),
    };
    if reachable.outcome.is_err() {
        return vec![reachable];
    }
    vec![reachable, writable(table).await]
}

/// Checks that a table takes writes, as [`read_and_write`] does.
pub async fn writable(table: &dyn Table) -> ReadinessCheck {
    let update = Update::set(absent(), [(VERSION, Value::Null)], Condition::Exists);
    ReadinessCheck {
        name: "writable",
        outcome: table.update(update).await.map(drop),
    }
}

/// Returns the key of an item that is never there.
fn absent() -> Key {
    Key {
        pk: "READINESS".to_owned(),
        sk: "READINESS".to_owned(),
    }
}
