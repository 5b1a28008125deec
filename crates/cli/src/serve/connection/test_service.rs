//! A service for the tests of connections.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use paradigm_scim::api::Service;
use paradigm_scim::config::{Config, SystemClock};
use paradigm_scim::store::Store;
use paradigm_scim::store::memory::Memory;
use tokio::sync::watch;

use super::Shared;
use crate::serve::drain::Phase;
use crate::serve::forwarded::TrustedProxies;
use crate::serve::listen::Scheme;
use crate::serve::metrics::Metrics;
use crate::serve::origin::Origins;

/// The other end of the tests' connections.
pub(in crate::serve) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Returns a service on an empty store with demo data, and the token of its key.
pub(in crate::serve) async fn service() -> (Service, String) {
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
pub(in crate::serve) fn shared(service: Service) -> Arc<Shared> {
    Arc::new(Shared {
        service: Arc::new(service),
        origins: Origins {
            scheme: Scheme::Http,
            proxies: TrustedProxies::default(),
        },
        phase: watch::Sender::new(Phase::Serving),
        metrics: Arc::new(Metrics::new(None, None)),
    })
}
