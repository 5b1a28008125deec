//! A service for the tests of connections.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use paradigm_scim::api::Service;
use paradigm_scim::config::{Config, SystemClock};
use paradigm_scim::store::Store;
use paradigm_scim::store::memory::Memory;
use tokio::sync::watch;

use super::connection::Shared;
use super::drain::Phase;
use super::forwarded::TrustedProxies;
use super::metrics::Metrics;
use super::origin::{Origins, Scheme};

/// The other end of the tests' connections.
pub(super) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Returns a service on an empty store with demo data, and the token of its key.
pub(super) async fn service() -> (Service, String) {
    let store = Store::on(Arc::new(Memory::new()));
    let token = ::embedded::demo::create(&store).await.unwrap().unwrap();
    let config = Config {
        is_activated: true,
        ..Config::default()
    };
    let service = Service::new(store, config, Arc::new(SystemClock));
    (service, token.reveal().to_string())
}

/// Returns what the connections to a service share.
pub(super) fn shared(service: Service) -> Arc<Shared> {
    Arc::new(Shared {
        service: Arc::new(service),
        origins: Origins {
            scheme: Scheme::Http,
            proxies: TrustedProxies::default(),
        },
        phase: watch::Sender::new(Phase::Serving),
        metrics: Arc::new(Metrics::new(None)),
    })
}
