//! Requests over HTTP.

use serde_json::Value;

/// Sends a request and returns status and body; null if there is none, or if it is not JSON.
pub fn send(url: &str, method: &str, token: &str, body: &str) -> (u16, Value) {
    send_if(None, url, method, token, body)
}

pub fn send_if(
    if_match: Option<&str>,
    url: &str,
    method: &str,
    token: &str,
    body: &str,
) -> (u16, Value) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let mut request = ureq::http::Request::builder()
        .method(method)
        .uri(url)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/scim+json");
    if let Some(etag) = if_match {
        request = request.header("if-match", etag);
    }
    let request = request.body(body.to_owned()).unwrap();
    let mut response = agent.run(request).unwrap();
    let text = response.body_mut().read_to_string().unwrap();
    let body = serde_json::from_str(&text).unwrap_or_default();
    (response.status().as_u16(), body)
}
