//! The routes: which method on which path reaches which endpoint.

use http::Method;
use percent_encoding::percent_decode_str;

use super::message::MAX_BODY_BYTES;
use super::near_miss;
use crate::config::BASE_PATH;
use crate::scim::bulk::MAX_PAYLOAD_BYTES;

/// What a request can ask for; one function serves each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `GET /Users`
    ListUsers,
    /// `POST /Users`
    CreateUser,
    /// `GET /Users/{id}`
    GetUser,
    /// `PUT /Users/{id}`
    ReplaceUser,
    /// `PATCH /Users/{id}`
    PatchUser,
    /// `DELETE /Users/{id}`
    DeleteUser,
    /// `POST /Users/.search`
    SearchUsers,
    /// `POST /.search`
    SearchAll,
    /// `GET /`, the base URI
    QueryAll,
    /// `POST /Bulk`
    Bulk,
    /// `GET /Me`
    GetMe,
    /// `PUT /Me`
    ReplaceMe,
    /// `PATCH /Me`
    PatchMe,
    /// `POST /Me`
    RefuseCreateMe,
    /// `DELETE /Me`
    RefuseDeleteMe,
    /// `GET /Groups`
    ListGroups,
    /// `POST /Groups/.search`
    SearchGroups,
    /// `GET /Groups/{id}`
    GetGroup,
    /// Every other method on groups
    RefuseGroups,
    /// `GET /ServiceProviderConfig`
    ServiceProviderConfig,
    /// `GET /ResourceTypes`
    ListResourceTypes,
    /// `GET /ResourceTypes/{id}`
    GetResourceType,
    /// `GET /Schemas`
    ListSchemas,
    /// `GET /Schemas/{id}`
    GetSchema,
    /// `GET /openapi.json`
    OpenApi,
}

impl Endpoint {
    /// The handler that the gateway sends its requests to.
    #[must_use]
    pub const fn handler(self) -> Handler {
        match self {
            Self::ListUsers => Handler::ListUsers,
            Self::CreateUser => Handler::CreateUser,
            Self::GetUser => Handler::GetUser,
            Self::ReplaceUser => Handler::ReplaceUser,
            Self::PatchUser => Handler::PatchUser,
            Self::DeleteUser => Handler::DeleteUser,
            Self::SearchUsers | Self::SearchAll | Self::QueryAll => Handler::Search,
            Self::Bulk => Handler::Bulk,
            Self::GetMe
            | Self::ReplaceMe
            | Self::PatchMe
            | Self::RefuseCreateMe
            | Self::RefuseDeleteMe => Handler::Me,
            Self::ListGroups | Self::SearchGroups | Self::GetGroup | Self::RefuseGroups => {
                Handler::Groups
            }
            Self::ServiceProviderConfig => Handler::ServiceProviderConfig,
            Self::ListResourceTypes | Self::GetResourceType => Handler::ResourceTypes,
            Self::ListSchemas | Self::GetSchema => Handler::Schemas,
            Self::OpenApi => Handler::OpenApi,
        }
    }

    /// Discovery is public (RFC 7643 §5): clients read it before they have a key.
    #[must_use]
    pub fn is_public(self) -> bool {
        matches!(
            self,
            Self::ServiceProviderConfig
                | Self::ListResourceTypes
                | Self::GetResourceType
                | Self::ListSchemas
                | Self::GetSchema
                | Self::OpenApi
        )
    }

