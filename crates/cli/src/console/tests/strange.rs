//! Hostile and very long values.

use paradigm_scim::directory::{ApiKey, KeyId};
use paradigm_scim::directory::{
    Company, CompanyId, CursorSecret, Operation, Permission, Token, User, UserId,
};
use paradigm_scim::store::Next;
use serde_json::json;
use uuid::Uuid;

use super::{Desk, paths};

/// The same on every page: what browsers, people and programs would take for something else.
const HOSTILE: [&str; 4] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "a\u{202e}gpj.exe",
    "'; DROP TABLE users; --",
];

/// Makes a company with hostile names of its own, of a key and of users, and returns it with a user.
async fn hostile(desk: &Desk, text: &str) -> (CompanyId, UserId) {
    let now = desk.console.now();
    let id = CompanyId::new(Uuid::now_v7());
    let company = Company::new(id, text, CursorSecret([7; 32]), now).unwrap();
    let change = desk.world.operator(id, Operation::Create);
    let store = &desk.world.store;
    store.create_company(&change, &company).await.unwrap();
    let resource = json!({
        "userName": text, "displayName": text, "title": text, "externalId": text,
        "emails": [{"value": text, "type": text}],
    });
    let document = scim::resource::Document::from_validated(resource.as_object().unwrap().clone());
    let user = User::new(UserId::new(Uuid::now_v7()), document, now).unwrap();
    store
        .create_user(&desk.world.operator(id, Operation::Create), &user)
        .await
        .unwrap();
    let token = Token::new(KeyId::new(0xbad), &[1; 32]);
    let key = ApiKey::new(&token, text, id, user.id, None, now).unwrap();
    desk.world
        .change(id, user.id, |user| {
            Next::Update(user.granted(Permission::UsersManage))
        })
        .await;
    desk.world
        .change(id, user.id, |user| {
            let (user, changes) = user.with_key(&key, now).unwrap();
            Next::UpdateWithKeys(user, changes)
        })
        .await;
    (id, user.id)
}

#[tokio::test]
async fn hostile_names_are_shown_and_do_nothing() {
    for text in HOSTILE {
        let desk = Desk::new().await;
        let (company, user) = hostile(&desk, text).await;
        let cookie = desk.open().await;
        let pages = [
            "/".to_owned(),
            "/companies".to_owned(),
            format!("/companies/{company}"),
            format!("/companies/{company}/users"),
            format!("/companies/{company}/users/{user}"),
            format!("/companies/{company}/keys"),
        ];
        for path in pages {
            let page = desk.page(&cookie, &path).await;
            for raw in ["<script", "<img", "\u{202e}", "onerror=alert(1)>\""] {
                assert!(!page.contains(raw), "{raw} at {path}");
            }
            let title = page.split("<title>").nth(1).unwrap();
            let title = title.split("</title>").next().unwrap();
            assert!(title.ends_with("Paradigm SCIM console"), "{title}");
            // Commands have ids only: nothing of a client's gets into a shell.
            for command in page.split("<pre class=\"command\">").skip(1) {
                let command = command.split("</pre>").next().unwrap();
                for word in ["script", "onerror", "gpj", "DROP"] {
                    assert!(!command.contains(word), "{command}");
                }
            }
            let shown = page.contains("&lt;script&gt;")
                || page.contains("&quot;&gt;&lt;img")
                || page.contains("a\u{fffd}gpj.exe")
                || page.contains("DROP TABLE users");
            assert!(shown, "the name is missing at {path}");
        }
    }
}

/// Addresses and titles are kept by browsers, so they have ids and fixed words only.
#[tokio::test]
async fn no_address_and_no_title_has_anything_personal() {
    let desk = Desk::new().await;
    let client = desk.world.client().await;
    let id = client
        .create(&json!({"userName": "zqmarker", "emails": [{"value": "zqmarker@example.com"}]}))
        .await;
    let cookie = desk.open().await;
    let mut pages = Vec::new();
    for path in paths(&client, &id) {
        pages.push(desk.page(&cookie, &path).await);
    }
    let users = format!("/companies/{}/users", client.company);
    pages.push(desk.post(&cookie, &users, "value=zqmarker").await.body);
    let titles = [
        "Overview",
        "Companies",
        "Company",
        "Users",
        "A user's life",
        "Keys",
        "Requests",
        "Health",
    ];
    for page in pages {
        let title = page.split("<title>").nth(1).unwrap();
        let title = title.split(" - Paradigm").next().unwrap();
        assert!(titles.contains(&title), "{title}");
        for attribute in ["href=\"", "action=\"", "title=\"", "aria-label=\""] {
            for value in page.split(attribute).skip(1) {
                let value = value.split('"').next().unwrap();
                assert!(!value.contains("zqmarker"), "{value}");
            }
        }
    }
}

