//! How the users of a filter are found: by a lookup, or by reading users one after another.

use scim::filter::{Filter, Operator};
use scim::schema::AttributePath;

use crate::directory::{CompanyId, User, UserId};
use crate::store::{Lookup, Store, StoreError};

/// How the candidates of a filter are found without reading all users.
#[derive(Debug, PartialEq)]
pub(super) enum Access<'f> {
    Id(&'f str),
    Lookup(Lookup, &'f str),
}

impl<'f> Access<'f> {
    /// Returns the access for an equality, or for the side of an `and` that fewest users can match.
    pub(super) fn of(filter: &'f Filter) -> Option<Self> {
        match filter {
            Filter::And(parts) => parts
                .iter()
                .filter_map(Self::of)
                .min_by_key(|access| !access.is_unique()),
            Filter::Compare {
                path,
                operator: Operator::Eq,
                value,
            } if path.extension.is_none() => Self::of_equality(path, value.value().as_str()?),
            Filter::Values { path, filter } if path.attribute.name == "emails" => Self::of(filter),
            _ => None,
        }
    }

    /// Returns the access for an equality with a text.
    fn of_equality(path: &AttributePath, value: &'f str) -> Option<Self> {
        match (path.attribute.name, path.sub_attribute) {
            ("id", None) => Some(Self::Id(value)),
            ("userName", None) => Some(Self::Lookup(Lookup::UserName, value)),
            ("externalId", None) => Self::lookup(Lookup::ExternalId, value),
            ("emails", Some(sub_attribute)) if sub_attribute.name == "value" => {
                Self::lookup(Lookup::Email, value)
            }
            _ => None,
        }
    }

    /// Returns whether it finds one user at most.
    fn is_unique(&self) -> bool {
        matches!(self, Self::Id(_) | Self::Lookup(Lookup::UserName, _))
    }

    /// Returns a lookup. Empty values have no lookup items.
    fn lookup(lookup: Lookup, value: &'f str) -> Option<Self> {
        (!value.is_empty()).then_some(Self::Lookup(lookup, value))
    }

    pub(super) async fn candidates(
        &self,
        store: &Store,
        company: CompanyId,
    ) -> Result<Candidates, StoreError> {
        Ok(match *self {
            Self::Id(id) => Candidates::One(match UserId::parse(id) {
                Some(id) => store.user(company, id).await?.map(Box::new),
                None => None,
            }),
            Self::Lookup(Lookup::UserName, value) => {
                let user = store.user_by_user_name(company, value).await?;
                Candidates::One(user.map(Box::new))
            }
            Self::Lookup(lookup, value) => {
                Candidates::Some(store.user_ids_by_lookup(company, lookup, value).await?)
            }
        })
    }
}

/// The users that may match a filter.
pub(super) enum Candidates {
    /// The only one, already read.
    One(Option<Box<User>>),
    /// The users that share a value, in order.
    Some(Vec<UserId>),
    /// All of the company.
    All,
}
