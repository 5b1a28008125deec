//! Logs and metrics. Nothing personal is ever logged: no userName, email, name, token, body or filter
//! value.

mod json_line;

use std::fmt;
use std::io::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Config, RouteMetrics};

/// The crates whose log has the configured level: the service and its programs, and the embedded store.
const OWN_CRATES: [&str; 2] = ["paradigm_scim", "embedded"];
/// Requests as JSON, if not as lines for people.
static REQUEST_LINES: OnceLock<RequestLines> = OnceLock::new();

/// The JSON that a request is logged as.
enum RequestLines {
    /// With the metrics that CloudWatch makes of it, to standard output.
    EmbeddedMetrics {
        /// The instance's name.
        stack: String,
        route_metrics: RouteMetrics,
    },
    /// With time and level, to standard error.
    Plain {
        /// The instance's name, if it has one.
        stack: Option<String>,
    },
}

/// Returns what is logged: this program at the configured level or from `info`, everything else from `warn`.
#[must_use]
pub fn log_filter(config: &Config) -> Targets {
    // The SDK and its HTTP stack log request bodies at `debug` and `trace`; they stay at `warn`
    // whatever is configured.
    let own = config.log_level.unwrap_or(LevelFilter::INFO);
    Targets::new()
        .with_default(LevelFilter::WARN)
        .with_targets(OWN_CRATES.map(|name| (name, own)))
}

/// Logs as JSON lines, for CloudWatch.
pub fn log_as_json(config: &Config) {
    // CloudWatch ignores what has an empty dimension.
    REQUEST_LINES.get_or_init(|| RequestLines::EmbeddedMetrics {
        stack: config.stack.clone().unwrap_or_else(|| "unnamed".to_owned()),
        route_metrics: config.route_metrics,
    });
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .without_time()
        .with_current_span(false);
    tracing_subscriber::registry()
        .with(lines)
        .with(log_filter(config))
        .init();
    log_panics();
}

/// Logs as JSON lines to standard error, each with its time and level: for `serve`.
pub fn log_as_json_lines(config: &Config) {
    REQUEST_LINES.get_or_init(|| RequestLines::Plain {
        stack: config.stack.clone(),
    });
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_target(false)
        .with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(lines)
        .with(log_filter(config))
        .init();
    log_panics();
}

/// Logs where the program panics, and not the message, which may have what a client sent.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "the program has a defect here: it panicked");
    }));
}

/// What a request was routed to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Target {
    /// A route: the method of the request, and the path with `{id}`.
    Route {
        /// The method, which is one of the route's.
        method: &'static str,
        /// The path.
        path: &'static str,
    },
    /// A path that does not take the method.
    OtherMethod,
    /// A path at which nothing is.
    UnknownPath,
    /// Nothing, because HTTP does not allow the request.
    #[default]
    Unreadable,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Route { method, path } => write!(f, "{method} {path}"),
            Self::OtherMethod => f.write_str("other method"),
            Self::UnknownPath => f.write_str("unknown path"),
            Self::Unreadable => f.write_str("unreadable request"),
        }
    }
}

/// Receives the record of every request, beside the log.
pub trait RequestObserver: Send + Sync {
    /// Takes a record. The response waits for it.
    fn observe(&self, record: &RequestRecord);
}

/// A request in the log: one line.
#[derive(Debug, Clone, Default)]
pub struct RequestRecord {
    /// Identifies the request, also in the audit trail.
    pub request_id: String,
    /// What it was routed to.
    pub route: Target,
    /// The company, if the caller is known.
    pub company: Option<String>,
    /// The API key; of a refused request the one that its token names.
    pub key: Option<String>,
    /// How many days are left until the key expires, if it is accepted and expires.
    pub key_days_left: Option<i64>,
    /// Attributes and sub-attributes in its body that were left out, because no schema declares
    /// them. Their names are the client's text, so they are not logged.
    pub undeclared: usize,
    /// Ids of users who were anonymised, or may have been if the request failed.
    pub anonymised: Vec<String>,
    /// The status of the response.
    pub status: u16,
    /// Its `scimType`.
    pub scim_type: Option<&'static str>,
    /// Name of the rule that a refused request broke.
    pub rule: Option<&'static str>,
    /// The attribute it was refused for, as its schema names it.
    pub attribute: Option<String>,
    /// Index of the operation it was refused for.
    pub operation: Option<usize>,
    /// Why it failed, for statuses from 500 on.
    pub cause: Option<String>,
    /// Milliseconds since 1970 at which the response was sent.
    pub timestamp: i64,
    /// How long the response took.
    pub taken: Duration,
    /// Calls to DynamoDB.
    pub calls: u32,
    /// Read capacity units consumed.
    pub read_units: f64,
    /// Write capacity units consumed.
    pub write_units: f64,
    /// Computing that is counted, in the unit of [`Work`](scim::work::Work).
    pub work: u64,
    /// Whether it was the first request of the process.
    pub is_cold: bool,
}

