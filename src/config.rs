//! Configuration from the environment, and the clock.

use std::ops::RangeInclusive;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use jiff::{Timestamp, Unit};
use scim::event::Content;
use tracing_subscriber::filter::LevelFilter;

use crate::directory::access_token::{DEFAULT_LIFETIME_MINUTES, LIFETIME_MINUTES};
use crate::directory::audit::{DEFAULT_RETENTION_DAYS, RETENTION_DAYS};

/// Whether CloudWatch makes metrics for each route too, which cost as much as the others for each route in use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RouteMetrics {
    /// For all routes together only.
    #[default]
    Off,
    /// For each route too.
    On,
}

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
/// How many minutes an access token lives.
pub const ACCESS_TOKEN_VARIABLE: &str = "SCIM_ACCESS_TOKEN_MINUTES";
/// How many days a new API key lives, unless its operator says otherwise.
pub const API_KEY_DAYS_VARIABLE: &str = "SCIM_API_KEY_DAYS";
/// How many days that may be.
const API_KEY_DAYS: RangeInclusive<u32> = 1..=3650;
/// How much of a change an event has: `Notice` (names of attributes only) or `Full` (the whole resource).
pub const EVENTS_VARIABLE: &str = "SCIM_EVENTS";
/// Name or ARN of the EventBridge bus that gets the events.
pub const EVENT_BUS_VARIABLE: &str = "SCIM_EVENT_BUS";
/// URL of the SQS queue for stream records that cannot be understood.
pub const DEAD_LETTER_QUEUE_VARIABLE: &str = "SCIM_DEAD_LETTER_QUEUE";
/// Level of the log: `off`, `error`, `warn`, `info`, `debug` or `trace`.
pub const LOG_VARIABLE: &str = "SCIM_LOG";
/// Name that distinguishes the metrics of several instances in one account.
pub const STACK_VARIABLE: &str = "SCIM_STACK";
/// `On` makes metrics for each route too.
pub const ROUTE_METRICS_VARIABLE: &str = "SCIM_ROUTE_METRICS";
/// The table's name where none is configured.
pub const DEFAULT_TABLE: &str = "paradigm-scim";
/// The configuration of an instance. The environment is read once, and this is passed down.
#[derive(Debug, Clone)]
pub struct Config {
    /// Whether SCIM is activated.
    pub is_activated: bool,
    /// Scheme and host for `meta.location` and `Location`; without it, those of each request.
    pub public_url: Option<String>,
    /// `documentationUri` of `/ServiceProviderConfig`; without it, that has none.
    pub documentation_uri: Option<String>,
    /// Name of the DynamoDB table.
    pub table: String,
    /// Another endpoint with DynamoDB's API.
    pub dynamodb_endpoint_url: Option<String>,
    /// How many days audit records are kept, or why the variable cannot be used.
    pub audit_retention_days: Result<u32, String>,
    /// How many minutes an access token lives, or why the variable cannot be used.
    pub access_token_minutes: Result<u32, String>,
    /// How many days a new API key lives by default, if there is a default, or why the variable cannot be used.
    pub api_key_days: Result<Option<u32>, String>,
    /// How events are published, or which variable is missing or wrong.
    pub events: Result<EventConfig, String>,
    /// The instance's name in metrics.
    pub stack: Option<String>,
    /// Whether there are metrics for each route too.
    pub route_metrics: RouteMetrics,
    /// Level of the log.
    pub log_level: Option<LevelFilter>,
}

/// How events about changes are published.
#[derive(Debug, Clone)]
pub struct EventConfig {
    /// What events hold.
    pub content: Content,
    /// Name or ARN of the EventBridge bus.
    pub bus: String,
    /// URL of the SQS queue for records that cannot be understood.
    pub dead_letter_queue: String,
}

impl Default for Config {
    fn default() -> Self {
        Self::from_variables(|_| None)
    }
}

impl Config {
    /// Reads the variables by `read_raw`, such as [`std::env::var`]. An empty one is as good as absent.
    pub fn from_variables(read_raw: impl Fn(&str) -> Option<String>) -> Self {
        let read = |name: &str| read_raw(name).filter(|value| !value.trim().is_empty());
        Self {
            is_activated: read(ACTIVATION_VARIABLE).is_some_and(|value| is_activated(&value)),
            public_url: read(PUBLIC_URL_VARIABLE),
            documentation_uri: read(DOCUMENTATION_VARIABLE).map(|uri| uri.trim().to_owned()),
            table: read(TABLE_VARIABLE).unwrap_or_else(|| DEFAULT_TABLE.to_owned()),
            dynamodb_endpoint_url: read(ENDPOINT_VARIABLE),
            // An empty one is refused: records that were to be kept for long would be lost.
            audit_retention_days: match read_raw(AUDIT_RETENTION_VARIABLE) {
                Some(days) => number(AUDIT_RETENTION_VARIABLE, &days, "days", &RETENTION_DAYS),
                None => Ok(DEFAULT_RETENTION_DAYS),
            },
            access_token_minutes: match read(ACCESS_TOKEN_VARIABLE) {
                Some(minutes) => number(
                    ACCESS_TOKEN_VARIABLE,
                    &minutes,
                    "minutes",
                    &LIFETIME_MINUTES,
                ),
                None => Ok(DEFAULT_LIFETIME_MINUTES),
            },
            api_key_days: read(API_KEY_DAYS_VARIABLE)
                .map(|days| number(API_KEY_DAYS_VARIABLE, &days, "days", &API_KEY_DAYS))
                .transpose(),
            events: EventConfig::from_variables(read),
            stack: read(STACK_VARIABLE),
            route_metrics: match read(ROUTE_METRICS_VARIABLE).as_deref() {
                Some("On") => RouteMetrics::On,
                _ => RouteMetrics::Off,
            },
            log_level: read(LOG_VARIABLE).and_then(|level| level.parse().ok()),
        }
    }

    /// Reads the environment of this process.
    #[must_use]
    pub fn from_env() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }
}

impl EventConfig {
    fn from_variables(read: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let required = |name| read(name).ok_or_else(|| format!("{name} is not set"));
        Ok(Self {
            content: match required(EVENTS_VARIABLE)?.as_str() {
                "Notice" => Content::Notice,
                "Full" => Content::Full,
                _ => return Err(format!("{EVENTS_VARIABLE} must be Notice or Full")),
            },
            bus: required(EVENT_BUS_VARIABLE)?,
            dead_letter_queue: required(DEAD_LETTER_QUEUE_VARIABLE)?,
        })
    }
}

/// Returns whether the value activates SCIM: only `True` and `true` do.
fn is_activated(value: &str) -> bool {
    matches!(value, "True" | "true")
}

/// Reads a variable that has a number of units, or says what it must have.
fn number(
    variable: &str,
    value: &str,
    unit: &str,
    range: &RangeInclusive<u32>,
) -> Result<u32, String> {
    let number = value.parse().ok();
    number
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            format!("{variable} must be a number of {unit} from {least} to {most}")
        })
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
    /// Returns the current time, to the millisecond, by the wall clock.
    fn now(&self) -> Timestamp;

    /// Returns the time since some fixed moment, by the monotonic clock.
    fn monotonic(&self) -> Duration;

    /// Returns the current time by both clocks.
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
        static FIRST_USE: LazyLock<Instant> = LazyLock::new(Instant::now);
        FIRST_USE.elapsed()
    }
}
