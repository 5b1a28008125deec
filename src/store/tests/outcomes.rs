//! How transactions end: which failed condition matters most, and what is committed again.

use super::*;
use crate::directory::user::MAX_EMAILS;
use crate::store::Next;
use crate::store::transaction::MAX_ACTIONS;

const JSON: &str = r#"{"userName":"ada","active":true}"#;
/// Positions of a new user's actions.
const NEW_USER: usize = 0;
const NEW_NAME: usize = 1;
const NEW_COUNTER: usize = 2;
const NEW_RECORD: usize = 3;

async fn created(results: impl IntoIterator<Item = CommitError>) -> (String, Vec<String>) {
    let (store, recorder) = Recorder::default().refusing(results).store();
    let change = change(Operation::Create, NOW);
    let result = store.create_user(&change, &user(JSON)).await;
    (format!("{result:?}"), recorder.ids())
}

fn failed(positions: &[usize]) -> CommitError {
    CommitError::Conditions(positions.to_vec())
}

fn busy() -> CommitError {
    CommitError::Store(StoreError::Busy("conflict".to_owned()))
}

#[tokio::test]
async fn the_record_of_the_change_counts_more_than_any_other_failed_condition() {
    let all = [NEW_USER, NEW_NAME, NEW_RECORD];
    for (positions, expected) in [
        (all.as_slice(), "Ok(())"),
        (
            &[NEW_USER, NEW_NAME],
            "Err(Busy(\"the user was changed meanwhile\"))",
        ),
        (&[NEW_NAME], "Err(UserNameTaken)"),
        (
            &[NEW_COUNTER],
            "Err(Refused(\"transaction cancelled: a condition did not hold\"))",
        ),
    ] {
        let (result, ids) = created([failed(positions)]).await;
        assert_eq!(result, expected, "{positions:?}");
        assert_eq!(ids.len(), 1, "{positions:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_transaction_is_committed_again_while_the_store_is_busy() {
    let (result, ids) = created([busy(), busy(), failed(&[NEW_USER, NEW_RECORD])]).await;
    assert_eq!(result, "Ok(())");
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");

    let (result, ids) = created(std::iter::repeat_with(busy).take(1000)).await;
    assert_eq!(result, "Err(Busy(\"conflict\"))");
    assert!((10..100).contains(&ids.len()), "{}", ids.len());

    let refused = CommitError::Store(StoreError::Refused("no".to_owned()));
    let (result, ids) = created([refused]).await;
    assert_eq!((result.as_str(), ids.len()), ("Err(Refused(\"no\"))", 1));
}

#[tokio::test(start_paused = true)]
async fn a_change_is_decided_again_on_what_another_has_written_and_is_another_transaction() {
    let recorder = Recorder::holding([stored(&user(JSON))]).refusing([failed(&[0])]);
    let (store, recorder) = recorder.store();
    let mut decisions = 0;
    let change = change(Operation::Deactivate, NOW);
    let changed = store.change_user(&change, id(), |user| {
        decisions += 1;
        Ok::<_, StoreError>(Next::Update(user.deactivated(at(NOW)).unwrap()))
    });
    assert!(!changed.await.unwrap().unwrap().is_active());
    let ids = recorder.ids();
    assert_eq!((decisions, ids.len()), (2, 2));
    assert_ne!(ids[0], ids[1]);
}

/// The commit of a change that was written already was never acknowledged, so nobody knows whether replicas have it.
#[tokio::test(start_paused = true)]
async fn a_change_that_was_written_already_is_a_success_once_the_engine_confirms_it() {
    let busy = || StoreError::Busy("no replica".to_owned());
    let written = || failed(&[NEW_RECORD]);
    let (store, recorder) = Recorder::default()
        .refusing([written(), written(), written()])
        .store();
    recorder
        .unconfirmed
        .lock()
        .unwrap()
        .extend([busy(), busy()]);
    let change_of = change(Operation::Create, NOW);
    let user = user(JSON);
    store.create_user(&change_of, &user).await.unwrap();
    assert_eq!(*recorder.confirmed.lock().unwrap(), 3);

    let (store, recorder) = Recorder::default()
        .refusing(std::iter::repeat_with(written).take(1000))
        .store();
    let never = std::iter::repeat_with(busy).take(1000);
    recorder.unconfirmed.lock().unwrap().extend(never);
    let refused = store.create_user(&change_of, &user).await;
    assert!(matches!(refused, Err(StoreError::Busy(_))), "{refused:?}");

    // A client that repeats a change finds the user as it wants it.
    let (store, recorder) = Recorder::holding([stored(&user)]).store();
    recorder.unconfirmed.lock().unwrap().extend([busy()]);
    let change = change(Operation::Patch, LATER);
    let same = |user: &User| Ok::<_, StoreError>(Next::Update(user.clone()));
    let refused = store.change_user(&change, id(), same).await;
    assert!(matches!(refused, Err(StoreError::Busy(_))), "{refused:?}");
    assert!(store.change_user(&change, id(), same).await.is_ok());
    assert_eq!(recorder.ids().len(), 0);
}

fn key_of(action: &Action) -> Key {
    match action {
        Action::Put { item, .. } => Reader(item).key().unwrap(),
        Action::Delete { key, .. } | Action::Check { key, .. } => key.clone(),
        Action::Update(update) => update.key.clone(),
    }
}

/// What [`Table::commit`] promises of every transaction, checked for the largest change of a user.
#[tokio::test]
async fn the_largest_change_fits_and_locks_the_user_before_the_lookups() {
    let json = |name: &str| {
        let email = |number| format!("{{\"value\":\"{name}{number}@x.org\"}}");
        let emails: Vec<String> = (0..MAX_EMAILS).map(email).collect();
        let emails = emails.join(",");
        format!(
            r#"{{"userName":"{name}","externalId":"{name}","active":true,"emails":[{emails}]}}"#
        )
    };
    let (before, after) = (user(&json("ada")), json("eve"));
    let (store, recorder) = Recorder::holding([stored(&before)]).store();
    let change = change(Operation::Replace, NOW);
    let changed = store.change_user(&change, id(), |user| {
        let after = user.with_document(document(&after), at(NOW)).unwrap();
        Ok::<_, StoreError>(Next::Update(after))
    });
    changed.await.unwrap();
    let (_, actions) = recorder.only();
    // The user, 22 lookup items that go and 22 that come, and the record.
    assert_eq!(actions.len(), 46);
    assert!(actions.len() <= MAX_ACTIONS);
    let mut keys: Vec<Key> = actions.iter().map(key_of).collect();
    let user = keys[0].clone();
    assert_eq!(user, key(&of_user(), "USER"));
    let is_lookup = |key: &&Key| key.pk != user.pk;
    assert!(keys.iter().filter(is_lookup).all(|key| user < *key));
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), actions.len(), "an item has one action");
}