impl RequestRecord {
    /// Returns whether the status is one of failure: 5xx except 501, by which groups are refused as documented.
    fn is_error(&self) -> bool {
        self.status >= 500 && self.status != 501
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.taken.as_millis()).unwrap_or(u64::MAX)
    }

    fn is_refusal(&self) -> bool {
        self.status >= 400 && !self.is_error()
    }

    /// Returns the number of undeclared attributes, if there were any.
    fn some_undeclared(&self) -> Option<usize> {
        (self.undeclared > 0).then_some(self.undeclared)
    }

    /// Returns the ids of users who were anonymised, if there are any.
    fn some_anonymised(&self) -> Option<String> {
        (!self.anonymised.is_empty()).then(|| self.anonymised.join(" "))
    }

    /// Returns the level of its line.
    fn level(&self) -> Level {
        match self.status {
            503 => Level::WARN,
            _ if self.is_error() => Level::ERROR,
            _ => Level::INFO,
        }
    }

    /// Returns whether the line is written where the level decides. Who was anonymised must be known if a database is lost.
    fn is_logged(&self) -> bool {
        let level_is_logged = match self.level() {
            Level::ERROR => tracing::enabled!(Level::ERROR),
            Level::WARN => tracing::enabled!(Level::WARN),
            _ => tracing::enabled!(Level::INFO),
        };
        level_is_logged || !self.anonymised.is_empty()
    }

    /// Writes the line: on Lambda always, because metrics are made from it; elsewhere if the level allows it.
    pub fn write(&self) {
        // If nobody reads the log any more, nobody can read an error either.
        match REQUEST_LINES.get() {
            Some(RequestLines::EmbeddedMetrics {
                stack,
                route_metrics,
            }) => {
                let line = self.to_embedded_metrics(stack, *route_metrics) + "\n";
                let _ = std::io::stdout().write_all(line.as_bytes());
            }
            Some(RequestLines::Plain { stack }) => {
                if self.is_logged() {
                    let line = self.to_plain_line(stack.as_deref()) + "\n";
                    let _ = std::io::stderr().write_all(line.as_bytes());
                }
            }
            None => self.write_for_people(),
        }
    }

    /// Writes the line for people, if the level allows it.
    fn write_for_people(&self) {
        let Self {
            request_id,
            route,
            status,
            calls,
            read_units,
            write_units,
            work,
            is_cold,
            key_days_left,
            ..
        } = self;
        let milliseconds = self.milliseconds();
        let company = self.company.as_deref();
        let (key, scim_type, cause) = (self.key.as_deref(), self.scim_type, self.cause.as_deref());
        let undeclared_attributes = self.some_undeclared();
        let anonymised = self.some_anonymised();
        let (rule, attribute, operation) = (self.rule, self.attribute.as_deref(), self.operation);
        macro_rules! log {
            ($level:ident) => {
                tracing::$level!(
                    status,
                    milliseconds,
                    calls,
                    read_units,
                    write_units,
                    work,
                    scim_type,
                    undeclared_attributes,
                    anonymised,
                    rule,
                    attribute,
                    operation,
                    cause,
                    company,
                    key,
                    key_days_left,
                    cold_start = is_cold,
                    request_id,
                    "{route}"
                )
            };
        }
        match self.level() {
            Level::WARN => log!(warn),
            Level::ERROR => log!(error),
            _ => log!(info),
        }
    }
}
