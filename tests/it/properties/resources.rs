//! A resource that was stored comes back as it was sent.

use paradigm_scim::conversation::differences;
use paradigm_scim::directory::USER;
use proptest::prelude::*;
use serde_json::Value;

use super::generate::{config, user};
use super::{STORED_CASES, over_the_store};

#[test]
fn a_user_survives_round_trips_over_the_store() {
    over_the_store(config(STORED_CASES), &user(&USER), async |client, user| {
        let sent = Value::Object(user);
        let created = client.post(&sent).await;
        prop_assert_eq!(created.status, 201, "{}: {:?}", sent, created.body);
        prop_assert_eq!(differences(&sent, created.json()), [""; 0]);
        let id = created.id();
        let read = client.get(&format!("/Users/{id}")).await;
        prop_assert_eq!(&read.body, &created.body);
        // Nothing has changed, so nothing is written, and the version is the same.
        let replaced = client.put(&id, read.json()).await;
        prop_assert_eq!(&replaced.body, &created.body);
        prop_assert_eq!(client.delete(&id).await.status, 204);
        Ok(())
    });
}
