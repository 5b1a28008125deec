//! Selects the users of a query. An equality on an indexed attribute is a lookup, which costs the same for any number of users.
//! Without filter and sorting, only the page is read. Every other query reads users one after another, up to a limit.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt as _;
use scim::compare::SortKey;
use scim::cursor::{MARK_BYTES, Position};
use scim::filter::Filter;
use scim::sort::Sort;
use scim::work::{Exhausted, Work};
use scim::{ScimError, cursor};
use serde_json::{Map, Value};

use super::access::{Access, Candidates};
use super::page::PageBuilder;
use super::rendered;
use crate::api::Exchange;
use crate::api::authentication::Caller;
use crate::api::rule;
use crate::directory::{User, UserId};
use crate::store::{Scan, StoreError, StoredUser, read_units};

/// Most users that a page by cursor reads for a filter that no lookup serves; if fewer match
/// than were requested, the page is short and the next one goes on.
const MAX_SCANNED_PER_PAGE: usize = 1_000;
/// Users that are read together meanwhile.
const SCANNED_AT_ONCE: usize = 200;
/// Most bytes of documents that one request reads.
const MAX_SCANNED_BYTES: usize = 32 * 1024 * 1024;
/// Most bytes of documents that are kept for the page while others are read.
const MAX_KEPT_BYTES: usize = 1024 * 1024;
/// Most users that are evaluated before other requests get a turn: some milliseconds of computing.
const USERS_AT_A_TIME: usize = 25;
/// Most bytes of their documents, unless one is larger.
const BYTES_AT_A_TIME: usize = 256 * 1024;

/// Which of a company's users are requested, and in what order.
pub(super) struct Selection<'s> {
    pub(super) exchange: &'s Exchange<'s>,
    pub(super) caller: Caller,
    pub(super) filter: Option<Filter>,
    pub(super) sort: Option<Sort>,
    /// The read units of the users that were read.
    pub(super) read_units: AtomicUsize,
}

/// One of the users that match.
pub(super) struct Match {
    id: UserId,
    sort_key: Option<SortKey>,
    /// Whether the page before ended with this user, still at the same place.
    is_start: bool,
}

/// All users that match, in order.
#[derive(Default)]
pub(super) struct Matches {
    pub(super) found: Vec<Match>,
    /// The complete resources, if they are few. Others are read again for the page they are on.
    kept: Option<HashMap<UserId, Map<String, Value>>>,
}

