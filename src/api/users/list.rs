//! `GET /Users` and the searches (RFC 7644 §3.4.2, §3.4.3): an equality on an indexed attribute is a
//! look-up, whatever the number of users; without filter and sorting a page is read by itself; the
//! rest looks at users one after another, up to a limit.

use std::collections::HashMap;
use std::pin::pin;

use futures_util::StreamExt as _;
use http::StatusCode;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::places::Place;
use super::rendered;
use crate::api::Exchange;
use crate::api::authentication::Caller;
use crate::api::message::Response;
use crate::api::query::Query;
use crate::directory::{CompanyId, User, UserId};
use crate::scim::cursor::{MARK_BYTES, Position};
use crate::scim::filter::{Filter, Operator, Scope, parse};
use crate::scim::list::{Sort, Start, cursor_page, index_page, total_only};
use crate::scim::projection::Projection;
use crate::scim::schema::USER;
use crate::scim::{ScimError, cursor};
use crate::store::LookUp;

/// A page ends before it outgrows this, in bytes of JSON: a Lambda answer may have 6 MB.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Most users that a page by cursor looks at for a filter that no look-up serves; if fewer match
/// than were asked for, the page is short and the next one goes on.
const MAX_SCANNED_PER_PAGE: usize = 1_000;
/// Users that are read together meanwhile.
const SCANNED_AT_ONCE: usize = 200;

/// `GET /Users`
pub(in crate::api) async fn list(
    exchange: &Exchange<'_>,
    caller: Caller,
) -> Result<Response, ScimError> {
    let query = exchange.query()?;
    search(exchange, caller, &query, Scope::Resource(&USER)).await
}

/// `POST /Users/.search`
pub(in crate::api) async fn search_users(
    exchange: &Exchange<'_>,
    caller: Caller,
) -> Result<Response, ScimError> {
    let query = Query::from_search_request(exchange.request.json_object()?)?;
    search(exchange, caller, &query, Scope::Resource(&USER)).await
}

/// `POST /.search`: all resource types, of which users are the only one.
pub(in crate::api) async fn search_all(
    exchange: &Exchange<'_>,
    caller: Caller,
) -> Result<Response, ScimError> {
    let query = Query::from_search_request(exchange.request.json_object()?)?;
    search(exchange, caller, &query, Scope::AnyResource(&USER)).await
}

/// `GET /`, the base URI: the same (RFC 7644 §3.4.2.1).
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
    query: &Query<'_>,
    scope: Scope,
) -> Result<Response, ScimError> {
    let page = query.page()?;
    let projection = query.projection(&USER)?;
    let filter = query.filter().map(|text| parse(text, scope)).transpose();
    let selection = Selection {
        exchange,
        caller,
        filter: filter?,
        sort: query.sort(&USER)?,
    };
    let body = match page.start {
        Start::Index(start_index) => {
            let offset = start_index - 1;
            let (total, found) = selection.by_index(offset, page.count).await?;
            let ids: Vec<Uuid> = found.iter().map(|found| found.position.after).collect();
            let (resources, _) = within_bytes(found, &projection);
            selection.remember_end(offset, &ids, resources.len());
            index_page(total, start_index, resources)
        }
        Start::Cursor(cursor) => {
            let (identity, secret) = (query.identity(), &caller.cursor_secret.0);
            let from = match cursor.as_str() {
                "" => None,
                cursor => Some(cursor::open(cursor, &identity, secret, exchange.now)?),
            };
            // Nothing but the total is asked for (RFC 9865 §2).
            if page.count == 0 {
                let (total, _) = selection.by_index(0, 0).await?;
                return Ok(Response::json(StatusCode::OK, &total_only(total)));
            }
            let (found, last) = selection.by_cursor(from, page.count).await?;
            let (resources, cut_off_after) = within_bytes(found, &projection);
            let next = cut_off_after
                .or(last)
                .map(|last| cursor::seal(last, &identity, secret, exchange.now))
                .transpose()?;
            cursor_page(next, resources)
        }
    };
    Ok(Response::json(StatusCode::OK, &body))
}

/// A user as found.
struct Found {
    position: Position,
    /// Complete, to be projected.
    resource: Map<String, Value>,
}

/// A user who matches, among all who do.
struct Match {
    position: Position,
    sort_key: Option<Value>,
    /// Complete. All users of a company may be too many to keep: who was found among them is read again
    /// for the page they are on.
    resource: Option<Map<String, Value>>,
}

/// The resources that fit into an answer, and where the others were cut off, if so.
fn within_bytes(
    found: Vec<Found>,
    projection: &Projection,
) -> (Vec<Map<String, Value>>, Option<Position>) {
    let mut bytes = 0;
    let mut last = None;
    let mut resources = Vec::with_capacity(found.len());
    for found in found {
        let resource = projection.apply(found.resource);
        bytes += serde_json::to_vec(&resource).map_or(0, |json| json.len());
        if bytes > MAX_PAGE_BYTES {
            return (resources, last);
        }
        resources.push(resource);
        last = Some(found.position);
    }
    (resources, None)
}

