//! Companies and API keys.

use jiff::SignedDuration;
use paradigm_scim::config::Clock as _;
use paradigm_scim::directory::api_key::MAX_KEY_NAME_CHARS;
use paradigm_scim::directory::company::MAX_COMPANY_NAME_CHARS;
use paradigm_scim::directory::{ApiKey, Company, CompanyId, CursorSecret, KeyId, Token, UserId};
use test_support::world::World;
use uuid::Uuid;

#[tokio::test]
async fn names_of_companies_and_keys() {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let company = CompanyId::new(Uuid::now_v7());
    let company_name = |name: &str| Company::new(company, name, CursorSecret([0; 32]), now).is_ok();
    let token = Token::new(KeyId::new(1), &[1; 32]);
    let owner = UserId::new(Uuid::now_v7());
    let key_name = |name: &str| ApiKey::new(&token, name, company, owner, None, now).is_ok();
    let sizes = |most: usize| [0, 1, most - 1, most, most + 1].map(|length| "é".repeat(length));
    let expected = [false, true, true, true, false];
    let companies = sizes(MAX_COMPANY_NAME_CHARS);
    assert_eq!(companies.map(|name| company_name(&name)), expected);
    let keys = sizes(MAX_KEY_NAME_CHARS);
    assert_eq!(keys.map(|name| key_name(&name)), expected);
    assert_eq!((MAX_COMPANY_NAME_CHARS, MAX_KEY_NAME_CHARS), (100, 50));
}

#[tokio::test]
async fn active_keys_of_a_user_where_expired_ones_make_room() {
    let world = World::new().await;
    let client = world.client().await;
    let soon = world.clock.now() + SignedDuration::from_secs(10);
    let (expiring, _) = world
        .key(client.company, client.administrator, Some(soon))
        .await;
    for _ in 0..3 {
        world.key(client.company, client.administrator, None).await;
    }
    let owner = async || {
        let owner = world.store.user(client.company, client.administrator).await;
        owner.unwrap().unwrap()
    };
    let key = world.store.find_key(client.key).await.unwrap().unwrap();
    assert!(owner().await.with_key(&key, world.clock.now()).is_err());
    world.clock.advance(SignedDuration::from_secs(10));
    world.key(client.company, client.administrator, None).await;
    assert_eq!(owner().await.keys.len(), 5);
    let expired = world.store.find_key(expiring).await.unwrap().unwrap();
    assert!(expired.revoked.is_some());
}
