//! The console beside the server: it shares the server's store, and shows its requests and its readiness.

use std::sync::Arc;

use futures_util::FutureExt as _;
use paradigm_scim::store::Store;
use paradigm_scim::telemetry::{RequestObserver, RequestRecord};
use tokio::net::TcpListener;

use crate::Failure;
use crate::console::{
    self, CheckNeeds, Commands, DoctorRunner, Health, LinkPlace, Need, RecentRequests, Surroundings,
};
use crate::serve::Serve;
use crate::serve::connection::Shared;
use crate::serve::metrics::Metrics;
use crate::serve::readiness::Readiness;

/// The console that is wanted, before the server serves.
pub(super) struct ConsoleBeside {
    listener: TcpListener,
    link: LinkPlace,
    requests: Arc<RecentRequests>,
}

impl ConsoleBeside {
    /// Opens the listener; `None` if no console is wanted.
    ///
    /// # Errors
    /// Other machines would reach it, its port is taken, or there is no place for the link.
    pub(super) async fn open(serve: &Serve) -> Result<Option<Self>, Failure> {
        let Some(address) = &serve.console else {
            return Ok(None);
        };
        let file = serve.console_link_file.as_deref();
        Ok(Some(Self {
            link: LinkPlace::new(file, "--console-link-file")?,
            listener: console::loopback_listener(address).await?,
            requests: Arc::default(),
        }))
    }

    /// Starts the console of a server, whose base URL this is.
    ///
    /// # Errors
    /// The link cannot be shown.
    pub(super) fn start(
        self,
        serve: &Serve,
        store: Store,
        base_url: String,
        needs: CheckNeeds,
    ) -> Result<(), Failure> {
        let commands = match serve.in_memory {
            true => Commands::in_memory(),
            false => Commands::of(&serve.store)?,
        };
        let surroundings = Surroundings {
            store,
            commands,
            requests: Some(self.requests),
            health: Health {
                needs,
                doctor: Some(Arc::new(DoctorRunner::new(format!("{base_url}/"), None))),
                check_report: serve.console_check_report.clone(),
            },
            base_url,
        };
        console::start(self.listener, self.link, surroundings)
    }
}

/// Returns the readiness of the server as the console shows it.
pub(super) fn needs(readiness: Arc<Readiness>, shared: Arc<Shared>) -> CheckNeeds {
    Arc::new(move || {
        let (readiness, shared) = (Arc::clone(&readiness), Arc::clone(&shared));
        async move {
            let checks = readiness.checks(&shared.phase).await.into_iter();
            let needs = checks.map(|check| Need {
                name: check.name,
                failure: check.failure,
            });
            needs.collect()
        }
        .boxed()
    })
}

/// Those who get the record of each request.
pub(super) struct Observers {
    metrics: Arc<Metrics>,
    requests: Option<Arc<RecentRequests>>,
}

impl Observers {
    pub(super) fn new(metrics: Arc<Metrics>, console: Option<&ConsoleBeside>) -> Self {
        let requests = console.map(|console| Arc::clone(&console.requests));
        Self { metrics, requests }
    }
}

impl RequestObserver for Observers {
    fn observe(&self, record: &RequestRecord) {
        self.metrics.observe(record);
        if let Some(requests) = &self.requests {
            requests.observe(record);
        }
    }
}
