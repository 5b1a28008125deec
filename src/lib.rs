//! The SCIM 2.0 service provider of LightOn's Paradigm.
//!
//! Dependencies point one way: `bin -> lambda -> api -> {directory, store} -> scim`. ARCHITECTURE.md is the
//! way in.

/// One function per route, and what is the same for all of them (RFC 7644 §3, §4).
pub mod api;
/// What the AWS SDK's clients are made of: configuration and trusted roots.
pub mod aws;
/// Configuration from the environment, and the clock.
pub mod config;
/// Paradigm's own rules: companies, the lifecycle of users, permissions, API keys, audit.
pub mod directory;
/// Reports changes to other programs, as SCIM events (RFC 9967) on an EventBridge bus.
#[cfg(feature = "lambda")]
pub mod events;
/// What Lambda sends to the handlers: API Gateway's events and records of the table's stream.
#[cfg(feature = "lambda")]
pub mod lambda;
/// The directory in one table of items: access paths, layout, and the engine on DynamoDB.
pub mod store;
/// Logs.
pub mod telemetry;
