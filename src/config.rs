//! Configuration from the environment, and the clock.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use jiff::{Timestamp, Unit};

/// Turns the feature on for the instance: `True` or `true`.
pub const ACTIVATION_VARIABLE: &str = "SCIM_INSTANCE_ACTIVATION";
/// Name of the DynamoDB table.
pub const TABLE_VARIABLE: &str = "SCIM_TABLE";
/// Scheme and host that clients use, such as `https://paradigm.lighton.ai`.
pub const PUBLIC_URL_VARIABLE: &str = "SCIM_PUBLIC_URL";
/// Another endpoint with DynamoDB's API; empty for DynamoDB itself. The SDK has a variable of its
/// own for it, but panics if that is empty, as a template's parameter may be.
pub const ENDPOINT_VARIABLE: &str = "SCIM_DYNAMODB_ENDPOINT_URL";
/// URL of documentation for people, in `/ServiceProviderConfig` (RFC 7643 §5).
pub const DOCUMENTATION_VARIABLE: &str = "SCIM_DOCUMENTATION_URI";
/// How many days audit records are kept.
pub const AUDIT_RETENTION_VARIABLE: &str = "SCIM_AUDIT_RETENTION_DAYS";
/// What is told of changes: `Notice` (names of attributes only) or `Full` (the whole resource).
pub const EVENTS_VARIABLE: &str = "SCIM_EVENTS";
/// Name or ARN of the EventBridge bus that is told.
pub const EVENT_BUS_VARIABLE: &str = "SCIM_EVENT_BUS";
/// URL of the SQS queue that is told of stream records that cannot be understood.
pub const DEAD_LETTER_QUEUE_VARIABLE: &str = "SCIM_DEAD_LETTER_QUEUE";
/// The table's name where none is configured.
pub const DEFAULT_TABLE: &str = "paradigm-scim";
/// Where all routes are, below the public URL.
pub const BASE_PATH: &str = "/scim/v2";

/// What an instance is told about itself.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Whether SCIM is activated.
    pub is_activated: bool,
    /// Scheme and host for `meta.location` and `Location`; without it, those of each request.
    pub public_url: Option<String>,
    /// `documentationUri` of `/ServiceProviderConfig`; without it, that has none.
    pub documentation_uri: Option<String>,
}

impl Config {
    /// Reads the variables by `read`, such as [`std::env::var`].
    pub fn from_variables(read: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            is_activated: read(ACTIVATION_VARIABLE).is_some_and(|value| is_activated(&value)),
            public_url: read(PUBLIC_URL_VARIABLE)
                .filter(|url| !url.is_empty())
                .map(|url| origin_of(&url)),
            documentation_uri: read(DOCUMENTATION_VARIABLE)
                .map(|uri| uri.trim().to_owned())
                .filter(|uri| !uri.is_empty()),
        }
    }

    /// Reads the environment of this process.
    #[must_use]
    pub fn from_env() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }
}

/// Anything but these two words leaves SCIM off.
fn is_activated(value: &str) -> bool {
    matches!(value, "True" | "true")
}

/// A public URL without [`BASE_PATH`] and trailing slash, which are easily copied with it.
#[must_use]
pub fn origin_of(url: &str) -> String {
    let url = url.trim_end_matches('/');
    url.strip_suffix(BASE_PATH)
        .unwrap_or(url)
        .trim_end_matches('/')
        .to_owned()
}

/// A moment by both clocks of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// By the wall clock, which may be set forward and back.
    pub wall: Timestamp,
    /// By the monotonic clock: time since some fixed moment. It is never set, but may stand still while the
    /// process is paused, as Lambda pauses it between requests.
    pub monotonic: Duration,
}

/// Reads the time; tests hold it still.
pub trait Clock: Send + Sync {
    /// Now, to the millisecond, by the wall clock.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment, by the monotonic clock.
    fn monotonic(&self) -> Duration;

    /// Now by both clocks.
    fn moment(&self) -> Moment {
        Moment {
            wall: self.now(),
            monotonic: self.monotonic(),
        }
    }
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        now.round(Unit::Millisecond).unwrap_or(now)
    }

    fn monotonic(&self) -> Duration {
        static FIRST_ASKED: LazyLock<Instant> = LazyLock::new(Instant::now);
        FIRST_ASKED.elapsed()
    }
}
