//! Bodies as clients send them, for readers and for tools that try the service.

use scim::messages::{BULK_REQUEST_URN, PATCH_OP_URN, SEARCH_REQUEST_URN};
use scim::schema::{ENTERPRISE_USER, USER_SCHEMA};
use serde_json::{Map, Value, json};

/// A body, with its name and the component that it is an example of.
struct Example {
    name: &'static str,
    component: &'static str,
    body: Value,
}

fn all() -> impl Iterator<Item = Example> {
    let examples = |component, bodies: Vec<(&'static str, Value)>| {
        let example = move |(name, body)| Example {
            name,
            component,
            body,
        };
        bodies.into_iter().map(example)
    };
    examples("UserInput", vec![("user", user())])
        .chain(examples("PatchOp", patches()))
        .chain(examples("SearchRequest", searches()))
        .chain(examples("BulkRequest", bulk()))
}

fn user() -> Value {
    json!({
        "schemas": [USER_SCHEMA.id, ENTERPRISE_USER.id],
        "userName": "ada@example.com",
        "externalId": "f1b0a3de-0c5c-4c5e-9f5d-1f2f3a4b5c6d",
        "displayName": "Ada Example",
        "name": {"givenName": "Ada", "familyName": "Example"},
        "emails": [{"type": "work", "value": "ada@example.com", "primary": true}],
        "active": true,
        ENTERPRISE_USER.id: {"department": "Research", "employeeNumber": "42"},
    })
}

fn patch(operation: Value) -> Value {
    json!({"schemas": [PATCH_OP_URN], "Operations": [operation]})
}

fn deactivation() -> Value {
    patch(json!({"op": "replace", "path": "active", "value": false}))
}

fn patches() -> Vec<(&'static str, Value)> {
    let work_email = json!({
        "op": "replace", "path": "emails[type eq \"work\"].value", "value": "ada.example@example.com",
    });
    let several = json!({
        "op": "replace",
        "value": {"title": "Professor", "active": true, ENTERPRISE_USER.id: {"department": "Teaching"}},
    });
    let nick_name = json!({"op": "remove", "path": "nickName"});
    vec![
        ("deactivate", deactivation()),
        ("changeWorkEmail", patch(work_email)),
        ("changeSeveralAttributes", patch(several)),
        ("removeNickName", patch(nick_name)),
    ]
}

fn searches() -> Vec<(&'static str, Value)> {
    let search = json!({
        "schemas": [SEARCH_REQUEST_URN],
        "filter": "userName eq \"ada@example.com\" and active eq true",
        "attributes": ["userName", "emails.value"],
        "startIndex": 1,
        "count": 10,
    });
    let by_cursor =
        json!({"schemas": [SEARCH_REQUEST_URN], "cursor": "", "count": 10, "sortBy": "userName"});
    vec![("search", search), ("firstPageByCursor", by_cursor)]
}

fn bulk() -> Vec<(&'static str, Value)> {
    let grace = json!({"schemas": [USER_SCHEMA.id], "userName": "grace@example.com"});
    let body = json!({
        "schemas": [BULK_REQUEST_URN],
        "failOnErrors": 1,
        "Operations": [
            {"method": "POST", "path": "/Users", "bulkId": "grace", "data": grace},
            {"method": "PATCH", "path": "/Users/bulkId:grace", "data": deactivation()},
        ],
    });
    vec![("createAndDeactivate", body)]
}

/// Returns the examples by name.
pub(super) fn examples() -> Map<String, Value> {
    all()
        .map(|example| (example.name.to_owned(), json!({"value": example.body})))
        .collect()
}

/// Returns the names of the examples of a component.
pub(super) fn of(component: &str) -> impl Iterator<Item = &'static str> {
    all()
        .filter(move |example| example.component == component)
        .map(|example| example.name)
}
