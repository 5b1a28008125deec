//! A request's log line as JSON. It is written without a tree of values in between, because every request writes one.

use jiff::Timestamp;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Number;

use super::RequestRecord;
use crate::config::RouteMetrics;

/// Namespace of the metrics in CloudWatch.
const NAMESPACE: &str = "ParadigmScim";
const COUNT: &str = "Count";

/// A metric of CloudWatch: its name, unit and value.
type Metric = (&'static str, &'static str, Number);

impl RequestRecord {
    /// Returns the record as CloudWatch's embedded metric format: a log line from which metrics of one instance are made.
    #[must_use]
    pub fn to_embedded_metrics(&self, stack: &str, route_metrics: RouteMetrics) -> String {
        written(&EmbeddedMetrics {
            record: self,
            stack,
            route_metrics,
        })
    }

    /// Returns the record as a JSON line with time and level.
    pub(super) fn to_plain_line(&self, stack: Option<&str>) -> String {
        written(&PlainLine {
            record: self,
            stack,
        })
    }

    /// Writes what both kinds of line have. What has no value is left out.
    fn write_members<M: SerializeMap>(
        &self,
        line: &mut M,
        stack: Option<&str>,
    ) -> Result<(), M::Error> {
        line.serialize_entry("message", "request")?;
        line.serialize_entry("requestId", &self.request_id)?;
        add(line, "stack", stack)?;
        line.serialize_entry("route", &format_args!("{}", self.route))?;
        add(line, "company", self.company.as_ref())?;
        add(line, "key", self.key.as_ref())?;
        line.serialize_entry("status", &self.status)?;
        add(line, "scimType", self.scim_type)?;
        add(line, "undeclaredAttributes", self.some_undeclared())?;
        add(line, "anonymised", self.some_anonymised())?;
        add(line, "rule", self.rule)?;
        add(line, "attribute", self.attribute.as_ref())?;
        add(line, "operation", self.operation)?;
        add(line, "cause", self.cause.as_ref())?;
        add(line, "coldStart", self.is_cold.then_some(true))?;
        line.serialize_entry("dynamoDbCalls", &self.calls)?;
        line.serialize_entry("work", &self.work)?;
        for (name, _, value) in self.metrics().chain(self.key_days_left_metric()) {
            line.serialize_entry(name, &value)?;
        }
        Ok(())
    }

    /// Returns the metrics that are not zero, because each costs in the hours in which it has a value. Requests are the
    /// sample count of `Latency`.
    fn metrics(&self) -> impl Iterator<Item = Metric> {
        let units = |units: f64| Number::from_f64(units).filter(|_| units > 0.0);
        let one = |is_so: bool| is_so.then(|| Number::from(1));
        [
            ("Latency", "Milliseconds", Some(self.milliseconds().into())),
            ("ReadUnits", COUNT, units(self.read_units)),
            ("WriteUnits", COUNT, units(self.write_units)),
            ("Errors", COUNT, one(self.is_error())),
            ("Refusals", COUNT, one(self.is_refusal())),
            ("Unauthorized", COUNT, one(self.status == 401)),
            ("Unsupported", COUNT, one(self.status == 501)),
        ]
        .into_iter()
        .filter_map(|(name, unit, value)| Some((name, unit, value?)))
    }

    /// Returns the metric that is not by route, because each route would cost as much as a metric of its own.
    fn key_days_left_metric(&self) -> Option<Metric> {
        let days = self.key_days_left?;
        Some(("KeyDaysLeft", COUNT, days.into()))
    }
}

/// Adds a member that has a value.
fn add<M: SerializeMap>(
    line: &mut M,
    name: &str,
    value: Option<impl Serialize>,
) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| line.serialize_entry(name, &value))
}

/// Returns a line as text. Nothing in a line can fail.
fn written(line: &impl Serialize) -> String {
    serde_json::to_string(line).unwrap_or_default()
}

struct PlainLine<'a> {
    record: &'a RequestRecord,
    stack: Option<&'a str>,
}

impl Serialize for PlainLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = Timestamp::from_millisecond(self.record.timestamp).unwrap_or_default();
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("timestamp", &format_args!("{time:.3}"))?;
        line.serialize_entry("level", self.record.level().as_str())?;
        self.record.write_members(&mut line, self.stack)?;
        line.end()
    }
}

struct EmbeddedMetrics<'a> {
    record: &'a RequestRecord,
    stack: &'a str,
    route_metrics: RouteMetrics,
}

impl Serialize for EmbeddedMetrics<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let metrics = self.record.metrics();
        let of_stack = Directive::new(
            &["stack"],
            metrics.chain(self.record.key_days_left_metric()),
        );
        let of_route = (self.route_metrics == RouteMetrics::On)
            .then(|| Directive::new(&["stack", "route"], self.record.metrics()));
        let mut line = serializer.serialize_map(None)?;
        self.record.write_members(&mut line, Some(self.stack))?;
        let metadata = Metadata {
            timestamp: self.record.timestamp,
            cloud_watch_metrics: std::iter::once(of_stack).chain(of_route).collect(),
        };
        line.serialize_entry("_aws", &metadata)?;
        line.end()
    }
}

/// What makes metrics of a line.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    timestamp: i64,
    cloud_watch_metrics: Vec<Directive>,
}

/// The metrics of one set of dimensions.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: &'static str,
    dimensions: [&'static [&'static str]; 1],
    metrics: Vec<Definition>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: &'static str,
    unit: &'static str,
}

impl Directive {
    /// Returns the directive for the metrics of a line. One without a value would make CloudWatch ignore the line.
    fn new(dimensions: &'static [&'static str], metrics: impl Iterator<Item = Metric>) -> Self {
        let metrics = metrics.map(|(name, unit, _)| Definition { name, unit });
        Self {
            namespace: NAMESPACE,
            dimensions: [dimensions],
            metrics: metrics.collect(),
        }
    }
}
