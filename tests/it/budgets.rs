//! How many calls to DynamoDB each request makes: exactly, whatever the number of users.

use serde_json::json;

use crate::counting::{Calls, counted_store};
use crate::support::{Answer, Call, World, encode};

fn named(calls: &[(&str, usize)]) -> Calls {
    calls
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

/// Runs every kind of request in a company of so many users more than the two it needs.
async fn check(others: usize) {
    let (store, calls) = counted_store().await;
    let world = World::on(store);
    let client = world.client().await;
    for number in 0..others {
        client
            .create(&json!({"userName": format!("other{number}")}))
            .await;
    }
    let emails =
        json!([{"type": "work", "value": "a@x.org"}, {"type": "home", "value": "b@x.org"}]);
    let user = json!({"userName": "user@x.org", "externalId": "x", "emails": emails});
    let counted = async |expected: &[(&str, usize)], about: &str, call: Call| -> Answer {
        calls.lock().unwrap().clear();
        let answer = client.send(call).await;
        assert!(answer.status < 500, "{about}: {:?}", answer.body);
        assert_eq!(
            *calls.lock().unwrap(),
            named(expected),
            "{about} among {others}"
        );
        answer
    };
    // A fresh instance asks who is calling once, and then believes the answer for a minute.
    world.clock.advance(jiff::SignedDuration::from_secs(60));
    let cold = [("BatchGetItem", 1), ("GetItem", 1)];
    counted(&cold, "authentication, cold", Call::new("GET", "/nothing")).await;
    counted(&[], "authentication, cached", Call::new("GET", "/nothing")).await;

    let write = ("TransactWriteItems", 1);
    let created = counted(&[write], "POST", Call::new("POST", "/Users").json(&user)).await;
    counted(
        &[write],
        "POST, duplicate",
        Call::new("POST", "/Users").json(&user),
    )
    .await;
    let path = format!("/Users/{}", created.id());
    let one = ("GetItem", 1);
    counted(&[one], "GET by id", Call::new("GET", &path)).await;
    let filtered = |filter: &str| Call::new("GET", "/Users").query(&encode(&[("filter", filter)]));
    let by_id = format!("id eq \"{}\"", created.id());
    counted(&[one], "id eq", filtered(&by_id)).await;
    counted(
        &[one],
        "userName eq, miss",
        filtered("userName eq \"nobody\""),
    )
    .await;
    let hit = "userName eq \"USER@x.org\"";
    counted(&[("GetItem", 2)], "userName eq, hit", filtered(hit)).await;
    let conjunction = "active eq true and userName eq \"user@x.org\"";
    counted(
        &[("GetItem", 2)],
        "userName eq beside and",
        filtered(conjunction),
    )
    .await;
    let look_up = [("BatchGetItem", 1), ("Query", 1)];
    counted(&look_up, "externalId eq", filtered("externalId eq \"x\"")).await;
    let by_email = "emails[type eq \"work\"].value eq \"a@x.org\"";
    counted(&look_up, "emails eq", filtered(by_email)).await;
    let list = [("BatchGetItem", 2), ("Query", 1)];
    counted(&list, "list", Call::new("GET", "/Users").query("count=100")).await;
    counted(
        &list,
        "last page",
        Call::new("GET", "/Users").query(&format!("startIndex={others}")),
    )
    .await;
    counted(
        &[("BatchGetItem", 1)],
        "count=0",
        Call::new("GET", "/Users").query("count=0"),
    )
    .await;

    let by_cursor = |query: &str| Call::new("GET", "/Users").query(&format!("cursor&{query}"));
    let first = [("BatchGetItem", 1), ("Query", 1)];
    let answer = counted(&first, "first cursor", by_cursor("count=2")).await;
    let next = answer.json()["nextCursor"].as_str().unwrap();
    let next = Call::new("GET", "/Users").query(&format!("cursor={next}&count=1"));
    counted(&first, "next cursor", next).await;
    let search = json!({"filter": hit, "count": 1});
    let search = Call::new("POST", "/Users/.search").json(&search);
    counted(&[("GetItem", 2)], "search", search).await;
    counted(&[one], "Me", Call::new("GET", "/Me")).await;

    let change = [one, write];
    let patch = json!({"Operations": [{"op": "replace", "path": "title", "value": "T"}]});
    counted(&change, "PATCH", Call::new("PATCH", &path).json(&patch)).await;
    counted(
        &[one],
        "PATCH, no change",
        Call::new("PATCH", &path).json(&patch),
    )
    .await;
    counted(&change, "PUT", Call::new("PUT", &path).json(&user)).await;
    counted(
        &[one],
        "PUT, no change",
        Call::new("PUT", &path).json(&user),
    )
    .await;
    counted(&change, "DELETE", Call::new("DELETE", &path)).await;
    counted(&[one], "DELETE again", Call::new("DELETE", &path)).await;
    for path in [
        "/ServiceProviderConfig",
        "/ResourceTypes",
        "/Schemas",
        "/Groups",
    ] {
        counted(&[], path, Call::new("GET", path)).await;
    }
}

#[tokio::test]
async fn calls_are_the_same_among_three_and_among_a_thousand_users() {
    check(1).await;
    check(1000).await;
}
