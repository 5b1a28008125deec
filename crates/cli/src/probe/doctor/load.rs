//! What rate an instance sustains.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::report::CheckResult;
use crate::probe::endpoint::{MAX_CONNECTIONS, Response};

/// How long requests are begun.
const DURATION: Duration = Duration::from_secs(3);
/// The rate that Microsoft asks of an endpoint, in requests per second.
const REQUESTED_RATE: f64 = 25.0;

/// What came of the requests.
#[derive(Default)]
struct Tally {
    successful: u32,
    throttled: u32,
    errors: u32,
}

/// Sends requests by `send` over all connections at once, each when the one before has its response.
pub(super) fn sustain(send: impl Fn() -> Result<Response, String> + Sync) -> CheckResult {
    let tally = Mutex::new(Tally::default());
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..MAX_CONNECTIONS {
            scope.spawn(|| {
                while started.elapsed() < DURATION {
                    let response = send();
                    let Ok(mut tally) = tally.lock() else { return };
                    match response.as_ref().map(|response| response.status) {
                        Ok(200..=299) => tally.successful += 1,
                        Ok(429) => tally.throttled += 1,
                        Ok(_) => tally.errors += 1,
                        Err(_) => {
                            tally.errors += 1;
                            // After an error the next request would only fail faster.
                            return;
                        }
                    }
                }
            });
        }
    });
    let took = started.elapsed().as_secs_f64();
    tally.into_inner().unwrap_or_default().finding(took)
}

impl Tally {
    fn finding(&self, seconds: f64) -> CheckResult {
        let rate = f64::from(self.successful) / seconds;
        let saw = format!(
            "{rate:.0} requests a second over {MAX_CONNECTIONS} connections in {seconds:.1} s, {} refused with 429, {} failed",
            self.throttled, self.errors
        );
        let finding = if self.successful == 0 {
            CheckResult::failed(saw, "See the instance's log and the metric Errors.")
        } else if self.errors > 0 {
            CheckResult::warned(
                saw,
                "See the instance's log and the metric Errors for what failed.",
            )
        } else if rate >= REQUESTED_RATE {
            CheckResult::passed(saw)
        } else if self.throttled > 0 {
            CheckResult::warned(
                saw,
                "Raise the throttling limits of the API's stage, or the concurrency the functions may have: Microsoft asks for 25 requests a second.",
            )
        } else {
            CheckResult::warned(
                saw,
                "Give the functions more memory (MemorySize in the template), or run this nearer to the instance: Microsoft asks for 25 requests a second.",
            )
        };
        finding.measuring(json!({
            "requestsPerSecond": (rate * 10.0).round() / 10.0,
            "seconds": (seconds * 10.0).round() / 10.0,
            "connections": MAX_CONNECTIONS,
            "answered": self.successful,
            "throttled": self.throttled,
            "errors": self.errors,
        }))
    }
}