    /// Largest body in bytes; `None` if it takes none, so that what is sent is not read.
    #[must_use]
    pub const fn max_body_bytes(self) -> Option<usize> {
        match self {
            Self::Bulk => Some(MAX_PAYLOAD_BYTES),
            Self::CreateUser
            | Self::ReplaceUser
            | Self::PatchUser
            | Self::SearchUsers
            | Self::SearchAll
            | Self::SearchGroups
            | Self::ReplaceMe
            | Self::PatchMe => Some(MAX_BODY_BYTES),
            Self::QueryAll
            | Self::ListUsers
            | Self::GetUser
            | Self::DeleteUser
            | Self::GetMe
            | Self::RefuseCreateMe
            | Self::RefuseDeleteMe
            | Self::ListGroups
            | Self::GetGroup
            | Self::RefuseGroups
            | Self::ServiceProviderConfig
            | Self::ListResourceTypes
            | Self::GetResourceType
            | Self::ListSchemas
            | Self::GetSchema
            | Self::OpenApi => None,
        }
    }
}

/// A Lambda handler: a program of its own that serves one or more endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handler {
    /// `GET /Users`
    ListUsers,
    /// `POST /Users`
    CreateUser,
    /// `GET /Users/{id}`
    GetUser,
    /// `PUT /Users/{id}`
    ReplaceUser,
    /// `PATCH /Users/{id}`
    PatchUser,
    /// `DELETE /Users/{id}`
    DeleteUser,
    /// `/.search`, `/Users/.search` and `GET /`
    Search,
    /// `/Bulk`
    Bulk,
    /// `/Me`
    Me,
    /// `/ServiceProviderConfig`
    ServiceProviderConfig,
    /// `/ResourceTypes` and `/ResourceTypes/{id}`
    ResourceTypes,
    /// `/Schemas` and `/Schemas/{id}`
    Schemas,
    /// `/openapi.json`
    OpenApi,
    /// Everything on groups
    Groups,
    /// What the gateway matched to no route: other spellings of the paths, HEAD, wrong methods,
    /// unknown paths. It serves every endpoint, as the local program does.
    Default,
}

impl Handler {
    /// All handlers.
    pub const ALL: [Self; 15] = [
        Self::ListUsers,
        Self::CreateUser,
        Self::GetUser,
        Self::ReplaceUser,
        Self::PatchUser,
        Self::DeleteUser,
        Self::Search,
        Self::Bulk,
        Self::Me,
        Self::ServiceProviderConfig,
        Self::ResourceTypes,
        Self::Schemas,
        Self::OpenApi,
        Self::Groups,
        Self::Default,
    ];

    /// Name of the program.
    #[must_use]
    pub const fn binary(self) -> &'static str {
        match self {
            Self::ListUsers => "list_users",
            Self::CreateUser => "create_user",
            Self::GetUser => "get_user",
            Self::ReplaceUser => "replace_user",
            Self::PatchUser => "patch_user",
            Self::DeleteUser => "delete_user",
            Self::Search => "search",
            Self::Bulk => "bulk",
            Self::Me => "me",
            Self::ServiceProviderConfig => "service_provider_config",
            Self::ResourceTypes => "resource_types",
            Self::Schemas => "schemas",
            Self::OpenApi => "openapi",
            Self::Groups => "groups",
            Self::Default => "default",
        }
    }

    /// Whether it reads the store: all but those of discovery, which is public.
    #[must_use]
    pub fn needs_store(self) -> bool {
        !matches!(
            self,
            Self::ServiceProviderConfig | Self::ResourceTypes | Self::Schemas | Self::OpenApi
        )
    }

    /// Whether it serves an endpoint.
    #[must_use]
    pub fn serves(self, endpoint: Endpoint) -> bool {
        self == Self::Default || self == endpoint.handler()
    }
}

/// A method on a path below the base path.
#[derive(Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path; `{id}` stands for one segment.
    pub path: &'static str,
    /// What serves it.
    pub endpoint: Endpoint,
}

