//! Who may see the console.

use jiff::SignedDuration;
use test_support::counted::Calls;

use super::{Desk, HOST, paths};

#[tokio::test]
async fn without_a_session_nothing_is_shown_and_the_store_is_not_read() {
    let desk = Desk::new().await;
    let client = desk.world.client().await;
    let user = client.administrator.to_string();
    desk.table.take();
    let wrong = format!("console_8081={}", "0".repeat(64));
    for path in paths(&client, &user) {
        for cookie in ["", "console_8081=", wrong.as_str()] {
            let response = desk.get(cookie, &path).await;
            assert_eq!(response.status, 401, "{path} {cookie}");
            assert!(
                !response.body.contains("Company"),
                "{path}: {}",
                response.body
            );
        }
    }
    assert_eq!(desk.table.take(), Calls::new());
}

#[tokio::test]
async fn a_link_opens_the_console_once_and_leads_to_a_clean_url() {
    let desk = Desk::new().await;
    let link = desk.console.new_link().unwrap();
    let opened = desk.follow(&link).await;
    assert_eq!((opened.status, opened.header("location")), (303, "/"));
    let set = opened.header("set-cookie");
    for part in [
        "; HttpOnly",
        "; SameSite=Strict",
        "; Path=/",
        "; Max-Age=28800",
    ] {
        assert!(set.contains(part), "{part} in {set}");
    }
    assert!(!link.contains(opened.cookie().split_once('=').unwrap().1));
    let cookie = opened.cookie();
    assert_eq!(desk.get(&cookie, "/").await.status, 200);

    let again = desk.follow(&link).await;
    assert_eq!((again.status, again.header("set-cookie")), (410, ""));
    assert!(again.body.contains("was used"), "{}", again.body);
    assert_eq!(desk.get(&cookie, "/").await.status, 200);

    let old = desk.console.new_link().unwrap();
    let new = desk.console.new_link().unwrap();
    assert_eq!(desk.follow(&old).await.status, 410);
    assert_eq!(desk.follow(&new).await.status, 303);
}

#[tokio::test]
async fn looking_at_a_link_does_not_use_it() {
    let desk = Desk::new().await;
    let link = desk.console.new_link().unwrap();
    let path = link.strip_prefix("http://127.0.0.1:8081").unwrap();
    let head = desk.send("HEAD", path, &[("host", HOST)], "").await;
    assert_eq!(head.status, 405);
    let elsewhere = desk
        .send("GET", path, &[("host", "localhost:8081")], "")
        .await;
    assert_eq!(elsewhere.status, 421);
    assert_eq!(desk.follow(&link).await.status, 303);
}

#[tokio::test]
async fn links_and_sessions_end_with_time() {
    let desk = Desk::new().await;
    let link = desk.console.new_link().unwrap();
    desk.world.clock.advance(SignedDuration::from_mins(10));
    let late = desk.follow(&link).await;
    assert_eq!(late.status, 410);
    assert!(late.body.contains("expired"), "{}", late.body);

    let cookie = desk.open().await;
    desk.world.clock.advance(SignedDuration::from_mins(29));
    assert_eq!(desk.get(&cookie, "/").await.status, 200);
    desk.world.clock.advance(SignedDuration::from_mins(30));
    assert_eq!(desk.get(&cookie, "/").await.status, 401);
}

/// A program at another port of this machine can set a cookie of the same name.
#[tokio::test]
async fn another_cookie_of_the_name_does_not_lock_out() {
    let desk = Desk::new().await;
    let cookie = desk.open().await;
    let (name, _) = cookie.split_once('=').unwrap();
    for cookies in [format!("{name}=x; {cookie}"), format!("{cookie}; {name}=x")] {
        assert_eq!(desk.get(&cookies, "/").await.status, 200, "{cookies}");
    }
    let wrong = format!("{name}=x");
    assert_eq!(desk.get(&wrong, "/").await.status, 401);
}

#[tokio::test]
async fn a_session_can_be_ended() {
    let desk = Desk::new().await;
    let cookie = desk.open().await;
    let other = desk.open().await;
    let left = desk.post(&cookie, "/leave", "").await;
    assert_eq!(left.status, 200);
    assert!(left.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(desk.get(&cookie, "/").await.status, 401);
    assert_eq!(desk.get(&other, "/").await.status, 200);
}

#[tokio::test]
async fn another_host_or_origin_is_refused_before_anything_is_read() {
    let desk = Desk::new().await;
    let client = desk.world.client().await;
    let cookie = desk.open().await;
    let users = format!("/companies/{}/users", client.company);
    desk.table.take();
    for host in [
        "evil.example:8081",
        "127.0.0.1",
        "127.0.0.1:8080",
        "localhost:8081",
    ] {
        let headers = [("host", host), ("cookie", cookie.as_str())];
        let response = desk.send("GET", &users, &headers, "").await;
        assert_eq!(response.status, 421, "{host}");
        assert!(response.body.contains("http://127.0.0.1:8081"));
    }
    for origin in [
        "https://evil.example",
        "http://127.0.0.1:8080",
        "http://localhost:8081",
        "null",
    ] {
        let headers = [
            ("host", HOST),
            ("cookie", cookie.as_str()),
            ("origin", origin),
        ];
        let response = desk.send("POST", &users, &headers, "value=x").await;
        assert_eq!(response.status, 403, "{origin}");
    }
    let headers = [("host", HOST), ("cookie", cookie.as_str())];
    let without = desk.send("POST", &users, &headers, "value=x").await;
    assert_eq!(without.status, 403);
    assert!(desk.table.take().is_empty());
    let ours = [headers[0], headers[1], ("origin", "http://127.0.0.1:8081")];
    let response = desk.send("POST", &users, &ours, "value=x").await;
    assert_eq!(response.status, 200);
}

#[tokio::test]
async fn every_response_is_protected_and_stays_out_of_caches() {
    let desk = Desk::new().await;
    let client = desk.world.client().await;
    let cookie = desk.open().await;
    let mut responses = Vec::new();
    for path in paths(&client, &client.administrator.to_string()) {
        responses.push(desk.get(&cookie, &path).await);
        responses.push(desk.get("", &path).await);
    }
    for (method, path, headers) in [
        ("GET", "/nowhere", &[("host", HOST)][..]),
        ("GET", "/style.css", &[("host", HOST)]),
        ("GET", "/", &[("host", "evil.example")]),
        (
            "POST",
            "/",
            &[("host", HOST), ("origin", "https://evil.example")],
        ),
        ("GET", "/open/0", &[("host", HOST)]),
        (
            "DELETE",
            "/",
            &[
                ("host", HOST),
                ("origin", "http://127.0.0.1:8081"),
                ("cookie", &cookie),
            ],
        ),
    ] {
        responses.push(desk.send(method, path, headers, "").await);
    }
    responses.push(desk.follow(&desk.console.new_link().unwrap()).await);
    for response in responses {
        let policy = response.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("script"));
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(
                response.header(name),
                value,
                "{name} of {}",
                response.status
            );
        }
    }
}

/// A form that is too long, or is none, changes nothing and is no page.
#[tokio::test]
async fn a_form_has_a_limit() {
    let desk = Desk::new().await;
    let client = desk.world.client().await;
    let cookie = desk.open().await;
    let users = format!("/companies/{}/users", client.company);
    let value = |length: usize| format!("value={}", "x".repeat(length));
    assert_eq!(desk.post(&cookie, &users, &value(4090)).await.status, 200);
    assert_eq!(desk.post(&cookie, &users, &value(4091)).await.status, 400);
    assert_eq!(desk.post(&cookie, "/companies", "").await.status, 405);
}
