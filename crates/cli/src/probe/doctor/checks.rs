//! What is checked, one thing after another.

use std::net::TcpStream;
use std::time::Duration;

use indicatif::ProgressBar;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use paradigm_scim::config::ACTIVATION_VARIABLE;
use serde_json::{Value, json};
use uuid::Uuid;

use super::certificate::Certificate;
use super::connection::Connection;
use super::load;
use super::report::{Check, Finding};
use super::tls::{NoHandshake, shake_hands};
use crate::probe::endpoint::{Answer, Authorization, Endpoint, MEDIA_TYPE};
use crate::probe::outcome::Outcome;
use crate::probe::token::SOURCES;

/// How far clocks may be apart, in seconds, before it is said, and before it is a failure.
const SKEW: (i64, i64) = (30, 300);
/// How many requests the latency is measured by.
const MEASURED: usize = 10;
/// The median latency from which on provisioning is slow, in milliseconds.
const SLOW: u64 = 1000;

const CONFIG_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
const GROUP_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const LIST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const ERROR_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

const CORRECT_URL: &str =
    "Give the Tenant URL: https://<domain>/scim/v2/, with or without ?aadOptscim062020.";
const SEE_LOG: &str = "See the instance's log (on AWS the functions' in CloudWatch) for what keeps it from answering, then try again.";
const SEE_PROXY: &str = "Look whether the proxy (HTTPS_PROXY, NO_PROXY) lets this machine through to the instance, and the instance's log.";
const THROTTLED: &str = "Wait a while and try again; if that does not help, raise ThrottlingRateLimit in the template's parameters.";
const SEE_FRONT: &str = "Look at what is before the instance (firewall, authorizer): this is no answer of its own. On AWS, with a DomainName the API's default address is closed: give the Tenant URL of that domain.";
const DEPLOY: &str = "Deploy the current version of the service.";

/// A check, and those without which it cannot be made.
pub(super) struct Step {
    name: &'static str,
    needs: &'static [&'static str],
    make: fn(&mut Examination) -> Finding,
}

/// All checks, in their order.
pub(super) const STEPS: [Step; 16] = [
    step("reachable", &[], Examination::reachable),
    step("TLS version", &["reachable"], Examination::tls_version),
    step("certificate", &["TLS version"], Examination::certificate),
    step("SCIM answers", &["certificate"], Examination::scim_answers),
    step("clock", &["SCIM answers"], Examination::clock),
    step("activation", &["SCIM answers"], Examination::activation),
    step("discovery", &["activation"], Examination::discovery),
    step("media type", &["discovery"], Examination::media_type),
    step("public URL", &["discovery"], Examination::public_url),
    step("key", &["activation"], Examination::key),
    step("test connection", &["key"], Examination::test_connection),
    step("groups read", &["key"], Examination::groups_read),
    step("groups refused", &["key"], Examination::groups_refused),
    step("key's owner", &["key"], Examination::owner),
    step("latency", &["discovery"], Examination::latency),
    step(LOAD, &["key"], Examination::load),
];

/// The check that is made only if it is asked for.
const LOAD: &str = "load";

const fn step(
    name: &'static str,
    needs: &'static [&'static str],
    make: fn(&mut Examination) -> Finding,
) -> Step {
    Step { name, needs, make }
}

/// Checks an endpoint.
pub(super) struct Examination {
    endpoint: Endpoint,
    with_load: bool,
    /// Until the check that uses it.
    connection: Option<Result<Connection, Finding>>,
    stream: Option<TcpStream>,
    certificate: Option<Certificate>,
    /// What `/ServiceProviderConfig` is answered without a key.
    description: Option<Answer>,
    /// How far the server's clock is ahead of this machine's, if it tells.
    skew: Option<i64>,
    /// What the search for a user who cannot exist is answered, once the key is accepted.
    search: Option<Answer>,
}

impl Examination {
    pub(super) fn new(
        endpoint: Endpoint,
        connection: Result<Connection, Finding>,
        with_load: bool,
    ) -> Self {
        Self {
            endpoint,
            with_load,
            connection: Some(connection),
            stream: None,
            certificate: None,
            description: None,
            skew: None,
            search: None,
        }
    }