/// All routes of the service.
pub static ROUTES: &[Route] = &[
    route(Method::GET, "/Users", Endpoint::ListUsers),
    route(Method::POST, "/Users", Endpoint::CreateUser),
    route(Method::GET, "/Users/{id}", Endpoint::GetUser),
    route(Method::PUT, "/Users/{id}", Endpoint::ReplaceUser),
    route(Method::PATCH, "/Users/{id}", Endpoint::PatchUser),
    route(Method::DELETE, "/Users/{id}", Endpoint::DeleteUser),
    route(Method::POST, "/Users/.search", Endpoint::SearchUsers),
    route(Method::POST, "/.search", Endpoint::SearchAll),
    route(Method::GET, "/", Endpoint::QueryAll),
    route(Method::POST, "/Bulk", Endpoint::Bulk),
    route(Method::GET, "/Me", Endpoint::GetMe),
    route(Method::PUT, "/Me", Endpoint::ReplaceMe),
    route(Method::PATCH, "/Me", Endpoint::PatchMe),
    route(Method::POST, "/Me", Endpoint::RefuseCreateMe),
    route(Method::DELETE, "/Me", Endpoint::RefuseDeleteMe),
    route(Method::GET, "/Groups", Endpoint::ListGroups),
    route(Method::POST, "/Groups", Endpoint::RefuseGroups),
    route(Method::PATCH, "/Groups", Endpoint::RefuseGroups),
    route(Method::POST, "/Groups/.search", Endpoint::SearchGroups),
    route(Method::GET, "/Groups/{id}", Endpoint::GetGroup),
    route(Method::PUT, "/Groups/{id}", Endpoint::RefuseGroups),
    route(Method::PATCH, "/Groups/{id}", Endpoint::RefuseGroups),
    route(Method::DELETE, "/Groups/{id}", Endpoint::RefuseGroups),
    route(
        Method::GET,
        "/ServiceProviderConfig",
        Endpoint::ServiceProviderConfig,
    ),
    route(Method::GET, "/ResourceTypes", Endpoint::ListResourceTypes),
    route(
        Method::GET,
        "/ResourceTypes/{id}",
        Endpoint::GetResourceType,
    ),
    route(Method::GET, "/Schemas", Endpoint::ListSchemas),
    route(Method::GET, "/Schemas/{id}", Endpoint::GetSchema),
    route(Method::GET, "/openapi.json", Endpoint::OpenApi),
];

const fn route(method: Method, path: &'static str, endpoint: Endpoint) -> Route {
    Route {
        method,
        path,
        endpoint,
    }
}

/// Where a request leads.
#[derive(Debug)]
pub enum Match {
    /// To a route.
    Route {
        /// The route.
        route: &'static Route,
        /// What stands in the path for `{id}`, decoded; empty if the route has none.
        id: String,
    },
    /// To a path that takes other methods.
    OtherMethods {
        /// Those, listed for `Allow`.
        methods: String,
        /// Whether anyone may read there.
        is_public: bool,
    },
    /// Nowhere.
    Nothing,
}

/// Finds the route for a method and a raw path. Doubled and trailing slashes are harmless: a
/// tenant URL that ends in `/` makes Entra send `//Users`. HEAD is answered as GET.
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
    candidates.retain(|(route, id)| !(has_resource_id(route) && near_miss::meant(id).is_some()));
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

/// The decoded segments below the base path; `None` if the path is elsewhere.
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

/// Whether a path is the base path itself.
#[must_use]
pub(super) fn is_base(path: &str) -> bool {
    segments(path).is_some_and(|segments| segments.is_empty())
}

/// Whether `{id}` is one that the service has made: other ids are names and URNs.
fn has_resource_id(route: &Route) -> bool {
    ["/Users/{id}", "/Groups/{id}"].contains(&route.path)
}

fn id_in(segments: &[String], route: &Route) -> Option<String> {
    let template = route.path.split('/').filter(|segment| !segment.is_empty());
    let template: Vec<&str> = template.collect();
    if template.len() != segments.len() {
        return None;
    }
    let mut id = String::new();
    for (expected, segment) in template.into_iter().zip(segments) {
        if expected == "{id}" {
            id.clone_from(segment);
        } else if expected != segment {
            return None;
        }
    }
    Some(id)
}
