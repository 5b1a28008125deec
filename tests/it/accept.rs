//! Which media type a response has, by `Accept`: each case for a success, an error of the request, and an error that
//! arises before the request is routed.

use lambda_http::{Context, LambdaEvent};
use paradigm_scim::lambda;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use test_support::data::{assert_none, data};
use test_support::world::{Call, Response, World};

/// Returns what is wrong with a response, if its media type must be this, or it must be refused.
fn wrong(about: &str, response: &Response, status: u16, preferred: Option<&str>) -> Option<String> {
    let media_type = preferred.unwrap_or("application/scim+json");
    let expected = (status, Some(media_type), Some("Accept"));
    let header = |name| response.header(name);
    let actual = (response.status, header("content-type"), header("vary"));
    (actual != expected).then(|| format!("{about}: {actual:?}, not {expected:?}"))
}

#[tokio::test]
async fn each_accept_header_gets_the_media_type_it_prefers() {
    let world = World::new().await;
    let client = world.client().await;
    let mut failures = Vec::new();
    for case in data("accept.json").as_array().unwrap() {
        let with = |call: Call| match &case["accept"] {
            Value::String(accept) => call.header("accept", accept),
            _ => call,
        };
        let preferred = case["preferred"].as_str();
        let found = client.send(with(Call::new("GET", "/Users"))).await;
        let status = preferred.map_or(406, |_| 200);
        failures.extend(wrong(&format!("{case}"), &found, status, preferred));
        let unknown = client.send(with(Call::new("GET", "/Users/unknown"))).await;
        failures.extend(wrong(&format!("404 of {case}"), &unknown, 404, preferred));
        let anonymous = world.send(with(Call::new("GET", "/Users"))).await;
        failures.extend(wrong(&format!("401 of {case}"), &anonymous, 401, preferred));
    }
    assert_none(&failures);
}

#[tokio::test]
async fn a_request_that_cannot_be_read_gets_the_media_type_it_prefers() {
    let world = World::new().await;
    for (accept, expected) in [
        ("application/json", "application/json"),
        ("text/html", "application/scim+json"),
    ] {
        // HTTP has no such header value.
        let headers = json!({"accept": accept, "authorization": "Bearer x\n"});
        let event = json!({"version": "2.0", "headers": headers});
        let event = LambdaEvent::new(to_raw_value(&event).unwrap(), Context::default());
        let response = lambda::respond(&world.service, event).await;
        assert_eq!(response.status_code, 400);
        assert_eq!(response.headers["content-type"], expected);
        assert_eq!(response.headers["vary"], "Accept");
        assert_eq!(response.headers["cache-control"], "no-store");
    }
}