    /// Makes all checks, as far as they can be made.
    pub(super) fn run(mut self, progress: &ProgressBar) -> Vec<Check> {
        let mut checks: Vec<Check> = Vec::new();
        // Checks that others cannot do without, and what to say of those.
        let mut in_the_way: Vec<(&str, String)> = Vec::new();
        for step in STEPS {
            if step.name == LOAD && !self.with_load {
                continue;
            }
            progress.set_message(step.name);
            let needed = in_the_way
                .iter()
                .find(|(name, _)| step.needs.contains(name));
            let finding = match needed {
                Some((_, why)) => Finding::skipped(why.clone()),
                None => (step.make)(&mut self),
            };
            if finding.is_in_the_way {
                let why = match finding.outcome {
                    Outcome::Failed => format!("'{}' failed", step.name),
                    _ => finding.saw.clone(),
                };
                in_the_way.push((step.name, why));
            }
            checks.push(Check {
                check: step.name,
                outcome: finding.outcome,
                saw: self.endpoint.shown(&finding.saw),
                change: finding.change,
                measured: finding.measured,
            });
            progress.inc(1);
        }
        checks
    }

    fn reachable(&mut self) -> Finding {
        match self.connection.take() {
            Some(Ok(connection)) => {
                let (address, milliseconds) = (connection.address, connection.took.as_millis());
                self.stream = Some(connection.stream);
                Finding::passed(format!("{address}, in {milliseconds} ms"))
                    .measuring(json!({"address": address, "milliseconds": milliseconds}))
            }
            Some(Err(finding)) => finding,
            None => Finding::skipped("there was no attempt"),
        }
    }

    fn tls_version(&mut self) -> Finding {
        let stream = self.stream.take();
        if !self.endpoint.is_https() {
            return match self.endpoint.is_loopback() {
                true => Finding::needless("plain http, which does for this machine"),
                false => Finding::failed(
                    "plain http: everyone on the way could read the key, so nothing was sent",
                    "Begin the Tenant URL with https://, and have TLS before the instance.",
                ),
            };
        }
        let Some(mut stream) = stream else {
            return Finding::needless("a proxy is in between");
        };
        let shaken = shake_hands(&mut stream, self.endpoint.host(), self.endpoint.roots());
        match shaken {
            Ok(handshake) => {
                self.certificate = Some(handshake.certificate);
                Finding::passed(format!("{} was agreed on", handshake.version))
                    .measuring(json!({"version": handshake.version}))
            }
            Err(NoHandshake::TooOld) => Finding::failed(
                "the server speaks neither TLS 1.3 nor TLS 1.2",
                "Let it speak TLS 1.2 and 1.3 (on AWS the domain name's security policy TLS_1_2), and nothing older.",
            ),
            Err(NoHandshake::NotTls) => Finding::failed(
                "what answers at this port does not speak TLS, or not in time",
                "Correct the port in the Tenant URL, or have TLS before the instance.",
            ),
            Err(NoHandshake::NoAuthorities(error)) => Finding::failed(
                format!("this machine does not know whom to trust: {error}"),
                "Install the certificates of authorities here (package ca-certificates).",
            ),
            Err(NoHandshake::Other(error)) => Finding::failed(
                format!("there was no handshake: {error}"),
                "See the log of what ends TLS before the instance.",
            ),
        }
    }

    fn certificate(&mut self) -> Finding {
        match self.certificate.take() {
            Some(certificate) => certificate.finding(self.endpoint.host()),
            None => Finding::needless("none was seen, for the same reason"),
        }
    }

