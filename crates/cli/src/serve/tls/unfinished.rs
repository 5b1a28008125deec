//! The handshakes that are not completed yet: a limited number, so that slow ones leave room for others.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Most handshakes at a time. A quarter of the connections, so that clients who have completed theirs find a place.
pub(super) const MAX_HANDSHAKES: usize = 256;

/// All of them by age. Beyond the limit, the oldest gives way: it is most likely one that will never be completed.
#[derive(Default)]
pub(super) struct Unfinished(Mutex<ByAge>);

#[derive(Default)]
struct ByAge {
    next: u64,
    /// Dropping a sender ends the handshake.
    handshakes: BTreeMap<u64, oneshot::Sender<()>>,
}

/// One of them, until it is dropped.
pub(super) struct Handshake<'u> {
    all: &'u Unfinished,
    number: u64,
    displaced: oneshot::Receiver<()>,
}

impl Unfinished {
    /// Begins a handshake, and ends the oldest if they are too many.
    pub(super) fn begin(&self) -> Handshake<'_> {
        let (sender, displaced) = oneshot::channel();
        let mut by_age = self.lock();
        let number = by_age.next;
        by_age.next += 1;
        by_age.handshakes.insert(number, sender);
        if by_age.handshakes.len() > MAX_HANDSHAKES {
            by_age.handshakes.pop_first();
        }
        Handshake {
            all: self,
            number,
            displaced,
        }
    }

    fn lock(&self) -> MutexGuard<'_, ByAge> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handshake<'_> {
    /// Waits until the handshake has to give way.
    pub(super) async fn wait(mut self) {
        // Nothing is ever sent.
        let _ = (&mut self.displaced).await;
    }
}

impl Drop for Handshake<'_> {
    fn drop(&mut self) {
        self.all.lock().handshakes.remove(&self.number);
    }
}