impl Selection<'_> {
    /// Puts the users after a position on the page. Returns the last user that was read, if there may be more.
    ///
    /// # Errors
    /// `tooMany` beyond the limits of a scan, `expiredCursor` if a sorted list no longer has the position,
    /// 429 without scan budget, 503 if the store does not respond.
    pub(super) async fn by_cursor(
        &self,
        from: Option<Position>,
        page: &mut PageBuilder,
        work: &mut Work,
    ) -> Result<Option<Position>, ScimError> {
        let filter = self.filter.as_ref();
        let is_looked_up = filter.is_some_and(|filter| Access::of(filter).is_some());
        if self.sort.is_none() && !is_looked_up {
            return self.walk(from, page, work).await;
        }
        let mut all = self.all(from, work).await?;
        if let Some(from) = from {
            let passed = match self.sort {
                // Lookups find users in any order; pages have this one.
                None => all
                    .found
                    .iter()
                    .take_while(|found| found.id.uuid() <= from.after)
                    .count(),
                // A user that was deleted or moved no longer marks the place.
                Some(_) => {
                    let bookmark = all.found.iter().position(|found| found.is_start);
                    bookmark.ok_or_else(cursor::expired)? + 1
                }
            };
            all.found.drain(..passed);
        }
        let are_more = all.found.len() > page.count();
        let end = all.found.iter().take(page.count()).next_back();
        let end = end.map(|found| found.id);
        let is_cut = self.fill(page, all, work).await?;
        if !are_more && !is_cut {
            return Ok(None);
        }
        match (page.last(), self.sort) {
            (Some(last), _) => Ok(Some(last)),
            // All users of the page are deleted meanwhile. The list goes on after them, if it has a
            // place for them.
            (None, None) => Ok(end.map(unsorted)),
            (None, Some(_)) => Err(cursor::expired()),
        }
    }

    /// Walks from one user to the next, up to the limit of a page.
    async fn walk(
        &self,
        from: Option<Position>,
        page: &mut PageBuilder,
        work: &mut Work,
    ) -> Result<Option<Position>, ScimError> {
        if self.filter.is_none() {
            return self.walk_on(from, page.count(), page, work).await;
        }
        let (store, now) = (self.exchange.store, self.exchange.now);
        let scan = store.begin_scan_of_page(self.caller.company, MAX_SCANNED_PER_PAGE, now);
        let scan = scan.await?;
        let last = self.walk_on(from, SCANNED_AT_ONCE, page, work).await;
        self.end(scan).await;
        last
    }

    /// Walks on by `wanted` users at a time.
    async fn walk_on(
        &self,
        from: Option<Position>,
        wanted: usize,
        page: &mut PageBuilder,
        work: &mut Work,
    ) -> Result<Option<Position>, ScimError> {
        let (mut last, mut scanned) = (from, 0);
        loop {
            let after = last.map(|position| UserId::new(position.after));
            // One more shows whether there is another page.
            let mut ids = self
                .exchange
                .store
                .user_ids_after(self.caller.company, after, wanted + 1)
                .await?;
            let is_end = ids.len() <= wanted;
            ids.truncate(wanted);
            scanned += ids.len();
            let mut is_cut = false;
            let look = |stored: StoredUser| {
                if !self.put_on(page, &stored, work)? {
                    is_cut = true;
                    return Ok(ControlFlow::Break(()));
                }
                last = Some(unsorted(stored.id));
                Ok(ControlFlow::Continue(()))
            };
            self.each(ids, look).await?;
            if is_cut {
                return Ok(last);
            }
            if is_end {
                return Ok(None);
            }
            if page.is_full() || scanned >= MAX_SCANNED_PER_PAGE {
                return Ok(last);
            }
        }
    }

    /// Puts a user that matches on the page; returns `false` if the page must end before this user.
    fn put_on(
        &self,
        page: &mut PageBuilder,
        stored: &StoredUser,
        work: &mut Work,
    ) -> Result<bool, ScimError> {
        if !page.may_read(stored.document_bytes()) {
            return Ok(false);
        }
        match self.matching(stored, work)? {
            Some(resource) => page.add(stored.id, resource),
            None => Ok(true),
        }
    }

    /// Puts the users of these ids on the page, and returns whether the page ends before the last.
    pub(super) async fn read_onto(
        &self,
        page: &mut PageBuilder,
        ids: Vec<UserId>,
        work: &mut Work,
    ) -> Result<bool, ScimError> {
        let mut is_cut = false;
        let look = |stored: StoredUser| {
            is_cut = !self.put_on(page, &stored, work)?;
            Ok(match is_cut {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })
        };
        self.each(ids, look).await?;
        Ok(is_cut)
    }

    /// Puts the first of these users on the page, and returns whether it ends before it is full. Users
    /// that were deleted meanwhile, or no longer match, are left out.
    pub(super) async fn fill(
        &self,
        page: &mut PageBuilder,
        all: Matches,
        work: &mut Work,
    ) -> Result<bool, ScimError> {
        let ids = all.found.iter().map(|found| found.id).take(page.count());
        let Some(mut kept) = all.kept else {
            return self.read_onto(page, ids.collect(), work).await;
        };
        for id in ids {
            if let Some(resource) = kept.remove(&id)
                && !page.add(id, resource)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Finds all users that match, in order, up to the limits of one request.
    pub(super) async fn all(
        &self,
        from: Option<Position>,
        work: &mut Work,
    ) -> Result<Matches, ScimError> {
        let (store, company) = (self.exchange.store, self.caller.company);
        let access = self.filter.as_ref().and_then(Access::of);
        let candidates = match &access {
            Some(access) => access.candidates(store, company).await?,
            None => Candidates::All,
        };
        let mut matches = match candidates {
            Candidates::One(user) => self.only(user, from, work)?,
            Candidates::Some(ids) => self.look_at(ids, Some(HashMap::new()), from, work).await?,
            Candidates::All => self.scan(from, work).await?,
        };
        if let Some(sort) = self.sort {
            let order = |left: &Match, right: &Match| {
                sort.order(left.sort_key.as_ref(), right.sort_key.as_ref())
            };
            self.exchange
                .computing
                .run(|| matches.found.sort_by(order))
                .await;
        }
        Ok(matches)
    }

    /// Finds all users that match, among all users of the company.
    async fn scan(&self, from: Option<Position>, work: &mut Work) -> Result<Matches, ScimError> {
        let (store, company) = (self.exchange.store, self.caller.company);
        let scan = store.begin_scan(company, self.exchange.now).await?;
        let ids = store.scanned_user_ids(company).await?;
        let matches = self.look_at(ids, None, from, work).await;
        self.end(scan).await;
        matches
    }

    /// Ends a scan with what was read for it.
    async fn end(&self, scan: Scan) {
        let read_units = self.read_units.load(Ordering::Relaxed);
        self.exchange.store.end_scan(scan, read_units).await;
    }

    /// Returns the only user who may match.
    fn only(
        &self,
        user: Option<Box<User>>,
        from: Option<Position>,
        work: &mut Work,
    ) -> Result<Matches, ScimError> {
        let mut matches = Matches::default();
        if let Some(user) = user {
            let id = user.id;
            if let Some(resource) = self.matching_user(*user, work)? {
                matches.found.push(self.found(id, &resource, from));
                matches.kept = Some(HashMap::from([(id, resource)]));
            }
        }
        Ok(matches)
    }

    /// Finds those of these users that match. `kept` keeps their resources, as long as these are few.
    async fn look_at(
        &self,
        ids: Vec<UserId>,
        mut kept: Option<HashMap<UserId, Map<String, Value>>>,
        from: Option<Position>,
        work: &mut Work,
    ) -> Result<Matches, ScimError> {
        let (mut found, mut bytes) = (Vec::new(), 0);
        let look = |stored: StoredUser| {
            bytes += stored.document_bytes();
            if bytes > MAX_SCANNED_BYTES {
                return Err(StoreError::TooManyUsers.into());
            }
            if bytes > MAX_KEPT_BYTES {
                kept = None;
            }
            if let Some(resource) = self.matching(&stored, work)? {
                found.push(self.found(stored.id, &resource, from));
                if let Some(kept) = &mut kept {
                    kept.insert(stored.id, resource);
                }
            }
            Ok(ControlFlow::Continue(()))
        };
        self.each(ids, look).await?;
        Ok(Matches { found, kept })
    }

    fn found(&self, id: UserId, resource: &Map<String, Value>, from: Option<Position>) -> Match {
        let is_start = |sort: Sort| {
            from.is_some_and(|from| from.after == id.uuid() && from.mark == sort.mark(resource))
        };
        Match {
            id,
            sort_key: self.sort.and_then(|sort| sort.key(resource)),
            is_start: self.sort.is_some_and(is_start),
        }
    }

    /// Reads the users of these ids one after another, in stretches between which others get their turn.
    async fn each(
        &self,
        ids: Vec<UserId>,
        mut look: impl FnMut(StoredUser) -> Result<ControlFlow<()>, ScimError>,
    ) -> Result<(), ScimError> {
        let store = self.exchange.store;
        let mut batches = pin!(store.stored_users(self.caller.company, ids));
        while let Some(mut batch) = batches.next().await.transpose()? {
            self.read_units
                .fetch_add(read_units(&batch), Ordering::Relaxed);
            while !batch.is_empty() {
                let rest = batch.split_off(stretch(&batch));
                let stretch = std::mem::replace(&mut batch, rest);
                let flow = self.exchange.computing.run(|| {
                    for stored in stretch {
                        if look(stored)?.is_break() {
                            return Ok(ControlFlow::Break(()));
                        }
                    }
                    Ok::<_, ScimError>(ControlFlow::Continue(()))
                });
                if flow.await?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Returns the complete resource of a user, if it matches.
    fn matching(
        &self,
        stored: &StoredUser,
        work: &mut Work,
    ) -> Result<Option<Map<String, Value>>, ScimError> {
        match stored.read()? {
            Some(user) => self.matching_user(user, work),
            None => Ok(None),
        }
    }

    fn matching_user(
        &self,
        user: User,
        work: &mut Work,
    ) -> Result<Option<Map<String, Value>>, ScimError> {
        let resource = rendered(self.exchange, user);
        let Some(filter) = &self.filter else {
            return Ok(Some(resource));
        };
        work.forget_text();
        let is_match = filter.matches(&resource, work).map_err(too_much)?;
        Ok(is_match.then_some(resource))
    }
}

/// Returns how many of these users are evaluated together.
fn stretch(batch: &[StoredUser]) -> usize {
    let mut bytes = 0;
    let fitting = batch.iter().take_while(|stored| {
        bytes += stored.document_bytes();
        bytes <= BYTES_AT_A_TIME
    });
    fitting.count().clamp(1, USERS_AT_A_TIME)
}

/// Returns the refusal of a query whose work budget is used up.
fn too_much(_: Exhausted) -> ScimError {
    ScimError::too_many(
        "The filter needs more computing over these users than one request may take; use fewer comparisons, or filter by 'id', 'userName', 'externalId' or 'emails.value' with 'eq' as well.",
    )
    .rule(rule::QUERY_WORK)
}

/// Returns a position in the order of ids.
fn unsorted(after: UserId) -> Position {
    Position {
        after: after.uuid(),
        mark: [0; MARK_BYTES],
    }
}