/// Which of a company's users are asked for, and in what order.
struct Selection<'s> {
    exchange: &'s Exchange<'s>,
    caller: Caller,
    filter: Option<Filter>,
    sort: Option<Sort>,
}

impl Selection<'_> {
    /// The number of all, and those at `offset..offset + count`.
    async fn by_index(
        &self,
        offset: usize,
        count: usize,
    ) -> Result<(usize, Vec<Found>), ScimError> {
        if self.filter.is_some() || self.sort.is_some() {
            let all = self.all().await?;
            let total = all.len();
            let page = all.into_iter().skip(offset).take(count).collect();
            return Ok((total, self.complete(page).await?));
        }
        // The counters tell the total, the index the ids.
        let (store, company) = (self.exchange.store, self.caller.company);
        let mut total = store.count_users(company).await?;
        let place = Place::behind(offset, self.caller);
        let last = self.exchange.places.last_before(place, self.exchange.now);
        let ids = match last {
            _ if count == 0 => Vec::new(),
            Some(last) => {
                // Who walks has been told of users that are gone now. One more user than the page has
                // shows whether to go on, which the smaller total does not.
                let mut ids = store.user_ids_after(company, Some(last), count + 1).await?;
                total = total.max(offset + ids.len());
                ids.truncate(count);
                ids
            }
            None if offset >= total => Vec::new(),
            None => store.user_ids(company, offset, count).await?,
        };
        let users = store.users(company, &ids).await?;
        Ok((total, self.matching(&users).collect()))
    }

    /// Remembers where a page by index ended, for the one that goes on from there.
    fn remember_end(&self, offset: usize, ids: &[Uuid], returned: usize) {
        let last = returned.checked_sub(1).and_then(|last| ids.get(last));
        if let (Some(last), None, None) = (last, &self.filter, self.sort) {
            let place = Place::behind(offset + returned, self.caller);
            let now = self.exchange.now;
            self.exchange
                .places
                .remember(place, UserId::new(*last), now);
        }
    }

    /// Up to `count` of those from a position on, and the last one looked at, if there may be more.
    async fn by_cursor(
        &self,
        from: Option<Position>,
        count: usize,
    ) -> Result<(Vec<Found>, Option<Position>), ScimError> {
        let filter = self.filter.as_ref();
        let is_looked_up = filter.is_some_and(|filter| Access::of(filter).is_some());
        if self.sort.is_none() && !is_looked_up {
            return self.walk(from, count).await;
        }
        let mut all = self.all().await?;
        if let Some(from) = from {
            let passed = match self.sort {
                // Looked up in any order, but walked in this one.
                None => all
                    .iter()
                    .take_while(|found| found.position.after <= from.after)
                    .count(),
                // Whoever has gone or moved is no mark of the place any more.
                Some(_) => {
                    let place = all.iter().position(|found| found.position == from);
                    place.ok_or_else(cursor::expired)? + 1
                }
            };
            all.drain(..passed);
        }
        let is_last = all.len() <= count;
        all.truncate(count);
        let last = all.last().filter(|_| !is_last).map(|found| found.position);
        Ok((self.complete(all).await?, last))
    }

    /// Goes on from one user to the next, as far as one page may.
    async fn walk(
        &self,
        from: Option<Position>,
        count: usize,
    ) -> Result<(Vec<Found>, Option<Position>), ScimError> {
        let store = self.exchange.store;
        let wanted = match self.filter {
            None => count,
            Some(_) => SCANNED_AT_ONCE,
        };
        let (mut page, mut last, mut scanned) = (Vec::new(), from, 0);
        loop {
            let after = last.map(|position| UserId::new(position.after));
            // One more tells whether there is another page.
            let mut ids = store
                .user_ids_after(self.caller.company, after, wanted + 1)
                .await?;
            let is_end = ids.len() <= wanted;
            ids.truncate(wanted);
            scanned += ids.len();
            let users = store.users(self.caller.company, &ids).await?;
            for found in self.matching(&users) {
                if page.len() == count {
                    return Ok((page, last));
                }
                last = Some(found.position);
                page.push(found);
            }
            last = ids.last().copied().map(unsorted).or(last);
            if is_end {
                return Ok((page, None));
            }
            if page.len() == count || scanned >= MAX_SCANNED_PER_PAGE {
                return Ok((page, last));
            }
        }
    }

    /// Everyone who matches, in order, as far as one request may look.
    async fn all(&self) -> Result<Vec<Match>, ScimError> {
        let company = self.caller.company;
        let mut all = match self.filter.as_ref().and_then(Access::of) {
            Some(access) => {
                let mut users = access.users(self.exchange, company).await?;
                users.sort_by_key(|user| user.id);
                let found = self.matching(&users);
                found.map(|found| self.kept(found)).collect()
            }
            None => {
                let mut batches = pin!(self.exchange.store.all_users(company).await?);
                let mut all = Vec::new();
                while let Some(users) = batches.next().await.transpose()? {
                    let found = self.matching(&users);
                    all.extend(found.map(|found| Match {
                        resource: None,
                        ..self.kept(found)
                    }));
                }
                all
            }
        };
        if let Some(sort) = self.sort {
            all.sort_by(|left, right| sort.order(left.sort_key.as_ref(), right.sort_key.as_ref()));
        }
        Ok(all)
    }

    fn kept(&self, found: Found) -> Match {
        let sort_key = self
            .sort
            .and_then(|sort| sort.key(&found.resource).cloned());
        Match {
            position: found.position,
            sort_key,
            resource: Some(found.resource),
        }
    }

    /// The users of a page, complete. Who has gone meanwhile, or matches no more, is left out.
    async fn complete(&self, page: Vec<Match>) -> Result<Vec<Found>, ScimError> {
        let incomplete = page.iter().filter(|found| found.resource.is_none());
        let ids: Vec<UserId> = incomplete
            .map(|found| UserId::new(found.position.after))
            .collect();
        let users = self.exchange.store.users(self.caller.company, &ids).await?;
        let again = self.matching(&users);
        let mut again: HashMap<Uuid, Map<String, Value>> = again
            .map(|found| (found.position.after, found.resource))
            .collect();
        let complete = |found: Match| {
            let position = found.position;
            let resource = found.resource.or_else(|| again.remove(&position.after))?;
            Some(Found { position, resource })
        };
        Ok(page.into_iter().filter_map(complete).collect())
    }

    fn found(&self, user: &User) -> Found {
        let resource = rendered(self.exchange, user);
        let mut position = unsorted(user.id);
        if let Some(sort) = self.sort {
            position.mark = Sort::mark(sort.key(&resource));
        }
        Found { position, resource }
    }

    fn matching(&self, users: &[User]) -> impl Iterator<Item = Found> {
        let is_match = |found: &Found| {
            (self.filter.as_ref()).is_none_or(|filter| filter.matches(&found.resource))
        };
        users.iter().map(|user| self.found(user)).filter(is_match)
    }
}

