//! What each endpoint takes and returns.

use crate::api::route::Endpoint;

/// What an endpoint takes and returns besides what is the same for all.
pub(super) struct Description {
    /// Components of the parameters.
    pub(super) parameters: &'static [&'static str],
    /// Component of the body.
    pub(super) body: Option<&'static str>,
    /// Status and component of success.
    pub(super) success: Option<(u16, Option<&'static str>)>,
    /// Other statuses: 304, or errors.
    pub(super) others: &'static [u16],
}

const QUERY: &[&str] = &[
    "filter",
    "startIndex",
    "count",
    "cursor",
    "sortBy",
    "sortOrder",
    "attributes",
    "excludedAttributes",
];
const PROJECTED: &[&str] = &["attributes", "excludedAttributes"];
const CONDITIONAL: &[&str] = &["attributes", "excludedAttributes", "ifMatch", "ifNoneMatch"];

/// Returns what an endpoint does, in a few words.
pub(super) fn summary(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::ListUsers => "List or find users",
        Endpoint::QueryAll => "List or find resources of all types",
        Endpoint::SearchUsers => "Search users",
        Endpoint::SearchAll => "Search resources of all types",
        Endpoint::CreateUser => "Create a user",
        Endpoint::GetUser => "Get a user",
        Endpoint::GetMe => "Get the user that owns the API key",
        Endpoint::ReplaceUser => "Replace a user's attributes",
        Endpoint::ReplaceMe => "Replace the attributes of the user that owns the API key",
        Endpoint::PatchUser => "Change a user's attributes, deactivate or restore the user",
        Endpoint::PatchMe => "Change attributes of the user that owns the API key",
        Endpoint::DeleteUser => "Anonymise a user permanently",
        Endpoint::Bulk => "Process many operations",
        Endpoint::RefuseCreateMe => "Registration through /Me is not supported",
        Endpoint::RefuseDeleteMe => "The owner of an API key is not deleted through /Me",
        Endpoint::ListGroups | Endpoint::SearchGroups => "Groups are not supported: finds none",
        Endpoint::GetGroup | Endpoint::RefuseGroups => "Groups are not supported",
        Endpoint::ServiceProviderConfig => "What the service provider supports",
        Endpoint::ListResourceTypes => "The resource types",
        Endpoint::GetResourceType => "A resource type",
        Endpoint::ListSchemas => "The schemas",
        Endpoint::GetSchema => "A schema",
        Endpoint::OpenApi => "This description",
        Endpoint::IssueToken => {
            "Issue an access token to a client that authenticates by an API key"
        }
    }
}

impl Description {
    /// Describes an endpoint.
    pub(super) fn of(endpoint: Endpoint) -> Self {
        match endpoint {
            Endpoint::ListUsers => Self::returning("UserList", &[400, 429]).with(QUERY),
            Endpoint::QueryAll => Self::returning("UserList", &[400, 404, 429]).with(QUERY),
            Endpoint::SearchUsers | Endpoint::SearchAll => {
                Self::returning("UserList", &[400, 413, 415, 429]).taking("SearchRequest")
            }
            Endpoint::CreateUser => Self {
                success: Some((201, Some("User"))),
                ..Self::returning("User", &[400, 409, 413, 415])
                    .with(PROJECTED)
                    .taking("UserInput")
            },
            Endpoint::GetUser | Endpoint::GetMe => {
                Self::returning("User", &[304, 400, 404, 412]).with(CONDITIONAL)
            }
            Endpoint::ReplaceUser | Endpoint::ReplaceMe => Self::changing("UserInput"),
            Endpoint::PatchUser | Endpoint::PatchMe => Self::changing("PatchOp"),
            Endpoint::DeleteUser => Self {
                success: Some((204, None)),
                ..Self::refusing(&[404, 412]).with(&["ifMatch", "ifNoneMatch"])
            },
            Endpoint::Bulk => {
                Self::returning("BulkResponse", &[400, 413, 415]).taking("BulkRequest")
            }
            Endpoint::RefuseCreateMe => Self::refusing(&[501]),
            Endpoint::RefuseDeleteMe => Self::refusing(&[]),
            Endpoint::ListGroups => Self::returning("EmptyList", &[400]).with(&[
                "filter",
                "startIndex",
                "count",
                "cursor",
            ]),
            Endpoint::SearchGroups => {
                Self::returning("EmptyList", &[400, 413, 415]).taking("SearchRequest")
            }
            Endpoint::GetGroup => Self::refusing(&[404]),
            Endpoint::RefuseGroups => Self::refusing(&[404, 501]),
            Endpoint::ServiceProviderConfig => {
                Self::discovery("ServiceProviderConfig", &[304, 400])
            }
            Endpoint::ListResourceTypes => Self::discovery("ResourceTypeList", &[304, 400]),
            Endpoint::GetResourceType => Self::discovery("ResourceType", &[304, 400, 404]),
            Endpoint::ListSchemas => Self::discovery("SchemaList", &[304, 400]),
            Endpoint::GetSchema => Self::discovery("Schema", &[304, 400, 404]),
            Endpoint::OpenApi => Self::discovery("OpenApi", &[304]),
            Endpoint::IssueToken => {
                Self::returning("TokenResponse", &[400, 401, 413, 415]).taking("TokenRequest")
            }
        }
    }

    /// Nothing but errors.
    fn refusing(others: &'static [u16]) -> Self {
        Self {
            parameters: &[],
            body: None,
            success: None,
            others,
        }
    }

    /// 200 with a component.
    fn returning(component: &'static str, others: &'static [u16]) -> Self {
        Self {
            success: Some((200, Some(component))),
            ..Self::refusing(others)
        }
    }

    /// What describes the service.
    fn discovery(component: &'static str, others: &'static [u16]) -> Self {
        Self::returning(component, others).with(&["ifNoneMatch"])
    }

    /// A change of a user by a component.
    fn changing(component: &'static str) -> Self {
        Self::returning("User", &[400, 404, 409, 412, 413, 415])
            .with(CONDITIONAL)
            .taking(component)
    }

    fn with(self, parameters: &'static [&'static str]) -> Self {
        Self { parameters, ..self }
    }

    fn taking(self, component: &'static str) -> Self {
        Self {
            body: Some(component),
            ..self
        }
    }
}
