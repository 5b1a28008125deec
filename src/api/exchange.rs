//! A request on its way through the service, with what its endpoint needs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::{SignedDuration, Timestamp};
use scim::ScimError;
use scim::messages::SearchRequest;

use super::authentication::{AuthenticationCache, CachedVerdicts, Caller};
use super::bookmarks::PageBookmarks;
use super::computing::Computing;
use super::message::Request;
use super::query;
use crate::directory::{KeyId, Operation, UserId};
use crate::store::{Store, UserChange};

/// What an endpoint finds out about its request, for the log.
#[derive(Default)]
pub(super) struct Observations {
    /// How many attributes were left out because no schema declares them.
    pub(super) undeclared: AtomicUsize,
    /// Users who were anonymised: logs outlive a database, and say who must be anonymised again in a restored backup.
    pub(super) anonymised: Mutex<Vec<UserId>>,
    /// The key that a client names at the token endpoint, also if it is refused.
    pub(super) client: OnceLock<KeyId>,
    /// When that key expires, if it is accepted.
    pub(super) key_expires: OnceLock<Timestamp>,
}

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
    /// How long access tokens live.
    pub(super) access_token_lifetime: SignedDuration,
    pub(super) observations: &'r Observations,
}

impl<'r> Exchange<'r> {
    /// Counts attributes that are left out because no schema declares them.
    pub(super) fn count_undeclared(&self, attributes: usize) {
        let undeclared = &self.observations.undeclared;
        undeclared.fetch_add(attributes, Ordering::Relaxed);
    }

    /// Records that a user is being anonymised, before it is known whether that succeeds.
    pub(super) fn observe_anonymised(&self, user: UserId) {
        self.anonymised().push(user);
    }

    /// Takes the record back, because the user was certainly not anonymised.
    pub(super) fn forget_anonymised(&self, user: UserId) {
        self.anonymised().retain(|other| *other != user);
    }

    fn anonymised(&self) -> MutexGuard<'_, Vec<UserId>> {
        let anonymised = self.observations.anonymised.lock();
        anonymised.unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the key that a client names at the token endpoint.
    pub(super) fn observe_client(&self, key: KeyId) {
        // There is one client in a request.
        let _ = self.observations.client.set(key);
    }

    /// Records when the key of a client expires at the token endpoint, if ever.
    pub(super) fn observe_expiry(&self, expires: Option<Timestamp>) {
        if let Some(expires) = expires {
            let _ = self.observations.key_expires.set(expires);
        }
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