    fn scim_answers(&mut self) -> Finding {
        let before = Timestamp::now();
        let answer = match self.get("/ServiceProviderConfig", Authorization::Nothing) {
            Ok(answer) => answer,
            Err(error) => {
                let change = match self.endpoint.is_behind_proxy() {
                    true => SEE_PROXY,
                    false => SEE_LOG,
                };
                return Finding::failed(format!("no answer: {error}"), change);
            }
        };
        self.skew = skew(answer.date.as_deref(), before, Timestamp::now());
        let saw = answer.summary();
        if !is_of_scim(&answer) {
            let media_type = answer.media_type.as_deref().unwrap_or("nothing");
            let saw =
                format!("{saw}, with {media_type}: none of a SCIM service provider's answers");
            return Finding::failed(saw, change_of_description(&answer));
        }
        self.description = Some(answer);
        Finding::passed(saw)
    }

    fn clock(&mut self) -> Finding {
        let Some(skew) = self.skew else {
            return Finding::needless("the answer does not tell a time");
        };
        let saw = match skew {
            0 => "the server's is as this machine's".to_owned(),
            1.. => format!("the server's is {skew} s ahead of this machine's"),
            _ => format!("the server's is {} s behind this machine's", -skew),
        };
        let change = "Set both clocks by NTP (timedatectl shows whether this machine's is): expiry of keys, cursors and certificates goes by them.";
        let (said, failure) = SKEW;
        let finding = if skew.abs() > failure {
            Finding::failed(saw, change)
        } else if skew.abs() > said {
            Finding::warned(saw, change)
        } else {
            Finding::passed(saw)
        };
        finding.measuring(json!({"seconds": skew}))
    }

    fn activation(&mut self) -> Finding {
        let description = self.description.as_ref();
        match description {
            Some(answer)
                if answer.status == 403 && detail(answer).contains(ACTIVATION_VARIABLE) =>
            {
                Finding::failed(
                    answer.summary(),
                    format!(
                        "Set ScimInstanceActivation=True in the template's parameters and deploy; elsewhere set {ACTIVATION_VARIABLE}=True in the instance's environment and restart it."
                    ),
                )
            }
            Some(answer) if answer.is_success() => Finding::passed("SCIM is activated"),
            Some(answer) => Finding::needless(format!("it cannot be seen from {}", answer.status)),
            None => Finding::skipped("there was no answer"),
        }
    }

    fn discovery(&mut self) -> Finding {
        match &self.description {
            Some(answer) if answer.is_success() && has_schema(answer, CONFIG_SCHEMA) => {
                Finding::passed("/ServiceProviderConfig can be read without a key")
            }
            Some(answer) => Finding::failed(
                format!(
                    "/ServiceProviderConfig cannot be read without a key: {}",
                    answer.summary()
                ),
                change_of_description(answer),
            ),
            None => Finding::skipped("there was no answer"),
        }
    }

    fn media_type(&mut self) -> Finding {
        let answer = self.description.as_ref();
        match answer.and_then(|answer| answer.media_type.as_deref()) {
            Some(MEDIA_TYPE) => Finding::passed(MEDIA_TYPE),
            other => Finding::warned(
                format!("{}, not {MEDIA_TYPE}", other.unwrap_or("nothing")),
                "Let what is before the instance leave Content-Type as it is: Microsoft's validator demands SCIM's own.",
            ),
        }
    }

    fn public_url(&mut self) -> Finding {
        let answer = self.description.as_ref();
        let told = answer.and_then(|answer| answer.body.pointer("/meta/location")?.as_str());
        match told {
            Some(url) if self.endpoint.holds(url) => Finding::passed(url),
            Some(url) => Finding::warned(
                format!("the answers tell URLs such as {url}, which are not below the Tenant URL"),
                "Set PublicUrl in the template's parameters (SCIM_PUBLIC_URL, or serve --public-url) to the Tenant URL's scheme and host, and deploy; or give the Tenant URL that the answers tell.",
            ),
            None => Finding::needless("the answer tells no URL"),
        }
    }

