//! Pauses between attempts: longer each time, never quite the same for two rivals, and an end.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::StoreError;

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(640);

/// Attempts at one thing, for so long.
pub(super) struct Backoff {
    end: Instant,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            end: Instant::now() + patience,
            next: FIRST_PAUSE,
        }
    }

    /// Waits before another attempt; `false` if there is no time for one.
    pub(super) async fn pause(&mut self) -> bool {
        let pause = self.next / 2 + jitter(self.next);
        if Instant::now() + pause >= self.end {
            return false;
        }
        sleep(pause).await;
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        true
    }
}

/// Does something again while the store is busy.
pub(super) async fn while_busy<T>(
    timeout: Duration,
    attempt: impl AsyncFn() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut backoff = Backoff::new(timeout);
    loop {
        match attempt().await {
            Err(StoreError::Busy(_)) if backoff.pause().await => {}
            result => return result,
        }
    }
}

/// Up to one pause.
fn jitter(pause: Duration) -> Duration {
    let [.., random] = *Uuid::now_v7().as_bytes();
    pause * u32::from(random) / 255
}
