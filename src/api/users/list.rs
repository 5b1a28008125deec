//! `GET /Users` (RFC 7644 §3.4.2): an equality on an indexed attribute is a look-up, whatever the
//! number of users; without filter and sorting a page is read by itself; the rest looks at every
//! user, up to a limit.

use http::StatusCode;
use serde_json::{Map, Value};

use super::rendered;
use crate::api::Exchange;
use crate::api::authentication::Caller;
use crate::api::message::Response;
use crate::directory::{CompanyId, User, UserId};
use crate::scim::ScimError;
use crate::scim::filter::{Filter, Operator, Scope, parse};
use crate::scim::list::{Page, Sort, list_response};
use crate::scim::schema::USER;
use crate::store::LookUp;

/// A page ends before it outgrows this, in bytes of JSON: a Lambda answer may have 6 MB.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;

pub(in crate::api) async fn list(
    exchange: &Exchange<'_>,
    caller: Caller,
) -> Result<Response, ScimError> {
    let query = exchange.query()?;
    let page = query.page()?;
    let sort = query.sort(&USER)?;
    let projection = query.projection(&USER)?;
    let filter = match query.filter() {
        Some(text) => Some(parse(text, Scope::Resource(&USER)).map_err(|error| {
            ScimError::invalid_filter(format!("The filter cannot be used: {error}."))
        })?),
        None => None,
    };
    let (total, resources) = match (&filter, sort) {
        (None, None) => listed(exchange, caller.company, page).await?,
        _ => matching(exchange, caller.company, page, filter.as_ref(), sort).await?,
    };
    let mut bytes = 0;
    let projected = resources
        .into_iter()
        .map(|resource| projection.apply(resource))
        .take_while(|resource| {
            bytes += serde_json::to_vec(resource).map_or(0, |json| json.len());
            bytes <= MAX_PAGE_BYTES
        })
        .collect();
    Ok(Response::json(
        StatusCode::OK,
        &list_response(total, page.start_index, projected),
    ))
}

type Found = (usize, Vec<Map<String, Value>>);

/// A page of all users: the counters tell the total, the index the ids.
async fn listed(
    exchange: &Exchange<'_>,
    company: CompanyId,
    page: Page,
) -> Result<Found, ScimError> {
    let store = exchange.store;
    let total = store.count_users(company).await?;
    if page.count == 0 || page.offset() >= total {
        return Ok((total, Vec::new()));
    }
    let ids = store.user_ids(company, page.offset(), page.count).await?;
    let users = store.users(company, &ids).await?;
    let resources = users.iter().map(|user| rendered(exchange, user)).collect();
    Ok((total, resources))
}

/// A page of those that match.
async fn matching(
    exchange: &Exchange<'_>,
    company: CompanyId,
    page: Page,
    filter: Option<&Filter>,
    sort: Option<Sort>,
) -> Result<Found, ScimError> {
    let candidates = match filter.and_then(Access::of) {
        Some(access) => access.users(exchange, company).await?,
        None => exchange.store.all_users(company).await?,
    };
    let mut resources: Vec<Map<String, Value>> = candidates
        .iter()
        .map(|user| rendered(exchange, user))
        .filter(|resource| filter.is_none_or(|filter| filter.matches(resource)))
        .collect();
    if let Some(sort) = sort {
        sort.apply(&mut resources);
    }
    let total = resources.len();
    let resources = resources
        .into_iter()
        .skip(page.offset())
        .take(page.count)
        .collect();
    Ok((total, resources))
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
