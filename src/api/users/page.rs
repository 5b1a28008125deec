//! Builds a page of users: as many as were requested, as far as they fit.

use scim::ScimError;
use scim::cursor::{MARK_BYTES, Position};
use scim::projection::Projection;
use scim::sort::Sort;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use crate::directory::{USER, UserId};

/// Most bytes of JSON in a page: a Lambda response may have 6 MB.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Most bytes of documents that are read for a page, of which `attributes` may leave little.
const MAX_READ_BYTES: usize = 12 * 1024 * 1024;

/// A page that is being made.
pub(super) struct PageBuilder {
    count: usize,
    projection: Projection,
    sort: Option<Sort>,
    /// As text, which is compact.
    resources: Vec<Box<RawValue>>,
    bytes: usize,
    read_bytes: usize,
    last: Option<Position>,
}

impl PageBuilder {
    /// Returns a page of up to `count` users.
    pub(super) fn new(count: usize, projection: Projection, sort: Option<Sort>) -> Self {
        Self {
            count,
            projection,
            sort,
            resources: Vec::new(),
            bytes: 0,
            read_bytes: 0,
            last: None,
        }
    }

    /// Returns the largest number of users on the page.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Returns whether the page has as many users as were requested.
    pub(super) fn is_full(&self) -> bool {
        self.resources.len() == self.count
    }

    /// Counts a document that is read for the page; returns `false` if the page must end before it.
    pub(super) fn may_read(&mut self, bytes: usize) -> bool {
        self.read_bytes += bytes;
        self.read_bytes <= MAX_READ_BYTES
    }

    /// Adds a complete user; returns `false` if the page must end before this user.
    ///
    /// # Errors
    /// 500 if the resource cannot be written as JSON.
    pub(super) fn add(
        &mut self,
        id: UserId,
        resource: Map<String, Value>,
    ) -> Result<bool, ScimError> {
        if self.is_full() {
            return Ok(false);
        }
        let mark = self.sort.map(|sort| sort.mark(&resource));
        let projected = self.projection.apply(resource, &USER);
        let text = to_raw_value(&projected).map_err(ScimError::internal)?;
        self.bytes += text.get().len();
        if self.bytes > MAX_PAGE_BYTES {
            return Ok(false);
        }
        self.resources.push(text);
        self.last = Some(Position {
            after: id.uuid(),
            mark: mark.unwrap_or([0; MARK_BYTES]),
        });
        Ok(true)
    }

    /// Returns the number of users so far.
    pub(super) fn len(&self) -> usize {
        self.resources.len()
    }

    /// Returns the position of the last user of the page.
    pub(super) fn last(&self) -> Option<Position> {
        self.last
    }

    /// Returns the users, as they were added.
    pub(super) fn into_resources(self) -> Vec<Box<RawValue>> {
        self.resources
    }
}
