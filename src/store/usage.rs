//! The cost of a request: calls of the engine and capacity. The engine counts them for all that runs inside
//! [`measured`].

use std::cell::Cell;

/// Calls of the engine, repeated ones included, and the capacity units they consumed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Requests sent.
    pub calls: u32,
    /// Read capacity units.
    pub read_units: f64,
    /// Write capacity units.
    pub write_units: f64,
    /// Computing that is counted, in the unit of [`Work`](scim::work::Work).
    pub work: u64,
}

tokio::task_local! {
    static USAGE: Cell<Usage>;
}

/// Runs a future and returns what it used; what it starts in other tasks does not count. It counts for
/// whatever is measured around it, too.
pub async fn measured<T>(work: impl Future<Output = T>) -> (T, Usage) {
    let measured = async {
        let result = work.await;
        (result, USAGE.with(Cell::get))
    };
    let (result, used) = USAGE.scope(Cell::new(Usage::default()), measured).await;
    record(|usage| {
        usage.calls += used.calls;
        usage.read_units += used.read_units;
        usage.write_units += used.write_units;
        usage.work += used.work;
    });
    (result, used)
}

/// Counts the work of a request.
pub fn count_work(work: u64) {
    record(|usage| usage.work += work);
}

/// Changes the usage of what is measured now, for an engine. Work outside of [`measured`] is not counted.
pub fn record(change: impl FnOnce(&mut Usage)) {
    let _ = USAGE.try_with(|usage| {
        let mut changed = usage.get();
        change(&mut changed);
        usage.set(changed);
    });
}
