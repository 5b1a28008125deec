//! The log of a program that runs at a terminal.

use std::io::IsTerminal as _;

use clap::ValueEnum;
use paradigm_scim::config::Config;
use paradigm_scim::telemetry::{log_filter, log_panics};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The form of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    #[value(help = None)]
    Text,
    /// Lines of JSON.
    #[value(help = None)]
    Json,
}

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
    log_panics();
}