    fn key(&mut self) -> Finding {
        if !self.endpoint.has_token() {
            return Finding::skipped(format!("no token was given; give one by {SOURCES}"));
        }
        let answer = match self.search_nobody() {
            Ok(answer) => answer,
            Err(error) => return Finding::failed(format!("no answer: {error}"), SEE_LOG),
        };
        let saw = answer.summary();
        match answer.status {
            401 => Finding::failed(
                saw,
                "Make another key, cargo scim key create --company COMPANY --owner USER --name NAME, of a user who is active (cargo scim user show), and give its token to the provider.",
            ),
            403 if detail(&answer).contains("users:manage") => Finding::failed(
                saw,
                "Give the key's owner the permission: cargo scim user grant USER --company COMPANY. It takes effect within a minute.",
            ),
            403 if detail(&answer).contains("suspended") => Finding::failed(
                saw,
                "Resume the company: cargo scim company resume COMPANY. It takes effect within a minute.",
            ),
            403 => Finding::failed(saw, SEE_FRONT),
            404 => Finding::failed(saw, CORRECT_URL),
            429 => Finding::failed(saw, THROTTLED),
            200..=299 => {
                self.search = Some(answer);
                Finding::passed("it is accepted")
            }
            _ => Finding::failed(saw, SEE_LOG),
        }
    }

    /// As Entra does it: the search for a user who cannot exist finds nobody.
    fn test_connection(&mut self) -> Finding {
        match &self.search {
            Some(answer) if is_empty_list(answer) => {
                Finding::passed(format!("{}, an empty list", answer.status))
            }
            Some(answer) => Finding::failed(
                format!("{}, but not an empty list", answer.summary()),
                format!(
                    "{DEPLOY} Entra's Test connection looks for a user who cannot exist, and wants 200 with totalResults 0."
                ),
            ),
            None => Finding::skipped("there was no answer"),
        }
    }

    fn groups_read(&mut self) -> Finding {
        let change = format!(
            "{DEPLOY} Until then disable the group mapping in Entra, or Test connection may fail."
        );
        match self.get("/Groups", Authorization::Token) {
            Ok(answer) if is_empty_list(&answer) => {
                Finding::passed(format!("{}, an empty list", answer.status))
            }
            Ok(answer) => Finding::failed(
                format!("{}, not an empty list", answer.summary()),
                unless_throttled(&answer, change),
            ),
            Err(error) => Finding::failed(format!("no answer: {error}"), SEE_LOG),
        }
    }

    fn groups_refused(&mut self) -> Finding {
        // Without a name, so that nothing is made where groups are supported.
        let body = json!({"schemas": [GROUP_SCHEMA]});
        let url = self.endpoint.url("/Groups");
        let answer = self
            .endpoint
            .send("POST", &url, Some(&body), Authorization::Token);
        match answer {
            Ok(answer) if answer.status == 501 && has_schema(&answer, ERROR_SCHEMA) => {
                Finding::passed(answer.summary())
            }
            Ok(answer) => Finding::failed(
                format!("{}, not 501 with a SCIM error", answer.summary()),
                unless_throttled(
                    &answer,
                    format!("{DEPLOY} Until then disable the group mapping in Entra."),
                ),
            ),
            Err(error) => Finding::failed(format!("no answer: {error}"), SEE_LOG),
        }
    }

    /// An owner whom the provider manages can be deactivated by it, and the key with them.
    fn owner(&mut self) -> Finding {
        match self.get("/Me", Authorization::Token) {
            Ok(answer) if answer.is_success() => match answer.body.get("externalId") {
                None | Some(Value::Null) => Finding::passed(
                    "nothing shows that the provider manages the user whose key this is (no externalId)",
                ),
                Some(_) => Finding::warned(
                    "the user whose key this is has an externalId: a provider manages them, and could deactivate them, which ends provisioning for all",
                    "Use a service user outside of the provider's scope: cargo scim user create, then user grant, then key create, and give the new key's token to the provider.",
                ),
            },
            Ok(answer) => Finding::warned(
                format!("/Me does not tell: {}", answer.summary()),
                unless_throttled(&answer, DEPLOY),
            ),
            Err(error) => Finding::failed(format!("no answer: {error}"), SEE_LOG),
        }
    }

