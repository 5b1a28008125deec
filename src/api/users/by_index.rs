//! Pages by index.

use scim::ScimError;
use scim::work::Work;

use super::page::PageBuilder;
use super::selection::Selection;
use crate::api::bookmarks::Bookmark;
use crate::directory::UserId;

impl Selection<'_> {
    /// Puts the users at `offset..` on the page, and returns the number of all.
    ///
    /// # Errors
    /// `tooMany` beyond the limits of a scan, 429 without scan budget, 503 if the store does not respond.
    pub(super) async fn by_index(
        &self,
        offset: usize,
        page: &mut PageBuilder,
        work: &mut Work,
    ) -> Result<usize, ScimError> {
        if self.filter.is_some() || self.sort.is_some() {
            let mut all = self.all(None, work).await?;
            let total = all.found.len();
            all.found.drain(..offset.min(total));
            self.fill(page, all, work).await?;
            return Ok(total);
        }
        let (total, ids) = self.ids_by_index(offset, page.count()).await?;
        self.read_onto(page, ids, work).await?;
        Ok(total)
    }

    /// Returns the number of all users, and the ids of those at `offset..offset + count`: the counters have the
    /// total, the index the ids.
    async fn ids_by_index(
        &self,
        offset: usize,
        count: usize,
    ) -> Result<(usize, Vec<UserId>), ScimError> {
        let (store, company) = (self.exchange.store, self.caller.company);
        let mut total = store.count_users(company).await?;
        let bookmark = Bookmark::behind(offset, self.caller);
        let last = self
            .exchange
            .bookmarks
            .last_before(bookmark, self.exchange.now);
        let ids = match last {
            _ if count == 0 => Vec::new(),
            Some(last) => {
                // Users that this walk has passed may be deleted now. One more user than the page has
                // shows whether to go on, which the smaller total does not.
                let mut ids = store.user_ids_after(company, Some(last), count + 1).await?;
                total = total.max(offset + ids.len());
                ids.truncate(count);
                ids
            }
            None if offset >= total => Vec::new(),
            None => store.user_ids(company, offset, count).await?,
        };
        Ok((total, ids))
    }

    /// Remembers where a page by index ended, for the one that goes on from there.
    pub(super) fn remember_end(&self, offset: usize, page: &PageBuilder) {
        if let (Some(last), None, None) = (page.last(), &self.filter, self.sort) {
            let bookmark = Bookmark::behind(offset + page.len(), self.caller);
            let (last, now) = (UserId::new(last.after), self.exchange.now);
            self.exchange.bookmarks.remember(bookmark, last, now);
        }
    }
}
