//! `GET /Users` and the searches (RFC 7644 §3.4.2, §3.4.3).

use std::sync::atomic::AtomicUsize;

use http::StatusCode;
use scim::cursor::Position;
use scim::filter::{Scope, parse};
use scim::messages::{ListResponse, SearchRequest};
use scim::page::Start;
use scim::work::Work;
use scim::{ScimError, cursor};

use super::page::PageBuilder;
use super::selection::Selection;
use crate::api::Exchange;
use crate::api::authentication::Caller;
use crate::api::message::Response;
use crate::directory::USER;
use crate::store::usage::count_work;

/// Handles `GET /Users`.
pub(in crate::api) async fn list(
    exchange: &Exchange<'_>,
    caller: Caller,
) -> Result<Response, ScimError> {
    let query = exchange.query()?;
    search(exchange, caller, &query, Scope::Resource(&USER)).await
}

/// Handles `POST /Users/.search`.
pub(in crate::api) async fn search_users(
    exchange: &Exchange<'_>,
    caller: Caller,
) -> Result<Response, ScimError> {
    let query = SearchRequest::parse(exchange.request.json_object()?)?;
    search(exchange, caller, &query, Scope::Resource(&USER)).await
}

/// Handles `POST /.search`: all resource types, of which users are the only one.
pub(in crate::api) async fn search_all(
    exchange: &Exchange<'_>,
    caller: Caller,
) -> Result<Response, ScimError> {
    let query = SearchRequest::parse(exchange.request.json_object()?)?;
    search(exchange, caller, &query, Scope::AnyResource(&USER)).await
}

/// Handles `GET /`, the base URI: the same (RFC 7644 §3.4.2.1).
pub(in crate::api) async fn query_all(
    exchange: &Exchange<'_>,
    caller: Caller,
) -> Result<Response, ScimError> {
    let query = exchange.query()?;
    search(exchange, caller, &query, Scope::AnyResource(&USER)).await
}

async fn search(
    exchange: &Exchange<'_>,
    caller: Caller,
    query: &SearchRequest<'_>,
    scope: Scope,
) -> Result<Response, ScimError> {
    let page = query.page()?;
    let projection = query.projection(&USER)?;
    let filter = query.filter().map(|text| parse(text, scope)).transpose();
    let sort = query.sort(&USER)?;
    let selection = Selection {
        exchange,
        caller,
        filter: filter?,
        sort,
        read_units: AtomicUsize::new(0),
    };
    let page_builder = PageBuilder::new(page.count, projection, sort);
    let mut work = Work::of_query();
    let result = match page.start {
        Start::Index(start_index) => {
            by_index(&selection, start_index, page_builder, &mut work).await
        }
        Start::Cursor(cursor) => {
            by_cursor(&selection, query, &cursor, page_builder, &mut work).await
        }
    };
    count_work(work.spent());
    result
}

/// Returns a page that begins at an index, counted from 1.
async fn by_index(
    selection: &Selection<'_>,
    start_index: usize,
    mut page: PageBuilder,
    work: &mut Work,
) -> Result<Response, ScimError> {
    let offset = start_index - 1;
    let total = selection.by_index(offset, &mut page, work).await?;
    selection.remember_end(offset, &page);
    let list = ListResponse::by_index(total, start_index, page.into_resources());
    Ok(Response::json(StatusCode::OK, &list))
}

/// Returns a page that begins at a cursor; the first one has an empty cursor.
async fn by_cursor(
    selection: &Selection<'_>,
    query: &SearchRequest<'_>,
    cursor: &str,
    mut page: PageBuilder,
    work: &mut Work,
) -> Result<Response, ScimError> {
    let now = selection.exchange.now;
    let (identity, secret) = (query.identity(), &selection.caller.cursor_secret.0);
    let from = match cursor {
        "" => None,
        cursor => Some(cursor::open(cursor, &identity, secret, now)?),
    };
    // Nothing but the total is requested (RFC 9865 §2).
    if page.count() == 0 {
        let total = selection.by_index(0, &mut page, work).await?;
        let list = ListResponse::<()>::total_only(total);
        return Ok(Response::json(StatusCode::OK, &list));
    }
    let last: Option<Position> = selection.by_cursor(from, &mut page, work).await?;
    let next = last.map(|last| cursor::seal(last, &identity, secret, now));
    let list = ListResponse::by_cursor(next.transpose()?, page.into_resources());
    Ok(Response::json(StatusCode::OK, &list))
}
