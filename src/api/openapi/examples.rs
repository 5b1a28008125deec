//! Bodies as clients send them, for readers and for tools that try the service.

use scim::messages::{BULK_REQUEST_URN, PATCH_OP_URN, SEARCH_REQUEST_URN};
use scim::schema::{ENTERPRISE_USER, USER_SCHEMA};
use serde_json::{Map, Value, json};

/// Name, component that it is an example of, the body.
fn all() -> [(&'static str, &'static str, Value); 8] {
    let ada = json!({
        "schemas": [USER_SCHEMA.id, ENTERPRISE_USER.id],
        "userName": "ada@example.com",
        "externalId": "f1b0a3de-0c5c-4c5e-9f5d-1f2f3a4b5c6d",
        "displayName": "Ada Example",
        "name": {"givenName": "Ada", "familyName": "Example"},
        "emails": [{"type": "work", "value": "ada@example.com", "primary": true}],
        "active": true,
        ENTERPRISE_USER.id: {"department": "Research", "employeeNumber": "42"},
    });
    let patch = |operation: Value| json!({"schemas": [PATCH_OP_URN], "Operations": [operation]});
    [
        ("user", "UserInput", ada),
        (
            "deactivate",
            "PatchOp",
            patch(json!({"op": "replace", "path": "active", "value": false})),
        ),
        (
            "changeWorkEmail",
            "PatchOp",
            patch(json!({
                "op": "replace", "path": "emails[type eq \"work\"].value", "value": "ada.example@example.com",
            })),
        ),
        (
            "changeSeveralAttributes",
            "PatchOp",
            patch(json!({
                "op": "replace",
                "value": {"title": "Professor", "active": true, ENTERPRISE_USER.id: {"department": "Teaching"}},
            })),
        ),
        (
            "removeNickName",
            "PatchOp",
            patch(json!({"op": "remove", "path": "nickName"})),
        ),
        (
            "search",
            "SearchRequest",
            json!({
                "schemas": [SEARCH_REQUEST_URN],
                "filter": "userName eq \"ada@example.com\" and active eq true",
                "attributes": ["userName", "emails.value"],
                "startIndex": 1,
                "count": 10,
            }),
        ),
        (
            "firstPageByCursor",
            "SearchRequest",
            json!({"schemas": [SEARCH_REQUEST_URN], "cursor": "", "count": 10, "sortBy": "userName"}),
        ),
        (
            "createAndDeactivate",
            "BulkRequest",
            json!({
                "schemas": [BULK_REQUEST_URN],
                "failOnErrors": 1,
                "Operations": [
                    {
                        "method": "POST", "path": "/Users", "bulkId": "grace",
                        "data": {"schemas": [USER_SCHEMA.id], "userName": "grace@example.com"},
                    },
                    {
                        "method": "PATCH", "path": "/Users/bulkId:grace",
                        "data": patch(json!({"op": "replace", "path": "active", "value": false})),
                    },
                ],
            }),
        ),
    ]
}

/// Returns the examples by name.
pub(super) fn examples() -> Map<String, Value> {
    let named = all().into_iter();
    named
        .map(|(name, _, body)| (name.to_owned(), json!({"value": body})))
        .collect()
}

/// Returns the names of the examples of a component.
pub(super) fn of(component: &str) -> impl Iterator<Item = &'static str> {
    let matching = all().into_iter().filter(move |(_, of, _)| *of == component);
    matching.map(|(name, _, _)| name)
}
