//! Requests with personal data in them that can be recognised in a log.

use http::Method;
use paradigm_scim::api::route::ROUTES;
use serde_json::{Value, json};

/// In everything personal that is sent.
pub const MARKER: &str = "zqmarker";

/// Bodies that are right and wrong in many ways, each with personal data.
pub fn bodies() -> Vec<String> {
    let user = json!({
        "userName": format!("{MARKER}@example.com"), "externalId": MARKER, "displayName": MARKER, "title": MARKER,
        "name": {"givenName": MARKER, "familyName": MARKER}, "password": MARKER, MARKER: MARKER,
        "emails": [{"value": format!("{MARKER}@example.com"), "type": MARKER}],
    });
    let patch = json!({"Operations": [
        {"op": "replace", "path": format!("emails[type eq \"{MARKER}\"].value"), "value": MARKER},
        {"op": "add", "value": {"displayName": MARKER, MARKER: MARKER}},
    ]});
    let bulk = json!({"Operations": [
        {"method": "POST", "path": "/Users", "bulkId": MARKER, "data": user},
        {"method": "PATCH", "path": format!("/Users/bulkId:{MARKER}"), "data": patch},
        {"method": "DELETE", "path": format!("/Users/{MARKER}")},
    ]});
    let search = json!({"filter": format!("displayName co \"{MARKER}\""), "attributes": [MARKER], "sortBy": MARKER});
    let wrong = [
        json!({"userName": [MARKER, MARKER]}),
        json!({"userName": MARKER, "active": MARKER, "emails": MARKER}),
        json!({"Operations": [{"op": MARKER, "path": MARKER, "value": MARKER}]}),
        json!({"Operations": [{"op": "add", "path": format!("{MARKER}[{MARKER}"), "value": MARKER}]}),
        json!({"filter": format!("{MARKER} {MARKER}"), "cursor": MARKER, "count": MARKER}),
    ];
    let mut bodies: Vec<String> = [user, patch, bulk, search]
        .iter()
        .chain(&wrong)
        .map(Value::to_string)
        .collect();
    bodies.push(format!("{{\"userName\": \"{MARKER}"));
    bodies
}

/// A request with marked data in it.
pub struct Marked {
    pub method: &'static str,
    pub path: String,
    pub query: String,
    pub token: String,
    pub body: String,
    /// Whether no other request has this body, or this query, on this path.
    pub is_needed: bool,
}

impl Marked {
    /// Returns the first user, which has the mark.
    pub fn create(token: &str) -> Self {
        Self {
            method: "POST",
            path: "/Users".to_owned(),
            query: String::new(),
            token: token.to_owned(),
            body: bodies().swap_remove(0),
            is_needed: true,
        }
    }

    /// Returns every body with every query on every route, right and wrong, with a right and with a wrong
    /// token.
    pub fn all(id: &str, token: &str) -> Vec<Self> {
        let queries = [
            String::new(),
            format!("filter=userName%20eq%20%22{MARKER}@example.com%22&{MARKER}={MARKER}"),
            format!("filter={MARKER}%20{MARKER}&sortBy={MARKER}&attributes={MARKER}"),
            format!("cursor={MARKER}&count={MARKER}"),
        ];
        let mut all = Vec::new();
        for route in ROUTES {
            for id in [id, MARKER] {
                let path = route.path.replace("{id}", id);
                if id == MARKER && path == route.path {
                    continue;
                }
                for (number, query) in queries.iter().enumerate() {
                    let mut add = |token: &str, body: &str, is_needed| {
                        all.push(Self {
                            method: route.method.as_str(),
                            path: path.clone(),
                            query: query.clone(),
                            token: token.to_owned(),
                            body: body.to_owned(),
                            is_needed,
                        });
                    };
                    if matches!(route.method, Method::POST | Method::PUT | Method::PATCH) {
                        for (body, number_of_body) in bodies().iter().zip(0..) {
                            add(token, body, number_of_body % queries.len() == number);
                        }
                    } else {
                        add(token, "", true);
                    }
                    add(&format!("pscim_{MARKER}"), "{}", number == 0);
                }
            }
        }
        all.push(Self {
            method: "GET",
            path: format!("/{MARKER}"),
            query: MARKER.to_owned(),
            token: token.to_owned(),
            body: String::new(),
            is_needed: true,
        });
        all
    }

    /// As an event for the handler that takes what no other does.
    pub fn event(&self, like: &Value) -> Value {
        let mut event = like.clone();
        event["routeKey"] = "$default".into();
        event["rawPath"] = format!("/scim/v2{}", self.path).into();
        event["rawQueryString"] = self.query.clone().into();
        event["headers"]["authorization"] = format!("Bearer {}", self.token).into();
        event["headers"]["content-type"] = "application/scim+json".into();
        event["headers"]["user-agent"] = MARKER.into();
        event["body"] = self.body.clone().into();
        event["requestContext"]["http"]["method"] = self.method.into();
        event["requestContext"]["http"]["path"] = event["rawPath"].clone();
        event
    }
}

pub const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Fails if the log holds a mark, or a token or its secret.
pub fn assert_nothing_personal(log: &str, token: &str, about: &str) {
    for secret in [MARKER, token, &token[23..]] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{about}");
    }
}
