//! Logs. Nothing personal is ever logged: no userName, email, name, token, body or filter value.

use tracing_subscriber::EnvFilter;

/// Level of the log; `RUST_LOG` syntax.
pub const LOG_VARIABLE: &str = "SCIM_LOG";

fn filter(default: &str) -> EnvFilter {
    // The SDK and its HTTP stack log request bodies at `debug` and `trace`; they stay at `warn`
    // whatever is asked for.
    let own = std::env::var(LOG_VARIABLE).unwrap_or_else(|_| default.to_owned());
    let level = own.parse().unwrap_or(tracing::Level::INFO);
    EnvFilter::new(format!("warn,paradigm_scim={level}"))
}

/// Logs for people, to standard error.
#[cfg(feature = "local")]
pub fn log_to_terminal() {
    tracing_subscriber::fmt()
        .with_env_filter(filter("info"))
        .with_writer(std::io::stderr)
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
