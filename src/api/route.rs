//! The routes: the endpoint of each method on each path.

use http::Method;
use scim::messages::MAX_BULK_PAYLOAD_BYTES;

use super::message::{MAX_BODY_BYTES, MAX_TOKEN_REQUEST_BYTES};

/// The path of all routes, below the public URL.
pub const BASE_PATH: &str = "/scim/v2";

/// The path of the token endpoint, below [`BASE_PATH`].
pub const TOKEN_PATH: &str = "/oauth2/token";

/// Returns a public URL without [`BASE_PATH`] and trailing slash, which are easily copied with it.
#[must_use]
pub fn origin_of(public_url: &str) -> &str {
    let url = public_url.trim_end_matches('/');
    url.strip_suffix(BASE_PATH)
        .unwrap_or(url)
        .trim_end_matches('/')
}

/// Returns the URL of the service below a public URL, without trailing slash.
#[must_use]
pub fn base_url(public_url: &str) -> String {
    format!("{}{BASE_PATH}", origin_of(public_url))
}

/// The endpoints; one function serves each.
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
    /// `POST /oauth2/token`
    IssueToken,
}

impl Endpoint {
    /// Returns the handler that the gateway sends its requests to.
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
            Self::IssueToken => Handler::IssueToken,
        }
    }

    /// Returns whether a request needs no bearer token: discovery, and the token endpoint, whose clients authenticate in
    /// another way.
    #[must_use]
    pub fn is_public(self) -> bool {
        self.is_discovery() || self == Self::IssueToken
    }

    /// Returns whether the response is in the media type that the client prefers. That of the token endpoint is not: it
    /// is no SCIM message.
    #[must_use]
    pub fn is_negotiated(self) -> bool {
        self != Self::IssueToken
    }

    /// Returns whether the endpoint describes the service. Clients read that before they have a key (RFC 7643 §5).
    #[must_use]
    pub fn is_discovery(self) -> bool {
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

    /// Returns the largest body in bytes; `None` if the endpoint takes none, so that a body is not read.
    #[must_use]
    pub const fn max_body_bytes(self) -> Option<usize> {
        match self {
            Self::Bulk => Some(MAX_BULK_PAYLOAD_BYTES),
            Self::IssueToken => Some(MAX_TOKEN_REQUEST_BYTES),
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
    /// `/oauth2/token`
    IssueToken,
    /// What the gateway matched to no route: other spellings of the paths, HEAD, wrong methods,
    /// unknown paths. It serves every endpoint, as the local program does.
    Default,
}

impl Handler {
    /// All handlers.
    pub const ALL: [Self; 16] = [
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
        Self::IssueToken,
        Self::Default,
    ];

    /// Returns the name of the program.
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
            Self::IssueToken => "issue_token",
            Self::Default => "default",
        }
    }

    /// Returns whether it reads the store: all but those of discovery, which is public.
    #[must_use]
    pub fn needs_store(self) -> bool {
        !matches!(
            self,
            Self::ServiceProviderConfig | Self::ResourceTypes | Self::Schemas | Self::OpenApi
        )
    }

    /// Returns whether it serves an endpoint.
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
    route(Method::POST, TOKEN_PATH, Endpoint::IssueToken),
];

const fn route(method: Method, path: &'static str, endpoint: Endpoint) -> Route {
    Route {
        method,
        path,
        endpoint,
    }
}
