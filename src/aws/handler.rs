//! The SDK's configuration inside Lambda.

use aws_config::SdkConfig;
use aws_config::environment::{
    EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider,
};
use aws_config::meta::region::ProvideRegion;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_credential_types::provider::SharedCredentialsProvider;

use super::https;
use super::sdk_config::{behavior_version, retries, timeouts};

/// Returns the configuration of a Lambda handler, from its environment: region and credentials, and the SDK's variables
/// for FIPS, dual stack and, unless `endpoint_url` is given, another endpoint. Empty variables count as absent. Only
/// Amazon's servers are trusted, unless `SSL_CERT_FILE` or `SSL_CERT_DIR` names other certificates.
///
/// The SDK's default chain would find these too, but with all the other places where it looks it is a quarter of a
/// handler's size; `docs/performance.md` has the figures. Variables that only the chain reads are ignored:
/// `AWS_ENDPOINT_URL_DYNAMODB`, `…_EVENTBRIDGE` and `…_SQS`, `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS`, profiles.
pub async fn of_handler(endpoint_url: Option<String>) -> SdkConfig {
    let is_set = |value: &String| !value.is_empty();
    let variable = |name| std::env::var(name).ok().filter(is_set);
    let flag = |name| variable(name).map(|value| value.eq_ignore_ascii_case("true"));
    let credentials = EnvironmentVariableCredentialsProvider::new();
    let mut config = SdkConfig::builder()
        .behavior_version(behavior_version())
        .region(EnvironmentVariableRegionProvider::new().region().await)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(retries())
        // The timeout of an attempt ends a stalled response.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(timeouts())
        .http_client(https::client());
    config
        .set_endpoint_url(
            endpoint_url
                .filter(is_set)
                .or_else(|| variable("AWS_ENDPOINT_URL")),
        )
        .set_use_fips(flag("AWS_USE_FIPS_ENDPOINT"))
        .set_use_dual_stack(flag("AWS_USE_DUALSTACK_ENDPOINT"));
    config.build()
}
