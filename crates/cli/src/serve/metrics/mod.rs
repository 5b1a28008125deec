//! What `/metrics` shows. Every label has a limited number of values, and none is personal: no company, user, key or
//! path of a request.

mod pool;
mod table;

use std::fmt::Error;
use std::sync::Arc;

use jiff::Timestamp;
use paradigm_scim::api::route::ROUTES;
use paradigm_scim::api::rule;
use paradigm_scim::store::Store;
use paradigm_scim::telemetry::{RequestObserver, RequestRecord, Target};
use postgres::PostgreSql;
use prometheus_client::encoding::{EncodeLabelSet, prometheus_text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::serve::tls::Tls;
use pool::PoolMetrics;
use table::{MeteredTable, TableMetrics};

pub(crate) use prometheus_text::CONTENT_TYPE;

/// Upper bounds of the times of requests and of table calls, in seconds. A request has at most 25 s.
const BOUNDS: [f64; 14] = [
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0,
];

/// Upper bounds of the days that are left until a key expires.
const DAYS_LEFT: [f64; 7] = [0.0, 1.0, 7.0, 30.0, 90.0, 180.0, 365.0];

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

fn histograms<L: Clone + Eq + std::hash::Hash>() -> Histograms<L> {
    Family::new_with_constructor(|| Histogram::new(BOUNDS))
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Routed {
    /// The path with `{id}`, or what the request was instead of one to a route.
    route: &'static str,
    /// One of the route's methods, or `other`.
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Handled {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    rule: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Checked {
    check: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// The metrics of a process.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Handled, Counter>,
    refusals: Family<Refused, Counter>,
    durations: Histograms<Routed>,
    key_days_left: Histogram,
    /// Requests that are being handled.
    pub(crate) in_flight: Gauge,
    /// Connections to the listener of SCIM, from before their handshake on.
    pub(crate) connections: Gauge,
    handshakes: Family<Outcome, Counter>,
    ready: Family<Checked, Gauge>,
    table: Arc<TableMetrics>,
    certificate: Option<(Arc<Tls>, Gauge)>,
}

impl Metrics {
    /// Returns the metrics, none of which has counted anything. Those of connections exist only for PostgreSQL.
    pub(crate) fn new(tls: Option<Arc<Tls>>, postgresql: Option<PostgreSql>) -> Self {
        let mut registry = Registry::default();
        let started: Gauge = Gauge::default();
        started.set(Timestamp::now().as_second());
        registry.register(
            "process_start_time_seconds",
            "Time at which the process started, in seconds since 1970",
            started,
        );
        let scim = registry.sub_registry_with_prefix("scim");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        scim.register("build", "The program", version);
        let certificate = tls.map(|tls| (tls, Gauge::default()));
        if let Some((_, expiry)) = &certificate {
            scim.register(
                "certificate_expiry_timestamp_seconds",
                "Time at which the certificate of the listener, or one in its chain, expires, in seconds since 1970",
                expiry.clone(),
            );
        }
        let mut metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            refusals: Family::default(),
            durations: histograms(),
            key_days_left: Histogram::new(DAYS_LEFT),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            handshakes: Family::default(),
            ready: Family::default(),
            table: Arc::default(),
            certificate,
        };
        metrics.register_in(scim);
        if let Some(engine) = postgresql {
            scim.register_collector(Box::new(PoolMetrics(engine)));
        }
        metrics.registry = registry;
        metrics.begin();
        metrics
    }

    fn register_in(&self, scim: &mut Registry) {
        scim.register(
            "requests",
            "Requests that got a response",
            self.requests.clone(),
        );
        scim.register(
            "refusals",
            "Requests that were refused or failed, by the rule that they broke",
            self.refusals.clone(),
        );
        scim.register(
            "request_duration_seconds",
            "Time from the head of a request to its response, without the time in which its body arrived",
            self.durations.clone(),
        );
        scim.register(
            "api_key_days_left",
            "Days until the API key of a request expires, of requests whose key is accepted and expires",
            self.key_days_left.clone(),
        );
        scim.register(
            "requests_in_flight",
            "Requests that are being handled",
            self.in_flight.clone(),
        );
        scim.register(
            "connections",
            "Open connections, also those whose TLS handshake is not completed",
            self.connections.clone(),
        );
        if self.certificate.is_some() {
            scim.register(
                "tls_handshakes",
                "TLS handshakes that were completed, failed, timed out, or gave way to newer ones",
                self.handshakes.clone(),
            );
        }
        scim.register(
            "ready",
            "1 if a check of /readyz has passed, 0 if it has failed",
            self.ready.clone(),
        );
        self.table.register_in(scim);
    }

    /// Makes the series of each route and rule, so that the first request is an increase.
    fn begin(&self) {
        for route in ROUTES {
            let method = route.method.as_str();
            let routed = Routed {
                route: route.path,
                method,
            };
            drop(self.durations.get_or_create(&routed));
        }
        for rule in rule::ALL.iter().chain(scim::rule::ALL) {
            let refused = Refused {
                rule: rule.as_str(),
            };
            drop(self.refusals.get_or_create(&refused));
        }
    }

    /// Returns the store, with its calls of the table counted.
    pub(crate) fn metering(&self, store: Store) -> Store {
        let metrics = Arc::clone(&self.table);
        store.wrapping_table(|table| Arc::new(MeteredTable::new(table, metrics)))
    }

    /// Counts a TLS handshake.
    pub(crate) fn count_handshake(&self, outcome: &'static str) {
        self.handshakes.get_or_create(&Outcome { outcome }).inc();
    }

    /// Returns the metrics, with the checks of readiness and whether each has passed, in Prometheus's text format.
    ///
    /// # Errors
    /// A metric cannot be written as text, which is a defect.
    pub(crate) fn text(&self, checks: &[(&'static str, bool)]) -> Result<String, Error> {
        // A check that is not made, because one before it has failed, has no series.
        self.ready.clear();
        for (check, has_passed) in checks {
            let ready = self.ready.get_or_create(&Checked { check });
            ready.set(i64::from(*has_passed));
        }
        if let Some((tls, expiry)) = &self.certificate {
            expiry.set(tls.expires().map_or(0, Timestamp::as_second));
        }
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl RequestObserver for Metrics {
    fn observe(&self, record: &RequestRecord) {
        let (route, method) = match record.route {
            Target::Route { method, path } => (path, method),
            Target::OtherMethod => ("other method", "other"),
            Target::UnknownPath => ("unknown path", "other"),
            Target::Unreadable => ("unreadable", "other"),
        };
        let handled = Handled {
            route,
            method,
            status: record.status,
        };
        self.requests.get_or_create(&handled).inc();
        self.durations
            .get_or_create(&Routed { route, method })
            .observe(record.taken.as_secs_f64());
        if let Some(days) = record.key_days_left {
            // No key has an expiry that is too far away for a float.
            self.key_days_left.observe(days as f64);
        }
        if let Some(rule) = record.rule {
            self.refusals.get_or_create(&Refused { rule }).inc();
        }
    }
}

/// Counts one up for as long as it exists.
pub(crate) struct Counted(Gauge);

impl Counted {
    pub(crate) fn by(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