/// A position in the order of ids.
fn unsorted(after: UserId) -> Position {
    Position {
        after: after.uuid(),
        mark: [0; MARK_BYTES],
    }
}

/// How the candidates of a filter are found without looking at everyone.
#[derive(Debug, PartialEq)]
enum Access<'f> {
    Id(&'f str),
    LookUp(LookUp, &'f str),
}

impl<'f> Access<'f> {
    /// The access for an equality, or for the side of an `and` that fewest users can match.
    fn of(filter: &'f Filter) -> Option<Self> {
        match filter {
            Filter::And(parts) => parts
                .iter()
                .filter_map(Self::of)
                .min_by_key(|access| !access.is_unique()),
            Filter::Compare {
                path,
                operator: Operator::Eq,
                value: Value::String(value),
            } if path.extension.is_none() => match (path.attribute.name, path.sub_attribute) {
                ("id", None) => Some(Self::Id(value)),
                ("userName", None) => Some(Self::LookUp(LookUp::UserName, value)),
                ("externalId", None) => Self::look_up(LookUp::ExternalId, value),
                ("emails", Some(sub_attribute)) if sub_attribute.name == "value" => {
                    Self::look_up(LookUp::Email, value)
                }
                _ => None,
            },
            Filter::Values { path, filter } if path.attribute.name == "emails" => Self::of(filter),
            _ => None,
        }
    }

    /// Whether it finds one user at most.
    fn is_unique(&self) -> bool {
        matches!(self, Self::Id(_) | Self::LookUp(LookUp::UserName, _))
    }

    /// Empty values have no look-up items.
    fn look_up(look_up: LookUp, value: &'f str) -> Option<Self> {
        (!value.is_empty()).then_some(Self::LookUp(look_up, value))
    }

    async fn users(
        &self,
        exchange: &Exchange<'_>,
        company: CompanyId,
    ) -> Result<Vec<User>, ScimError> {
        let store = exchange.store;
        let users = match *self {
            Self::Id(id) => match UserId::parse(id) {
                Some(id) => store.user(company, id).await?.into_iter().collect(),
                None => Vec::new(),
            },
            Self::LookUp(LookUp::UserName, value) => store
                .user_by_user_name(company, value)
                .await?
                .into_iter()
                .collect(),
            Self::LookUp(look_up, value) => store.users_by_look_up(company, look_up, value).await?,
        };
        Ok(users)
    }
}
