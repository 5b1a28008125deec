//! The last requests of this process, as the log has them: nothing of them is personal.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use paradigm_scim::telemetry::{RequestObserver, RequestRecord};

/// Most requests that are kept.
pub(crate) const KEPT: usize = 4000;

/// A request, and its number among all requests of the process.
#[derive(Debug, Clone)]
pub(crate) struct NumberedRequest {
    pub(crate) number: u64,
    pub(crate) record: RequestRecord,
}

/// Which requests are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestFilter {
    All,
    /// Those with a status from 400 on.
    Refused,
}

#[derive(Default)]
struct Kept {
    next: u64,
    requests: VecDeque<NumberedRequest>,
}

/// The last requests.
#[derive(Default)]
pub(crate) struct RecentRequests(Mutex<Kept>);

impl RecentRequests {
    /// Returns up to `limit` requests before a number, newest first, and whether there are older ones.
    pub(crate) fn before(
        &self,
        number: Option<u64>,
        filter: RequestFilter,
        limit: usize,
    ) -> (Vec<NumberedRequest>, bool) {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut matching = kept.requests.iter().rev().filter(|request| {
            number.is_none_or(|number| request.number < number)
                && (filter == RequestFilter::All || request.record.status >= 400)
        });
        let page = matching.by_ref().take(limit).cloned().collect();
        (page, matching.next().is_some())
    }
}

impl RequestObserver for RecentRequests {
    fn observe(&self, record: &RequestRecord) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.requests.len() >= KEPT {
            kept.requests.pop_front();
        }
        let number = kept.next;
        kept.next += 1;
        kept.requests.push_back(NumberedRequest {
            number,
            record: record.clone(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_requests_are_kept_and_older_ones_are_not() {
        let requests = RecentRequests::default();
        for number in 0..KEPT + 3 {
            let status = if number % 2 == 0 { 200 } else { 404 };
            requests.observe(&RequestRecord {
                status,
                ..RequestRecord::default()
            });
        }
        let numbers = |page: &[NumberedRequest]| {
            page.iter()
                .map(|request| request.number)
                .collect::<Vec<_>>()
        };
        let (page, is_more) = requests.before(None, RequestFilter::All, 2);
        assert_eq!((numbers(&page), is_more), (vec![4002, 4001], true));
        let (page, _) = requests.before(Some(4001), RequestFilter::All, 2);
        assert_eq!(numbers(&page), [4000, 3999]);
        let (page, is_more) = requests.before(Some(6), RequestFilter::Refused, 10);
        assert_eq!((numbers(&page), is_more), (vec![5, 3], false));
        let (page, is_more) = requests.before(None, RequestFilter::All, KEPT + 1);
        assert_eq!((page.len(), is_more), (KEPT, false));
    }
}
