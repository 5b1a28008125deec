//! Exponential backoff with jitter and a deadline.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::StoreError;

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(640);

/// The attempts at one operation, until its retry budget is used up.
#[derive(Debug)]
pub struct Backoff {
    end: Instant,
    next: Duration,
}

impl Backoff {
    /// Begins the attempts.
    #[must_use]
    pub fn new(budget: Duration) -> Self {
        Self {
            end: Instant::now() + budget,
            next: FIRST_PAUSE,
        }
    }

    /// Waits before another attempt; returns `false` if the budget leaves no time for one.
    pub async fn pause(&mut self) -> bool {
        let pause = self.next / 2 + jitter(self.next);
        if Instant::now() + pause >= self.end {
            return false;
        }
        sleep(pause).await;
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        true
    }
}

/// Repeats an operation while the store is busy.
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

/// Returns a random duration of up to one pause.
fn jitter(pause: Duration) -> Duration {
    let [.., random] = *Uuid::now_v7().as_bytes();
    pause * u32::from(random) / 255
}
