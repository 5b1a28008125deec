//! ListResponse (RFC 7644 §3.4.2).

use serde::Serialize;

/// URN of the ListResponse message (RFC 7644 §3.4.2).
pub const LIST_RESPONSE_URN: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// The ListResponse message (RFC 7644 §3.4.2), of resources that can be written as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListResponse<R> {
    schemas: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    total_results: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_index: Option<usize>,
    items_per_page: usize,
    #[serde(rename = "Resources")]
    resources: Vec<R>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl<R> ListResponse<R> {
    fn new(resources: Vec<R>) -> Self {
        Self {
            schemas: [LIST_RESPONSE_URN],
            total_results: None,
            start_index: None,
            items_per_page: resources.len(),
            resources,
            next_cursor: None,
        }
    }

    /// Returns a page by index; `itemsPerPage` is the number of resources in it.
    #[must_use]
    pub fn by_index(total_results: usize, start_index: usize, resources: Vec<R>) -> Self {
        Self {
            total_results: Some(total_results),
            start_index: Some(start_index),
            ..Self::new(resources)
        }
    }

    /// Returns a page by cursor. To count all results would cost more than the page, so `totalResults` is left
    /// out (RFC 9865 §2).
    #[must_use]
    pub fn by_cursor(next_cursor: Option<String>, resources: Vec<R>) -> Self {
        Self {
            next_cursor,
            ..Self::new(resources)
        }
    }

    /// Returns the total only, for `count=0` by cursor.
    #[must_use]
    pub fn total_only(total_results: usize) -> Self {
        Self {
            total_results: Some(total_results),
            ..Self::new(Vec::new())
        }
    }
}
