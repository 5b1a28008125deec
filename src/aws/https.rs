//! The HTTP client of a handler's SDK. It is the SDK's default client, except for the authorities that it trusts and
//! when it is ready. These two are half of a handler's start (`docs/performance.md`).

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// Variables that name a file or folder of trusted certificates, as for OpenSSL.
const CERTIFICATE_VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// The roots that Amazon Trust Services names for AWS's public endpoints. To read the hundred and more that
/// a system trusts takes longer than all the rest of a connection's making.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon_roots.pem");

/// Returns a client for HTTPS, and HTTP where an endpoint says so.
pub(super) fn client() -> impl HttpClient {
    OnFirstCall(Builder::new().build_with_connector_fn(connector))
}

fn connector(
    settings: Option<&HttpConnectorSettings>,
    components: Option<&RuntimeComponents>,
) -> Connector {
    let context = TlsContext::builder().with_trust_store(trust_store());
    let mut connector = ConnectorBuilder::default()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(context.build().unwrap_or_default());
    connector
        .set_connector_settings(settings.cloned())
        .set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl))
        .set_proxy_config(Some(ProxyConfig::from_env()));
    connector.build()
}

/// Returns Amazon's roots, unless [`CERTIFICATE_VARIABLES`] name others.
fn trust_store() -> TrustStore {
    let are_named = CERTIFICATE_VARIABLES
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|path| !path.is_empty()));
    match are_named {
        true => TrustStore::default(),
        false => TrustStore::empty().with_pem_certificate(AMAZON_ROOTS),
    }
}

/// An HTTP client without the check of a new configuration, which makes a connector with all trusted
/// certificates only to let go of it. The first call makes one; a handler that makes no call needs none.
#[derive(Debug)]
struct OnFirstCall(SharedHttpClient);

impl HttpClient for OnFirstCall {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.0.http_connector(settings, components)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
}
