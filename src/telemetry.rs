//! Logs. Nothing personal is ever logged: no userName, email, name, token, body or filter value.

#[cfg(feature = "local")]
use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Level of the log: `off`, `error`, `warn`, `info`, `debug` or `trace`.
pub const LOG_VARIABLE: &str = "SCIM_LOG";

fn filter(default: &str) -> EnvFilter {
    // The SDK and its HTTP stack log request bodies at `debug` and `trace`; they stay at `warn`
    // whatever is asked for.
    let own = std::env::var(LOG_VARIABLE).unwrap_or_else(|_| default.to_owned());
    let level = own.parse().unwrap_or(LevelFilter::INFO);
    EnvFilter::new(format!("warn,paradigm_scim={level}"))
}

/// Logs for people, to standard error.
#[cfg(feature = "local")]
pub fn log_to_terminal() {
    tracing_subscriber::fmt()
        .with_env_filter(filter("info"))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}

/// Logs as JSON lines, for CloudWatch.
pub fn log_as_json() {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .without_time()
        .with_current_span(false)
        .with_env_filter(filter("info"))
        .init();
}
