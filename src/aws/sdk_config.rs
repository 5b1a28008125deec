//! The SDK's configuration: where the region and credentials come from, and how long it may take.

use std::time::Duration;

use aws_config::environment::{
    EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider,
};
use aws_config::meta::region::ProvideRegion;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;

use super::https;

/// For a Lambda handler, from its environment: there are region and credentials, and there may be the
/// SDK's variables for FIPS, dual stack and, unless one is given, another endpoint. What is empty is as
/// good as not there. Of the servers only Amazon's are trusted, unless `SSL_CERT_FILE` or `SSL_CERT_DIR`
/// names other certificates.
///
/// The SDK's default chain would find these too, but with all the other places where it looks it is a
/// quarter of a handler's size; `docs/performance.md` has the figures. What only the chain honours is
/// ignored: `AWS_ENDPOINT_URL_DYNAMODB`, `…_EVENTBRIDGE` and `…_SQS`, `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS`,
/// profiles.
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
        // A stalled answer is given up by the timeout of its attempt.
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

/// For an operator's program, from wherever the SDK looks: environment, profiles, single sign-on.
#[cfg(feature = "local")]
pub async fn of_operator(endpoint_url: &str) -> SdkConfig {
    aws_config::defaults(behavior_version())
        .retry_config(retries())
        .timeout_config(timeouts())
        .endpoint_url(endpoint_url)
        .load()
        .await
}

/// How the SDK behaves, however it is configured.
pub(crate) fn behavior_version() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

pub(crate) fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(3)
}

/// How long a call may take: for a connection, an attempt, and an operation with its attempts. They
/// end well inside API Gateway's 30 s.
#[must_use]
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(2))
        .operation_timeout(Duration::from_secs(5))
        .build()
}
