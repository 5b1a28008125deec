//! A request on its way through the service, with what its endpoint needs.

use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use scim::ScimError;
use scim::messages::SearchRequest;

use super::authentication::{AuthenticationCache, CachedVerdicts, Caller};
use super::bookmarks::PageBookmarks;
use super::computing::Computing;
use super::message::Request;
use super::query;
use crate::directory::{Operation, UserId};
use crate::store::{Store, UserChange};

/// One request, as the endpoints see it.
#[derive(Clone)]
pub struct Exchange<'r> {
    pub(super) request: &'r Request,
    /// Identifies the change in the audit trail.
    pub(super) change_id: String,
    /// The path segment for `{id}`.
    pub(super) id: String,
    /// URL of the service, with the base path and without trailing slash.
    pub(super) base_url: String,
    pub(super) now: Timestamp,
    pub(super) store: &'r Store,
    pub(super) authentication: &'r AuthenticationCache,
    pub(super) bookmarks: &'r PageBookmarks,
    pub(super) computing: &'r Computing,
    /// URL of documentation for people, if there is one.
    pub(super) documentation_uri: Option<&'r str>,
    /// Attributes of the request that no schema declares, for the log.
    pub(super) undeclared: &'r AtomicUsize,
}

impl<'r> Exchange<'r> {
    /// Counts attributes that are left out because no schema declares them.
    pub(super) fn count_undeclared(&self, attributes: usize) {
        self.undeclared.fetch_add(attributes, Ordering::Relaxed);
    }

    pub(super) fn query(&self) -> Result<SearchRequest<'r>, ScimError> {
        query::parse(&self.request.query)
    }

    /// Returns what is cached about the keys of a user who is about to be written.
    pub(super) fn verdicts_about(&self, caller: Caller, owner: UserId) -> CachedVerdicts<'r> {
        self.authentication.verdicts_about(caller.company, owner)
    }

    pub(super) fn change_by(&self, caller: Caller, operation: Operation) -> UserChange {
        UserChange {
            company: caller.company,
            actor: caller.actor(),
            operation,
            request_id: self.change_id.clone(),
            now: self.now,
        }
    }
}
