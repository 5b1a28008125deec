//! What one API key may take of a process that serves several companies: requests a second, and
//! requests at a time. A request beyond is delayed first, and refused only if it would wait too long.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use scim::ScimError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::api::rule;
use crate::directory::KeyId;

/// The lowest rate that can be set, in requests a second: identity providers send at half of it.
pub const LOWEST_RATE: u32 = 50;
/// For how many seconds' worth of requests a key that was quiet is not delayed.
pub const BURST: Duration = Duration::from_secs(2);
/// How long a request is delayed at most before it is refused.
pub const LONGEST_DELAY: Duration = Duration::from_secs(5);
/// From this many keys on, those that have been quiet are forgotten before another is added.
const FORGET_FROM: usize = 1024;

/// The limits of every key.
#[derive(Debug)]
pub struct KeyLimits {
    /// Time from one request to the next at the highest rate.
    interval: Duration,
    concurrency: usize,
    keys: Mutex<HashMap<KeyId, Key>>,
}

/// What a key has taken.
#[derive(Debug)]
struct Key {
    /// When all of its requests so far would have come, had they come at the highest rate (the
    /// "theoretical arrival time" of the generic cell rate algorithm).
    spent_until: Instant,
    places: Arc<Semaphore>,
}

/// A place among the requests that a key may make at a time; free again when dropped.
#[derive(Debug)]
pub struct Admission {
    _place: OwnedSemaphorePermit,
}

impl KeyLimits {
    /// Limits of so many requests a second, at least [`LOWEST_RATE`], and so many at a time.
    #[must_use]
    pub fn new(rate: u32, concurrency: NonZeroU32) -> Self {
        Self {
            interval: Duration::from_secs(1) / rate.max(LOWEST_RATE),
            concurrency: usize::try_from(concurrency.get())
                .unwrap_or(Semaphore::MAX_PERMITS)
                .min(Semaphore::MAX_PERMITS),
            keys: Mutex::default(),
        }
    }

