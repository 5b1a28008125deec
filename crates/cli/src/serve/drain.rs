//! The end of the server: what it still takes, and how far each connection is.

use std::sync::{Arc, Mutex, PoisonError};

/// What the server still takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Connections and requests.
    Serving,
    /// The same, but every response closes its connection, and the server is not ready: proxies stop sending.
    Leaving,
    /// Only the requests that have begun.
    Closing,
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing was received yet.
    New,
    /// A part of a head was received.
    Reading,
    /// A request is being handled.
    Responding,
    /// The response was sent, and nothing of another request was received.
    Idle,
}

/// How far a connection is, as those that read it and those that respond record it.
#[derive(Debug, Clone)]
pub(crate) struct Progress(Arc<Mutex<Stage>>);

impl Default for Progress {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Stage::New)))
    }
}

impl Progress {
    pub(crate) fn stage(&self) -> Stage {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that bytes arrived where a request begins.
    pub(crate) fn has_received(&self) {
        self.move_on(|_| Stage::Reading);
    }

    /// Records that a head is complete.
    pub(crate) fn responds(&self) {
        self.move_on(|_| Stage::Responding);
    }

    /// Records that the next request may come, and nothing of it is there.
    pub(crate) fn waits(&self) {
        self.move_on(|stage| match stage {
            Stage::Responding => Stage::Idle,
            stage => stage,
        });
    }

    fn move_on(&self, next: impl FnOnce(Stage) -> Stage) {
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *stage = next(*stage);
    }
}
