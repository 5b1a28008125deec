//! What a check of the table finds.

use paradigm_scim::store::Store;
use paradigm_scim::store::check::{Finding, Verdict};

/// Returns what a check in this process finds.
pub async fn verdicts(store: &Store) -> Vec<Verdict> {
    let mut survey = store.survey(None, |_| {}).await.unwrap();
    if survey.needs_recount() {
        store.recount(&mut survey, |_| {}).await.unwrap();
    }
    let mut verdicts = Vec::new();
    for suspect in survey.into_suspects() {
        verdicts.push(store.examine(&suspect).await.unwrap());
    }
    verdicts.retain(|verdict| !verdict.findings.is_empty());
    verdicts
}

/// Returns the findings only.
pub async fn findings(store: &Store) -> Vec<Finding> {
    let verdicts = verdicts(store).await;
    verdicts.into_iter().flat_map(|it| it.findings).collect()
}
