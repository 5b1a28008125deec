//! SCIM 2.0 for service providers: what RFC 7643 (schemas), RFC 7644 (protocol) and RFC 9865 (cursors) say, and
//! what identity providers really send.
//!
//! A service provider declares its resource types as data. This crate then validates bodies, parses and evaluates
//! filters, applies PATCH requests, cuts responses to the requested attributes, and writes the discovery endpoints
//! and messages. It does no I/O: no async, no HTTP, no store, no clock. The service passes in what it has read, and
//! the time.
//!
//! ```
//! use scim::filter::{Scope, parse};
//! use scim::messages::PatchOp;
//! use scim::resource::Document;
//! use scim::schema::{ENTERPRISE_USER, ResourceType, USER_SCHEMA};
//! use scim::work::Work;
//! use scim::{ScimError, dialect};
//! use serde_json::{Map, Value, json};
//!
//! static USER: ResourceType = ResourceType {
//!     name: "User",
//!     endpoint: "/Users",
//!     description: "User account",
//!     schema: &USER_SCHEMA,
//!     extensions: &[&ENTERPRISE_USER],
//! };
//!
//! fn object(value: Value) -> Map<String, Value> {
//!     value.as_object().cloned().unwrap_or_default()
//! }
//!
//! // POST /Users
//! let mut body = object(json!({
//!     "userName": "ada@example.com",
//!     "active": "True",
//!     "emails": [{"type": "work", "value": "ada@example.com"}],
//! }));
//! dialect::resource(&mut body, &USER);
//! let user = Document::from_input(body, &USER)?;
//! assert_eq!(user.members()["active"], true);
//!
//! // PATCH /Users/{id}
//! let patch = PatchOp::parse(
//!     object(json!({"Operations": [
//!         {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "lovelace@example.com"},
//!     ]})),
//!     &USER,
//! )?;
//! let user = patch.apply("1", &user, &USER, &mut Work::of_patch())?.document;
//!
//! // GET /Users?filter=…
//! let filter = parse("emails.value ew \"@EXAMPLE.com\" and active eq true", Scope::Resource(&USER))?;
//! assert!(filter.matches(user.members(), &mut Work::of_query()).map_err(ScimError::from)?);
//! # Ok::<(), ScimError>(())
//! ```
//!
//! # Where to find what
//!
//! - [`schema`]: attributes, schemas and resource types as data; [`name`] resolves what clients call them.
//! - [`resource`]: a validated [`Document`](resource::Document), and the resource as clients see it.
//! - [`filter`], [`patch`], [`projection`], [`sort`], [`page`], [`cursor`], [`etag`]: the parts of a request.
//! - [`messages`]: [`PatchOp`](messages::PatchOp), [`BulkRequest`](messages::BulkRequest),
//!   [`SearchRequest`](messages::SearchRequest), [`ListResponse`](messages::ListResponse) and the error message.
//! - [`discovery`]: `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas`.
//! - [`event`]: security event tokens (RFC 9967).
//! - [`dialect`]: the rules for what identity providers send instead of RFC form. Each rule is a function whose
//!   documentation says who sends what it rewrites, and has cases in `tests/data/dialects`.
//! - [`ScimError`]: the only error that clients see, with the [`rule`] that a request broke, for the log.
//! - [`work`]: bounds what one request computes.
//!
//! `examples/` shows how to parse a filter, apply a PATCH of Microsoft Entra ID, and declare an extension schema.

#![deny(missing_docs)]

pub mod compare;
pub mod cursor;
pub mod dialect;
pub mod discovery;
pub mod error;
pub mod etag;
pub mod event;
pub mod filter;
pub mod messages;
pub mod name;
pub mod page;
pub mod patch;
pub mod projection;
mod raw;
pub mod resource;
pub mod rule;
pub mod schema;
pub mod size;
pub mod sort;
pub mod undeclared;
pub mod work;

pub use error::ScimError;
pub use raw::RawMembers;
pub use rule::Rule;
