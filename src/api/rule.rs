//! The rules of this service by name, beside those of the protocol in [`scim::rule`].

scim::rules! {
    /// SCIM is activated on the instance.
    NOT_ACTIVATED = "not-activated";
    /// A request has a bearer token.
    TOKEN_MISSING = "token-missing";
    /// The bearer token is valid.
    UNAUTHORIZED = "unauthorized";
    /// The key's owner may manage users.
    NOT_PERMITTED = "not-permitted";
    /// The company is not suspended.
    COMPANY_SUSPENDED = "company-suspended";

    /// The key of the token has not expired.
    KEY_EXPIRED = "key-expired";
    /// The key of the token is not revoked.
    KEY_REVOKED = "key-revoked";
    /// A request for an access token is well-formed.
    TOKEN_REQUEST = "token-request";
    /// A request for an access token names a grant type that there is.
    TOKEN_GRANT_TYPE = "token-grant-type";
    /// A request for an access token has the id and the secret of a valid key.
    TOKEN_CLIENT = "token-client";

    /// HTTP knows the method and the headers.
    REQUEST_UNREADABLE = "request-unreadable";
    /// A request names exactly one host.
    HOST = "host";
    /// Something is at the path.
    PATH_UNKNOWN = "path-unknown";
    /// The path is not a near miss of one that there is.
    PATH_MISSPELT = "path-misspelt";
    /// The path takes the method.
    METHOD_NOT_ALLOWED = "method-not-allowed";
    /// `Accept` allows the media type of the response.
    NOT_ACCEPTABLE = "not-acceptable";

    /// A body has a limited size.
    BODY_TOO_LARGE = "body-too-large";
    /// A body arrives as announced.
    BODY_INCOMPLETE = "body-incomplete";
    /// `Content-Type` is one of JSON's.
    BODY_CONTENT_TYPE = "body-content-type";
    /// A body is not compressed.
    BODY_CONTENT_ENCODING = "body-content-encoding";
    /// A body is UTF-8 text.
    BODY_NOT_UTF8 = "body-not-utf8";
    /// A body is not empty.
    BODY_EMPTY = "body-empty";
    /// A body is a JSON object.
    BODY_NOT_JSON_OBJECT = "body-not-json-object";

    /// A parameter is percent-encoded UTF-8.
    PARAMETER_ENCODING = "parameter-encoding";
    /// A parameter stands by itself, and not in the value of another one.
    PARAMETER_SWALLOWED = "parameter-swallowed";
    /// Discovery takes no filter.
    DISCOVERY_FILTER = "discovery-filter";
    /// A limited number of users has the value that is filtered by.
    FILTER_MATCHES = "filter-matches";
    /// A query goes through a limited number of users.
    SCAN_LIMIT = "scan-limit";
    /// The scans of a company draw on a budget for each minute.
    SCAN_BUDGET = "scan-budget";
    /// A query computes a limited amount.
    QUERY_WORK = "query-work";
    /// A key sends a limited number of requests a second.
    KEY_RATE = "key-rate";
    /// A key has a limited number of requests under way.
    KEY_CONCURRENCY = "key-concurrency";

    /// There is a user with the id.
    USER_UNKNOWN = "user-unknown";
    /// There is a group with the id: there are none.
    GROUP_UNKNOWN = "group-unknown";
    /// There is a resource type or schema with the id.
    DISCOVERY_UNKNOWN = "discovery-unknown";
    /// The user has the version that `If-Match` or `If-None-Match` asks for.
    VERSION_CHANGED = "version-changed";
    /// A `userName` is used by one user of the company.
    USER_NAME_TAKEN = "user-name-taken";
    /// `active` has a value.
    ACTIVE_MISSING = "active-missing";
    /// A `userName` is not blank.
    USER_NAME_BLANK = "user-name-blank";
    /// A `userName` has a limited length.
    USER_NAME_LENGTH = "user-name-length";
    /// A user has a limited number of emails.
    EMAILS_NUMBER = "emails-number";
    /// A user has a limited size.
    USER_SIZE = "user-size";

    /// A bulk operation is one that `/Bulk` takes.
    BULK_TARGET = "bulk-target";
    /// Groups are not supported.
    GROUPS_UNSUPPORTED = "groups-unsupported";
    /// Users are not registered through `/Me`.
    ME_CREATE = "me-create";
    /// The owner of the key is not deleted through `/Me`.
    ME_DELETE = "me-delete";

    /// The request is done in time.
    NOT_IN_TIME = "not-in-time";
    /// The store responds.
    STORE_BUSY = "store-busy";
    /// The embedded store's file can be written.
    STORE_UNWRITABLE = "store-unwritable";
}