#[tokio::test]
async fn many_companies_with_the_longest_names_make_no_page_longer_than_100_kb() {
    let desk = Desk::new().await;
    let long = "\"".repeat(100);
    let mut key = 0x1000;
    for _ in 0..60 {
        let now = desk.console.now();
        let id = CompanyId::new(Uuid::now_v7());
        let company = Company::new(id, &long, CursorSecret([7; 32]), now).unwrap();
        let change = desk.world.operator(id, Operation::Create);
        let store = &desk.world.store;
        store.create_company(&change, &company).await.unwrap();
        let document = json!({"userName": "owner"}).as_object().unwrap().clone();
        let document = scim::resource::Document::from_validated(document);
        let owner = User::new(UserId::new(Uuid::now_v7()), document, now).unwrap();
        let owner = owner.granted(Permission::UsersManage);
        store.create_user(&change, &owner).await.unwrap();
        for _ in 0..5 {
            key += 1;
            let token = Token::new(KeyId::new(key), &[1; 32]);
            let name = "\"".repeat(50);
            let new = ApiKey::new(&token, &name, id, owner.id, None, now).unwrap();
            desk.world
                .change(id, owner.id, |owner| {
                    let (owner, changes) = owner.with_key(&new, now).unwrap();
                    Next::UpdateWithKeys(owner, changes)
                })
                .await;
        }
    }
    // All keys are unused, so the overview has as much to say as it can.
    desk.world
        .clock
        .advance(jiff::SignedDuration::from_hours(24 * 40));
    let cookie = desk.open().await;
    for path in ["/", "/companies"] {
        let page = desk.page(&cookie, path).await;
        assert!(page.len() < 100_000, "{path}: {} bytes", page.len());
        assert!(page.contains("Next part"), "{path}");
    }
}

#[tokio::test]
async fn the_longest_values_make_no_page_longer_than_100_kb() {
    let desk = Desk::new().await;
    let client = desk.world.client().await;
    // What takes most on a page: each quotation mark becomes six characters.
    let long = "\"".repeat(250);
    let mut last = String::new();
    for number in 0..30 {
        let user = json!({
            "userName": format!("{long}{number:03}"), "displayName": "\"".repeat(2000),
            "title": "\"<".repeat(12_000), "externalId": "shared",
        });
        last = client.create(&user).await;
    }
    for number in 0..120_u64 {
        let text = "\"".repeat(50);
        let (company, owner) = (client.company, client.administrator);
        let token = Token::new(KeyId::new(0xff00 + number), &[1; 32]);
        let now = desk.console.now();
        let key = ApiKey::new(&token, &text, company, owner, None, now).unwrap();
        desk.world
            .change(company, owner, |user| {
                let (user, mut changes) = user.with_key(&key, now).unwrap();
                let mut user = user;
                user.keys.clear();
                changes.truncate(1);
                Next::UpdateWithKeys(user, changes)
            })
            .await;
    }
    for number in 0..120 {
        let title = json!([{"op": "replace", "path": "title", "value": format!("{}{number}", "\"<".repeat(12_000))}]);
        client.patch(&last, &title).await.assert_status(200);
    }
    let cookie = desk.open().await;
    for path in paths(&client, &last) {
        let page = desk.page(&cookie, &path).await;
        assert!(page.len() < 100_000, "{path}: {} bytes", page.len());
    }
    let users = format!("/companies/{}/users", client.company);
    let found = desk.post(&cookie, &users, "value=shared").await.body;
    assert!(found.contains("30 users found"), "{found}");
    assert!(found.len() < 100_000, "{} bytes", found.len());
}