    fn latency(&mut self) -> Finding {
        let is_accepted = self.search.is_some();
        let mut times = Vec::new();
        for _ in 0..MEASURED {
            // The connection is kept from one to the next.
            let answer = match is_accepted {
                true => self.search_nobody(),
                false => self.get("/ServiceProviderConfig", Authorization::Nothing),
            };
            match answer {
                Ok(answer) if answer.is_success() => times.push(answer.milliseconds),
                Ok(answer) => {
                    let (number, saw) = (times.len() + 1, answer.summary());
                    return Finding::failed(
                        format!("request {number} of {MEASURED}: {saw}"),
                        unless_throttled(&answer, SEE_LOG),
                    );
                }
                Err(error) => return Finding::failed(format!("no answer: {error}"), SEE_LOG),
            }
        }
        times.sort_unstable();
        let [least, median, most] = [0, MEASURED / 2, MEASURED - 1]
            .map(|index| times.get(index).copied().unwrap_or_default());
        let what = if is_accepted {
            "searches"
        } else {
            "reads of /ServiceProviderConfig"
        };
        let saw =
            format!("{MEASURED} {what}: least {least} ms, median {median} ms, most {most} ms");
        let finding = match median {
            ..=SLOW => Finding::passed(saw),
            _ => Finding::warned(
                saw,
                "Give the functions more memory (MemorySize in the template), look at the metric Latency, and run this nearer to the instance to tell the network's part.",
            ),
        };
        finding.measuring(json!({"leastMs": least, "medianMs": median, "mostMs": most}))
    }

    fn load(&mut self) -> Finding {
        load::sustain(|| self.search_nobody())
    }

    fn get(&self, target: &str, authorization: Authorization) -> Result<Answer, String> {
        let url = self.endpoint.url(target);
        self.endpoint.send("GET", &url, None, authorization)
    }

    /// Looks for a user who cannot exist, in Entra's words.
    fn search_nobody(&self) -> Result<Answer, String> {
        let nobody = Uuid::now_v7();
        let target = format!("/Users?filter=userName+eq+%22{nobody}%22");
        self.get(&target, Authorization::Token)
    }
}

/// What to change if the description that is there for everyone is not what was answered.
fn change_of_description(answer: &Answer) -> &'static str {
    match answer.status {
        300..=399 => "Give the URL that it leads to; do not rely on a provider to follow.",
        403 => SEE_FRONT,
        429 => THROTTLED,
        500..=599 => SEE_LOG,
        _ => CORRECT_URL,
    }
}

/// What to change, but if the request was throttled, which says nothing of the instance.
fn unless_throttled(answer: &Answer, change: impl Into<String>) -> String {
    match answer.status {
        429 => THROTTLED.to_owned(),
        _ => change.into(),
    }
}

/// By how many seconds the server's clock is ahead. It told its second between two moments here,
/// at best half-way; whatever part of that second it was does not count.
fn skew(date: Option<&str>, before: Timestamp, after: Timestamp) -> Option<i64> {
    let told = DateTimeParser::new().parse_timestamp(date?).ok()?;
    let half = Duration::try_from(after.duration_since(before)).ok()? / 2;
    let here = before.checked_add(half).ok()?;
    Some(told.as_second() - here.as_second())
}

/// Whether an answer is one of SCIM's, be it a refusal.
fn is_of_scim(answer: &Answer) -> bool {
    schemas(answer).any(|schema| schema.starts_with("urn:ietf:params:scim:"))
}

fn has_schema(answer: &Answer, wanted: &str) -> bool {
    schemas(answer).any(|schema| schema == wanted)
}

fn schemas(answer: &Answer) -> impl Iterator<Item = &str> {
    let schemas = answer.body.get("schemas").and_then(Value::as_array);
    schemas.into_iter().flatten().filter_map(Value::as_str)
}

fn is_empty_list(answer: &Answer) -> bool {
    let total = answer.body.get("totalResults").and_then(Value::as_u64);
    answer.status == 200 && has_schema(answer, LIST_SCHEMA) && total == Some(0)
}

fn detail(answer: &Answer) -> &str {
    let detail = answer.body.get("detail").and_then(Value::as_str);
    detail.unwrap_or_default()
}
