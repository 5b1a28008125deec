//! Finds the route of a request.

use http::Method;
use percent_encoding::percent_decode_str;

use super::near_miss;
use super::route::{BASE_PATH, Endpoint, ROUTES, Route};

/// The route of a request.
#[derive(Debug)]
pub enum Match {
    /// To a route.
    Route {
        /// The route.
        route: &'static Route,
        /// The path segment for `{id}`, decoded; empty if the route has none.
        id: String,
    },
    /// To a path that takes other methods.
    OtherMethods {
        /// These methods, listed for `Allow`.
        methods: String,
        /// Whether it can be read without a key.
        is_public: bool,
    },
    /// To no path.
    Nothing,
}

impl Match {
    /// Returns the endpoint, if the request has a route.
    #[must_use]
    pub fn endpoint(&self) -> Option<Endpoint> {
        match self {
            Self::Route { route, .. } => Some(route.endpoint),
            Self::OtherMethods { .. } | Self::Nothing => None,
        }
    }
}

/// Finds the route for a method and a raw path. Doubled and trailing slashes are harmless: a
/// tenant URL that ends in `/` makes Entra send `//Users`. HEAD is routed as GET.
#[must_use]
pub fn find(method: &Method, path: &str) -> Match {
    let Some(segments) = segments(path) else {
        return Match::Nothing;
    };
    let method = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let mut candidates: Vec<(&'static Route, String)> = ROUTES
        .iter()
        .filter_map(|route| id_in(&segments, route).map(|id| (route, id)))
        .collect();
    // The name of another path is no id, such as in `/Users/Bulk`.
    let mut ids = candidates
        .iter()
        .filter(|(route, _)| has_resource_id(route));
    if ids
        .next()
        .is_some_and(|(_, id)| near_miss::meant(id).is_some())
    {
        candidates.retain(|(route, _)| !has_resource_id(route));
    }
    // A path that is written out is no id: `/Users/.search`.
    if candidates.iter().any(|(_, id)| id.is_empty()) {
        candidates.retain(|(_, id)| id.is_empty());
    }
    if candidates.is_empty() {
        return Match::Nothing;
    }
    let methods = candidates
        .iter()
        .flat_map(|(route, _)| match route.method {
            Method::GET => vec!["GET", "HEAD"],
            _ => vec![route.method.as_str()],
        })
        .collect::<Vec<_>>()
        .join(", ");
    let is_public = candidates
        .iter()
        .all(|(route, _)| route.endpoint.is_public());
    candidates
        .into_iter()
        .find(|(route, _)| route.method == method)
        .map_or(Match::OtherMethods { methods, is_public }, |(route, id)| {
            Match::Route { route, id }
        })
}

/// Returns the decoded segments below the base path; `None` if the path is elsewhere.
fn segments(path: &str) -> Option<Vec<String>> {
    let decode = |segment: &str| {
        percent_decode_str(segment)
            .decode_utf8()
            .map(|segment| segment.into_owned())
            .ok()
    };
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    for expected in BASE_PATH.split('/').filter(|segment| !segment.is_empty()) {
        if segments.next() != Some(expected) {
            return None;
        }
    }
    segments.map(decode).collect()
}

/// Returns whether a path is the base path itself.
#[must_use]
pub(super) fn is_base(path: &str) -> bool {
    segments(path).is_some_and(|segments| segments.is_empty())
}

/// Returns whether `{id}` is one that the service has made: other ids are names and URNs.
fn has_resource_id(route: &Route) -> bool {
    ["/Users/{id}", "/Groups/{id}"].contains(&route.path)
}

fn id_in(segments: &[String], route: &Route) -> Option<String> {
    let mut template = route.path.split('/').filter(|segment| !segment.is_empty());
    let mut id = "";
    for segment in segments {
        match template.next()? {
            "{id}" => id = segment,
            expected if expected == segment => {}
            _ => return None,
        }
    }
    template.next().is_none().then(|| id.to_owned())
}
