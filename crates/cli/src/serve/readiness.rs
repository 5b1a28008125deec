//! Whether the server can serve requests, for `/readyz`.

use std::sync::Arc;
use std::time::Duration;

use paradigm_scim::store::Store;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, timeout};

use crate::serve::drain::Phase;

/// How long a result is used again: several proxies may ask every second, and must not load the database.
const MAX_AGE: Duration = Duration::from_secs(2);
/// How long the database may take. Less than probes wait, so that they get the reason.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Something that is needed to serve requests, and why it is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) failure: Option<String>,
}

/// The checks of a process, and what the database's last were.
pub(crate) struct Readiness {
    store: Store,
    is_activated: bool,
    last: Mutex<Option<(Instant, Vec<Check>)>>,
}

impl Readiness {
    pub(crate) fn new(store: Store, is_activated: bool) -> Self {
        Self {
            store,
            is_activated,
            last: Mutex::default(),
        }
    }

    /// Returns all checks: the database is read and written at most every two seconds, whoever asks.
    pub(crate) async fn checks(self: &Arc<Self>, phase: &watch::Sender<Phase>) -> Vec<Check> {
        let database = Arc::clone(self);
        // A task of its own goes on to the end, though the probe may go away. So the next probe gets the result.
        let checked = tokio::spawn(async move { database.of_database().await }).await;
        let is_ending = *phase.borrow() != Phase::Serving;
        let mut checks = vec![
            Check {
                name: "serving",
                failure: is_ending.then(|| "the server is ending".to_owned()),
            },
            Check {
                name: "activated",
                failure: (!self.is_activated).then(|| "SCIM is not activated".to_owned()),
            },
        ];
        checks.extend(checked.unwrap_or_default());
        checks
    }

    /// Checks the database, or returns what was found a moment ago, and logs a change.
    pub(crate) async fn of_database(&self) -> Vec<Check> {
        let mut last = self.last.lock().await;
        if let Some((at, checks)) = &*last
            && at.elapsed() < MAX_AGE
        {
            return checks.clone();
        }
        let checks = self.ask_database().await;
        let failed = checks.iter().find_map(|check| check.failure.as_deref());
        let had_failed = last
            .as_ref()
            .is_some_and(|(_, checks)| checks.iter().any(|check| check.failure.is_some()));
        match failed {
            Some(failure) if !had_failed => tracing::warn!(
                failure,
                "the database is not ready: requests that need it fail until it is"
            ),
            None if had_failed => tracing::info!("the database is ready again"),
            _ => {}
        }
        *last = Some((Instant::now(), checks.clone()));
        checks
    }

    async fn ask_database(&self) -> Vec<Check> {
        let Ok(checks) = timeout(TIMEOUT, self.store.readiness()).await else {
            return vec![Check {
                name: "reachable",
                failure: Some(format!("no response in {} s", TIMEOUT.as_secs())),
            }];
        };
        let checks = checks.into_iter().map(|check| Check {
            name: check.name,
            failure: check.outcome.err().map(|error| error.to_string()),
        });
        checks.collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures_util::future::join_all;
    use paradigm_scim::store::memory::Memory;

    use super::*;
    use crate::serve::metrics::Metrics;

    /// On a clock that only waiting moves.
    #[tokio::test(start_paused = true)]
    async fn many_probes_ask_the_database_once() {
        let metrics = Metrics::new(None, None);
        let store = metrics.metering(Store::on(Arc::new(Memory::new())));
        let readiness = Arc::new(Readiness::new(store, true));
        let phase = watch::Sender::new(Phase::Serving);
        for expected in 1..4 {
            let probes = (0..100).map(|_| readiness.checks(&phase));
            for checks in join_all(probes).await {
                let names: Vec<_> = checks.iter().map(|check| check.name).collect();
                assert_eq!(names, ["serving", "activated", "reachable", "writable"]);
                assert!(checks.iter().all(|check| check.failure.is_none()));
            }
            let calls = "scim_table_calls_total{operation=\"readiness\",outcome=\"ok\"}";
            let text = metrics.text(&[]).unwrap();
            let counted = format!("{calls} {expected}\n");
            assert!(text.contains(&counted), "{text}");
            tokio::time::sleep(MAX_AGE).await;
        }
    }
}
