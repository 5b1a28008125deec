//! The connections of a PostgreSQL engine, read when somebody looks at the metrics.

use std::fmt::Error;

use postgres::{Connections, PostgreSql};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

/// Shows the connections of an engine.
#[derive(Debug)]
pub(super) struct PoolMetrics(pub(super) PostgreSql);

impl Collector for PoolMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let Connections {
            most,
            in_use,
            idle,
            waiting,
        } = self.0.connections();
        let mut family = encoder.encode_descriptor(
            "database_connections",
            "Connections to the database",
            None,
            MetricType::Gauge,
        )?;
        for (state, number) in [("in_use", in_use), ("idle", idle)] {
            gauge(number).encode(family.encode_family(&State { state })?)?;
        }
        let most_encoder = encoder.encode_descriptor(
            "database_connections_max",
            "Most connections to the database that this process opens",
            None,
            MetricType::Gauge,
        )?;
        gauge(most).encode(most_encoder)?;
        let waiting_encoder = encoder.encode_descriptor(
            "database_requests_waiting",
            "Calls of the database that wait for a connection",
            None,
            MetricType::Gauge,
        )?;
        gauge(waiting).encode(waiting_encoder)
    }
}

fn gauge(number: usize) -> ConstGauge<u64> {
    ConstGauge::new(u64::try_from(number).unwrap_or(u64::MAX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::serve::metrics::Metrics;

    use super::*;

    #[tokio::test]
    async fn the_metrics_have_the_connections_of_postgresql_only() {
        let url = "postgres://scim@127.0.0.1:1/scim?sslmode=disable".parse();
        let engine = PostgreSql::new(&url.unwrap(), 7.try_into().unwrap()).unwrap();
        let text = Metrics::new(None, Some(engine)).text(&[]).unwrap();
        for line in [
            "scim_database_connections{state=\"in_use\"} 0",
            "scim_database_connections{state=\"idle\"} 0",
            "scim_database_connections_max 7",
            "scim_database_requests_waiting 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        let text = Metrics::new(None, None).text(&[]).unwrap();
        assert!(!text.contains("scim_database"), "{text}");
    }
}
