//! The audit trail: who did what to which user and when, and never what a value was.

use aws_sdk_dynamodb::types::AttributeValue;
use embedded::Embedded;
use jiff::{SignedDuration, Timestamp};
use paradigm_scim::config::Clock as _;
use paradigm_scim::directory::{CompanyStatus, Operation, Permission, UserId};
use paradigm_scim::store::{AuditEntry, Next, Store};
use serde_json::json;

use test_support::engine::Engine;
use test_support::on_every_engine;
use test_support::world::{Call, World, dynamodb, make_table};

on_every_engine!(
    a_users_life_is_recorded_without_its_values,
    a_companys_trail_is_its_own_and_spans_days,
    every_operation_of_a_bulk_request_is_recorded,
);

/// Operation, state before and after, attributes.
fn shown(entry: &AuditEntry) -> String {
    let before = entry.before.as_deref().unwrap_or("-");
    let attributes = entry.attributes.join(" ");
    format!("{} {before}>{} {attributes}", entry.operation, entry.after)
}

async fn a_users_life_is_recorded_without_its_values(engine: Engine) {
    let world = engine.world().await;
    let client = world.client().await;
    let one_minute = SignedDuration::from_secs(60);
    let started = world.clock.now();
    let user =
        json!({"userName": "marker@example.com", "emails": [{"value": "marker@example.com"}]});
    let id = client.create(&user).await;
    let deleted = format!("{}marker@example.com", "a".repeat(32));
    for operations in [
        json!([{"op": "replace", "value": {"name.givenName": "Marker", "department": "Marker"}}]),
        // Nothing changes, so there is nothing to record.
        json!([{"op": "replace", "value": {"name.givenName": "Marker"}}]),
        json!([{"op": "replace", "path": "active", "value": false}]),
        json!([{"op": "replace", "value": {"userName": deleted}}]),
        json!([{"op": "replace", "path": "active", "value": true}]),
    ] {
        world.clock.advance(one_minute);
        client.patch(&id, &operations).await.assert_status(200);
    }
    let user_id = UserId::parse(&id).unwrap();
    world.clock.advance(one_minute);
    world
        .change(client.company, user_id, |user| {
            Next::Update(user.granted(Permission::UsersManage))
        })
        .await;
    world.clock.advance(one_minute);
    client.delete(&id).await.assert_status(204);

    let epoch = Timestamp::UNIX_EPOCH;
    let trail = world.store.audit_of_user(client.company, user_id, epoch);
    let trail = trail.await.unwrap();
    let lines: Vec<String> = trail.iter().map(shown).collect();
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
    assert_eq!(
        lines,
        [
            "create ->active active emails userName".to_owned(),
            format!("patch active>active name {enterprise}"),
            "patch active>deactivated active".to_owned(),
            "patch deactivated>softDeleted userName".to_owned(),
            "patch softDeleted>active active userName".to_owned(),
            "grant active>active ".to_owned(),
            "anonymise active>anonymised ".to_owned(),
        ]
    );
    let key = format!("key:{} owner:{}", client.key, client.administrator);
    for entry in &trail {
        let by_operator = entry.operation == "grant";
        assert_eq!(entry.actor, if by_operator { "operator" } else { &key });
        assert!(!entry.request_id.is_empty() && entry.at >= started);
        assert_eq!(entry.user, Some(user_id));
    }
    assert!(!format!("{trail:?}").to_lowercase().contains("marker"));

    let since = trail[4].at;
    let later = world.store.audit_of_user(client.company, user_id, since);
    assert_eq!(later.await.unwrap(), trail[4..]);
}

async fn a_companys_trail_is_its_own_and_spans_days(engine: Engine) {
    let world = engine.world().await;
    let (client, other) = (world.client().await, world.client().await);
    let started = world.clock.now();
    for number in 0..3 {
        client
            .create(&json!({"userName": format!("u{number}")}))
            .await;
        world.clock.advance(SignedDuration::from_hours(20));
    }
    let change = world.operator(client.company, Operation::Suspend);
    let suspended = world
        .store
        .set_company_status(&change, CompanyStatus::Suspended);
    suspended.await.unwrap();
    // A second time changes nothing and is not recorded.
    let suspended = world
        .store
        .set_company_status(&change, CompanyStatus::Suspended);
    suspended.await.unwrap();

    let now = world.clock.now();
    let trail = world.store.audit_of_company(client.company, started, now);
    let trail: Vec<String> = trail.await.unwrap().iter().map(shown).collect();
    let last = ["create ->active active userName"; 3];
    assert_eq!(trail[trail.len() - 4..trail.len() - 1], last);
    assert_eq!(trail[trail.len() - 1], "suspend active>suspended ");
    let since = started + SignedDuration::from_hours(1);
    let recent = world.store.audit_of_company(client.company, since, now);
    assert_eq!(recent.await.unwrap().len(), 3);
    let recent = world.store.audit_of_company(other.company, since, now);
    assert_eq!(recent.await.unwrap(), []);
}

async fn every_operation_of_a_bulk_request_is_recorded(engine: Engine) {
    let world = engine.world().await;
    let client = world.client().await;
    let id = client.create(&json!({"userName": "u"})).await;
    let path = format!("/Users/{id}");
    let patch = |title: &str| json!({"method": "PATCH", "path": path, "data": {"Operations": [{"op": "add", "path": "title", "value": title}]}});
    let bulk = json!({"Operations": [patch("a"), patch("b"), patch("c")]});
    let response = client.send(Call::new("POST", "/Bulk").json(&bulk)).await;
    response.assert_status(200);
    let user = UserId::parse(&id).unwrap();
    let trail = world
        .store
        .audit_of_user(client.company, user, Timestamp::UNIX_EPOCH);
    assert_eq!(trail.await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_record_is_kept_as_long_as_is_configured() {
    let config = Embedded::in_memory().unwrap().config();
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    let store = Store::new(&config, "test").keeping_audit_for(40);
    make_table(&config, "test").await;
    let world = World::on(store);
    world.client().await;
    let scan = dynamodb(&config).scan().table_name("test").send().await;
    let items = scan.unwrap().items.unwrap();
    let records = items.iter().filter_map(|item| item.get("ttl"));
    let ends = (world.clock.now() + days(40)).as_second().to_string();
    let ends = AttributeValue::N(ends);
    assert!(records.clone().count() > 2);
    assert!(records.clone().all(|ttl| *ttl == ends), "{items:?}");
}
