//! Lists, and what is found in them.

use serde_json::json;
use test_support::world::{Call, fill};

use super::Desk;

/// Returns the addresses in a page that begin like this, in order and once.
fn links(page: &str, start: &str) -> Vec<String> {
    let mut links: Vec<String> = Vec::new();
    for part in page.split("href=\"").skip(1) {
        let link = part.split('"').next().unwrap().replace("&amp;", "&");
        if link.starts_with(start) && !links.contains(&link) {
            links.push(link);
        }
    }
    links
}

#[tokio::test]
async fn a_walk_through_the_list_shows_each_user_once() {
    let desk = Desk::new().await;
    let client = desk.world.client().await;
    fill(desk.raw(), client.company, 60).await;
    let cookie = desk.open().await;
    let base = format!("/companies/{}/users", client.company);
    let (mut next, mut seen, mut pages) = (Some(base.clone()), Vec::new(), 0);
    while let Some(path) = next {
        let page = desk.page(&cookie, &path).await;
        seen.extend(links(&page, &format!("{base}/")));
        next = links(&page, &format!("{base}?after=")).pop();
        pages += 1;
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!((pages, seen.len()), (3, 61));
}

#[tokio::test]
async fn users_are_found_by_what_people_know_of_them() {
    let desk = Desk::new().await;
    let client = desk.world.client().await;
    let ada = json!({
        "userName": "ada@example.com", "externalId": "E-1", "displayName": "Ada Byron",
        "emails": [{"value": "countess@example.com"}],
    });
    let ada = client.create(&ada).await;
    let other = json!({"userName": "other@example.com", "externalId": "E-1"});
    let other = client.create(&other).await;
    let cookie = desk.open().await;
    let base = format!("/companies/{}/users", client.company);
    for (value, found) in [
        ("ada@example.com", vec![&ada]),
        ("ADA%40Example.com", vec![&ada]),
        ("+countess@EXAMPLE.com+", vec![&ada]),
        ("E-1", vec![&ada, &other]),
        (ada.as_str(), vec![&ada]),
        ("nobody", vec![]),
    ] {
        let response = desk.post(&cookie, &base, &format!("value={value}")).await;
        assert_eq!(response.status, 200);
        let expected: Vec<_> = found.iter().map(|id| format!("{base}/{id}")).collect();
        let own = links(&response.body, &format!("{base}/"));
        let own: Vec<_> = own
            .into_iter()
            .filter(|link| !link.ends_with(&client.administrator.to_string()))
            .collect();
        assert_eq!(own, expected, "{value}");
        // What was searched is neither in the address nor in the page's other addresses.
        assert!(!response.body.contains(&format!("={value}")), "{value}");
        assert_eq!(response.header("location"), "");
    }
    let all = desk.post(&cookie, &base, "value=").await;
    assert!(all.body.contains("Ada Byron"), "{}", all.body);
}

#[tokio::test]
async fn an_id_that_nobody_has_any_more_leads_to_the_trail() {
    let desk = Desk::new().await;
    let client = desk.world.client().await;
    let id = client
        .create(&json!({"userName": "gone@example.com"}))
        .await;
    client.delete(&id).await.assert_status(204);
    let cookie = desk.open().await;
    let base = format!("/companies/{}/users", client.company);
    let found = desk.post(&cookie, &base, &format!("value={id}")).await;
    assert!(found.body.contains("0 users found"), "{}", found.body);
    let trail = links(&found.body, &format!("{base}/{id}"));
    let page = desk.page(&cookie, &trail[0]).await;
    assert!(page.contains("anonymised") && page.contains("created"));
    assert!(!page.contains("gone@example.com"), "{page}");
}

/// The trail says who made the last change; a user that is older than the trail has a time only.
#[tokio::test]
async fn the_list_shows_who_made_the_last_change() {
    let desk = Desk::new().await;
    let client = desk.world.client().await;
    let id = client.create(&json!({"userName": "x@example.com"})).await;
    desk.world
        .clock
        .advance(jiff::SignedDuration::from_hours(1));
    let deactivate = json!([{"op": "replace", "path": "active", "value": false}]);
    client.patch(&id, &deactivate).await.assert_status(200);
    fill(desk.raw(), client.company, 1).await;
    let cookie = desk.open().await;
    let page = desk
        .page(&cookie, &format!("/companies/{}/users", client.company))
        .await;
    let row = |name: &str| {
        let at = page.find(name).unwrap();
        page[at..].split("</tr>").next().unwrap().to_owned()
    };
    let changed = row("x@example.com");
    assert!(changed.contains("2026-01-01 01:00:00 UTC"), "{changed}");
    for part in ["deactivated", &client.key.to_string(), "test"] {
        assert!(changed.contains(part), "{part} in {changed}");
    }
    assert!(row("filled0@example.com").contains("not in the audit trail"));
    assert!(row("administrator@example.com").contains("operator"));
}

#[tokio::test]
async fn companies_and_keys_are_listed_in_parts() {
    let desk = Desk::new().await;
    let mut first = None;
    for _ in 0..52 {
        first.get_or_insert(desk.world.client().await.company);
    }
    let first = first.unwrap();
    let cookie = desk.open().await;
    for (path, parts) in [("/companies", 2), ("/", 6)] {
        let (mut next, mut count) = (Some(path.to_owned()), 0);
        while let Some(path) = next {
            let page = desk.page(&cookie, &path).await;
            next = links(&page, path.split('?').next().unwrap())
                .into_iter()
                .find(|link| link.contains("?after=") && *link != path);
            count += 1;
        }
        assert_eq!(count, parts, "{path}");
    }
    // Which company's users is not clear, so they are chosen.
    let users = desk.get(&cookie, "/users").await;
    assert_eq!(
        (users.status, users.header("location")),
        (303, "/companies")
    );
    let keys = desk
        .page(&cookie, &format!("/companies/{first}/keys"))
        .await;
    assert!(keys.contains("key rotate") && keys.contains("key revoke"));
}

#[tokio::test]
async fn with_one_company_users_and_keys_need_no_choice() {
    let desk = Desk::new().await;
    let client = desk.world.client().await;
    let cookie = desk.open().await;
    for list in ["users", "keys"] {
        let response = desk.get(&cookie, &format!("/{list}")).await;
        let expected = format!("/companies/{}/{list}", client.company);
        assert_eq!(
            (response.status, response.header("location")),
            (303, expected.as_str())
        );
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let desk = Desk::new().await;
    let client = desk.world.client().await;
    let stranger = desk.world.client().await;
    let (company, other) = (client.company, stranger.administrator);
    let cookie = desk.open().await;
    let unknown = "01890000-0000-7000-8000-000000000001";
    for path in [
        "/nowhere".to_owned(),
        format!("/companies/{unknown}"),
        format!("/companies/{unknown}/users"),
        format!("/companies/{unknown}/keys"),
        format!("/companies/{company}/users/{unknown}"),
        format!("/companies/{company}/users/{other}"),
        format!("/companies/{company}/users?after=x"),
        "/requests?before=x".to_owned(),
    ] {
        assert_eq!(desk.get(&cookie, &path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn requests_are_shown_with_the_rule_they_broke_and_nothing_personal() {
    let desk = Desk::new().await;
    let client = desk.world.client().await;
    let user = json!({"userName": "zqmarker@example.com"});
    client.create(&user).await;
    client.post(&user).await.assert_status(409);
    client.filter("zqmarker zqmarker").await.assert_status(400);
    desk.world
        .send(Call::new("GET", "/zqmarker").query("zqmarker=1"))
        .await
        .assert_status(401);
    for _ in 0..150 {
        client.get("/Me").await.assert_status(200);
    }
    let cookie = desk.open().await;
    let refused = desk.page(&cookie, "/requests?only=refused").await;
    for part in [
        "user-name-taken",
        "POST /Users",
        "409",
        &client.key.to_string(),
        "unknown path",
    ] {
        assert!(refused.contains(part), "{part} in {refused}");
    }
    assert!(!refused.contains("GET /Me") && !refused.contains("201"));
    let newest = desk.page(&cookie, "/requests").await;
    assert_eq!(newest.matches("GET /Me<").count(), 100);
    let next = links(&newest, "/requests?before=").pop().unwrap();
    let older = desk.page(&cookie, &next).await;
    assert_eq!(older.matches("GET /Me<").count(), 50);
    for page in [refused, newest, older] {
        assert!(!page.contains("zqmarker"), "{page}");
    }
}
