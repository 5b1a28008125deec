//! The log of a program that runs at a terminal.

use std::io::IsTerminal as _;

use paradigm_scim::config::Config;
use paradigm_scim::telemetry::log_filter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Logs for people, to standard error.
pub(crate) fn log_to_terminal(config: &Config) {
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    tracing_subscriber::registry()
        .with(lines)
        .with(log_filter(config))
        .init();
}