    /// Waits until a key may make another request.
    ///
    /// # Errors
    /// 429 with `Retry-After`, if that would take more than [`LONGEST_DELAY`].
    pub async fn admit(&self, key: KeyId) -> Result<Admission, ScimError> {
        let now = Instant::now();
        let (begin, places) = self.reserve(key, now)?;
        // Even a sleep that is over takes until the clock's next tick, a millisecond.
        if begin > now {
            sleep_until(begin).await;
        }
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            return Ok(Admission { _place: place });
        }
        match timeout_at(now + LONGEST_DELAY, places.acquire_owned()).await {
            Ok(Ok(place)) => Ok(Admission { _place: place }),
            Ok(Err(_)) | Err(_) => Err(self.too_many_at_a_time()),
        }
    }

    /// Returns when a request that comes now may begin, and the places that it needs one of.
    fn reserve(&self, id: KeyId, now: Instant) -> Result<(Instant, Arc<Semaphore>), ScimError> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= FORGET_FROM && !keys.contains_key(&id) {
            keys.retain(|_, key| now < key.spent_until || Arc::strong_count(&key.places) > 1);
        }
        let key = keys.entry(id).or_insert_with(|| Key {
            spent_until: now,
            places: Arc::new(Semaphore::new(self.concurrency)),
        });
        let spent_until = key.spent_until.max(now);
        let delay = (spent_until - now).saturating_sub(BURST);
        if delay > LONGEST_DELAY {
            return Err(self.too_many_a_second(delay));
        }
        key.spent_until = spent_until + self.interval;
        Ok((now + delay, Arc::clone(&key.places)))
    }

    fn too_many_a_second(&self, delay: Duration) -> ScimError {
        let rate = (1.0 / self.interval.as_secs_f64()).round();
        // What comes after the whole delay is not delayed at all.
        let seconds = u32::try_from(delay.as_secs() + 1).unwrap_or(u32::MAX);
        ScimError::too_many_requests(
            format!(
                "An API key may send {rate} requests a second; try again in {seconds} s, and send fewer."
            ),
            seconds,
        )
        .rule(rule::KEY_RATE)
    }

    fn too_many_at_a_time(&self) -> ScimError {
        let (places, seconds) = (self.concurrency, 1);
        ScimError::too_many_requests(
            format!(
                "An API key may have {places} requests under way at a time; wait for responses before sending more."
            ),
            seconds,
        )
        .rule(rule::KEY_CONCURRENCY)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const TICK: Duration = Duration::from_millis(2);

    fn limits(rate: u32, concurrency: u32) -> KeyLimits {
        KeyLimits::new(rate, NonZeroU32::new(concurrency).unwrap())
    }

    /// Sends requests at a steady rate for some seconds, each ended at once; how many were refused,
    /// and the longest delay.
    async fn send(limits: &KeyLimits, key: u64, rate: u32, seconds: u32) -> (u32, Duration) {
        let started = Instant::now();
        let requests = (0..rate * seconds).map(|number| async move {
            let at = started + Duration::from_secs(1) / rate * number;
            sleep_until(at).await;
            limits.admit(KeyId::new(key)).await.map(|_| at.elapsed())
        });
        let admitted = futures_util::future::join_all(requests).await;
        let refused = admitted.iter().filter(|admitted| admitted.is_err()).count();
        let delays = admitted.into_iter().filter_map(Result::ok);
        let refused = u32::try_from(refused).unwrap();
        (refused, delays.max().unwrap_or_default())
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_within_its_rate_never_waits_and_others_do_not_matter() {
        let limits = limits(200, 16);
        let greedy = send(&limits, 1, 1000, 20);
        let modest = send(&limits, 2, 200, 20);
        let (greedy, modest) = tokio::join!(greedy, modest);
        assert!(greedy.0 > 0);
        assert_eq!(modest, (0, Duration::ZERO));
    }

    /// The clock ticks once a millisecond: to wait for it would cut the rate of everybody.
    #[tokio::test]
    async fn a_request_within_the_limits_does_not_wait_for_the_clock() {
        let limits = limits(50, 2);
        for _ in 0..100 {
            let admission = limits.admit(KeyId::new(1)).now_or_never();
            assert!(admission.is_some_and(|admission| admission.is_ok()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_rate_below_the_lowest_can_be_set() {
        let limits = limits(1, 16);
        assert_eq!(send(&limits, 1, LOWEST_RATE, 60).await, (0, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_beyond_the_rate_is_delayed_before_any_is_refused() {
        let limits = limits(100, 10_000);
        // 2 s' worth at once, then 5 s' worth in 5 s, then nothing more.
        let (refused, delay) = send(&limits, 1, 700, 1).await;
        assert_eq!(refused, 0);
        assert!(
            (Duration::from_secs(3)..=LONGEST_DELAY).contains(&delay),
            "{delay:?}"
        );
        let limits = self::limits(100, 10_000);
        let (refused, delay) = send(&limits, 1, 1400, 1).await;
        // In that second 2 + 5 s' worth was accepted, and as much again as it lasted.
        assert!((590..=610).contains(&refused), "{refused}");
        // tokio's clock ticks once a millisecond.
        assert!(delay < LONGEST_DELAY + TICK, "{delay:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_says_when_to_try_again_and_then_is_right() {
        let limits = limits(100, 10_000);
        let key = KeyId::new(1);
        let error = loop {
            if let Err(error) = limits.reserve(key, Instant::now()) {
                break error;
            }
        };
        assert_eq!((error.status, error.retry_after), (429, Some(6)));
        tokio::time::advance(Duration::from_secs(6)).await;
        let before = Instant::now();
        limits.admit(key).await.unwrap();
        assert_eq!(before.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_beyond_those_at_a_time_waits_for_another_to_end() {
        let limits = limits(1000, 2);
        let key = KeyId::new(1);
        let first = limits.admit(key).await.unwrap();
        let _second = limits.admit(key).await.unwrap();
        let started = Instant::now();
        let third = limits.admit(key);
        let ending = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            drop(first);
        };
        let (third, ()) = tokio::join!(third, ending);
        let _third = third.unwrap();
        assert_eq!(started.elapsed(), Duration::from_secs(3));
        let error = limits.admit(key).await.unwrap_err();
        assert_eq!((error.status, error.retry_after), (429, Some(1)));
        assert_eq!(started.elapsed(), Duration::from_secs(3) + LONGEST_DELAY);
        // Another key has places of its own.
        limits.admit(KeyId::new(2)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn keys_that_are_quiet_are_forgotten() {
        let limits = limits(50, 2);
        let busy = limits.admit(KeyId::new(0)).await.unwrap();
        for key in 1..10 * FORGET_FROM as u64 {
            limits.admit(KeyId::new(key)).await.unwrap();
            tokio::time::advance(limits.interval).await;
        }
        let keys = limits.keys.lock().unwrap();
        assert!(keys.len() <= FORGET_FROM, "{}", keys.len());
        assert!(keys.contains_key(&KeyId::new(0)), "it is in use");
        drop((keys, busy));
    }
}
