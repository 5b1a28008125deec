//! The checks, one after another.

use std::net::TcpStream;

use indicatif::ProgressBar;
use jiff::Timestamp;
use paradigm_scim::config::ACTIVATION_VARIABLE;
use paradigm_scim::directory::api_key::{WARNING_DAYS, days_until};
use serde_json::{Value, json};
use uuid::Uuid;

use super::certificate::Certificate;
use super::connection::Connection;
use super::load;
use super::reading::{detail, has_schema, is_empty_list, is_of_scim, skew};
use super::report::{Check, CheckResult};
use super::step::Step;
use crate::probe::credentials::SOURCES;
use crate::probe::endpoint::{Authorization, Endpoint, MEDIA_TYPE, Response};
use crate::probe::outcome::Outcome;

/// How far clocks may be apart, in seconds, before it is said, and before it is a failure.
const SKEW: (i64, i64) = (30, 300);
/// How many requests the latency is measured by.
const MEASURED: usize = 10;
/// The median latency from which on provisioning is slow, in milliseconds.
const SLOW: u64 = 1000;

const CONFIG_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
const GROUP_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ERROR_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

const CORRECT_URL: &str =
    "Give the Tenant URL: https://<domain>/scim/v2/, with or without ?aadOptscim062020.";
pub(super) const SEE_LOG: &str =
    "See the instance's log (on AWS the functions' in CloudWatch) for the reason, then try again.";
const SEE_PROXY: &str = "Check whether the proxy (HTTPS_PROXY, NO_PROXY) lets this machine through to the instance, and read the instance's log.";
const THROTTLED: &str = "Wait a while and try again; if that does not help, raise ThrottlingRateLimit in the template's parameters.";
const SEE_FRONT: &str = "Check what is before the instance (firewall, authorizer): this response does not come from the instance. On AWS, with a DomainName the API's default address is closed: give the Tenant URL of that domain.";
const ROTATE: &str = "Make another key by 'key rotate', with an overlap, and give its token to the provider: when the key ends, the provider deactivates nobody any more.";
pub(super) const DEPLOY: &str = "Deploy the current version of the service.";

/// Checks an endpoint.
pub(super) struct Examination {
    pub(super) endpoint: Endpoint,
    pub(super) with_load: bool,
    /// Until the check that uses it.
    pub(super) connection: Option<Result<Connection, CheckResult>>,
    pub(super) stream: Option<TcpStream>,
    pub(super) certificate: Option<Certificate>,
    /// The response to `/ServiceProviderConfig` without a key.
    pub(super) description: Option<Response>,
    /// How far the server's clock is ahead of this machine's, if the response has a date.
    pub(super) skew: Option<i64>,
    /// The response to the search for a user that cannot exist, once the key is accepted.
    pub(super) search: Option<Response>,
}

impl Examination {
    pub(super) fn new(
        endpoint: Endpoint,
        connection: Result<Connection, CheckResult>,
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
        let mut blocking: Vec<(Step, String)> = Vec::new();
        for step in Step::ALL {
            let is_left_out = step == Step::Load && !self.with_load
                || step.is_of_clients() && self.endpoint.client().is_none();
            if is_left_out {
                continue;
            }
            progress.set_message(step.name());
            let blocked = blocking
                .iter()
                .find(|(blocking, _)| step.needs() == Some(*blocking));
            let finding = match blocked {
                Some((_, why)) => CheckResult::skipped(why.clone()),
                None => self.make(step),
            };
            if finding.blocks_dependents {
                let why = match finding.outcome {
                    Outcome::Failed => format!("'{}' failed", step.name()),
                    _ => finding.saw.clone(),
                };
                blocking.push((step, why));
            }
            checks.push(Check {
                check: step.name(),
                outcome: finding.outcome,
                saw: self.endpoint.shown(&finding.saw),
                change: finding.change,
                measured: finding.measured,
            });
            progress.inc(1);
        }
        checks
    }

    fn make(&mut self, step: Step) -> CheckResult {
        match step {
            Step::Reachable => self.reachable(),
            Step::TlsVersion => self.tls_version(),
            Step::Certificate => self.certificate(),
            Step::ScimResponses => self.scim_responses(),
            Step::Clock => self.clock(),
            Step::Activation => self.activation(),
            Step::Discovery => self.discovery(),
            Step::MediaType => self.media_type(),
            Step::PublicUrl => self.public_url(),
            Step::AccessToken => self.access_token(),
            Step::WrongSecret => self.wrong_secret(),
            Step::WrongGrant => self.wrong_grant(),
            Step::AlteredToken => self.altered_token(),
            Step::Key => self.key(),
            Step::KeyExpiry => self.key_expiry(),
            Step::TestConnection => self.test_connection(),
            Step::GroupsRead => self.groups_read(),
            Step::GroupsRefused => self.groups_refused(),
            Step::Owner => self.owner(),
            Step::Latency => self.latency(),
            Step::Load => self.load(),
        }
    }

    fn scim_responses(&mut self) -> CheckResult {
        let before = Timestamp::now();
        let response = match self.get("/ServiceProviderConfig", Authorization::Nothing) {
            Ok(response) => response,
            Err(error) => {
                let change = match self.endpoint.is_behind_proxy() {
                    true => SEE_PROXY,
                    false => SEE_LOG,
                };
                return CheckResult::failed(format!("no response: {error}"), change);
            }
        };
        self.skew = skew(response.date.as_deref(), before, Timestamp::now());
        let saw = response.summary();
        if !is_of_scim(&response) {
            let media_type = response.media_type.as_deref().unwrap_or("nothing");
            let saw =
                format!("{saw}, with {media_type}: not the response of a SCIM service provider");
            return CheckResult::failed(saw, change_of_description(&response));
        }
        self.description = Some(response);
        CheckResult::passed(saw)
    }

    fn clock(&mut self) -> CheckResult {
        let Some(skew) = self.skew else {
            return CheckResult::needless("the response has no time");
        };
        let saw = match skew {
            0 => "the server's is as this machine's".to_owned(),
            1.. => format!("the server's is {skew} s ahead of this machine's"),
            _ => format!("the server's is {} s behind this machine's", -skew),
        };
        let change = "Set both clocks by NTP (timedatectl shows whether this machine's is): expiry of keys, cursors and certificates goes by them.";
        let (said, failure) = SKEW;
        let finding = if skew.abs() > failure {
            CheckResult::failed(saw, change)
        } else if skew.abs() > said {
            CheckResult::warned(saw, change)
        } else {
            CheckResult::passed(saw)
        };
        finding.measuring(json!({"seconds": skew}))
    }

    fn activation(&mut self) -> CheckResult {
        let description = self.description.as_ref();
        match description {
            Some(response)
                if response.status == 403 && detail(response).contains(ACTIVATION_VARIABLE) =>
            {
                CheckResult::failed(
                    response.summary(),
                    format!(
                        "Set ScimInstanceActivation=True in the template's parameters and deploy; elsewhere set {ACTIVATION_VARIABLE}=True in the instance's environment and restart it."
                    ),
                )
            }
            Some(response) if response.is_success() => CheckResult::passed("SCIM is activated"),
            Some(response) => {
                CheckResult::needless(format!("status {} does not show it", response.status))
            }
            None => CheckResult::skipped("there was no response"),
        }
    }

    fn discovery(&mut self) -> CheckResult {
        match &self.description {
            Some(response) if response.is_success() && has_schema(response, CONFIG_SCHEMA) => {
                CheckResult::passed("/ServiceProviderConfig can be read without a key")
            }
            Some(response) => CheckResult::failed(
                format!(
                    "/ServiceProviderConfig cannot be read without a key: {}",
                    response.summary()
                ),
                change_of_description(response),
            ),
            None => CheckResult::skipped("there was no response"),
        }
    }

    fn media_type(&mut self) -> CheckResult {
        let response = self.description.as_ref();
        match response.and_then(|response| response.media_type.as_deref()) {
            Some(MEDIA_TYPE) => CheckResult::passed(MEDIA_TYPE),
            other => CheckResult::warned(
                format!("{}, not {MEDIA_TYPE}", other.unwrap_or("nothing")),
                "Let what is before the instance leave Content-Type as it is: Microsoft's validator demands SCIM's own.",
            ),
        }
    }

    fn public_url(&mut self) -> CheckResult {
        let response = self.description.as_ref();
        let reported =
            response.and_then(|response| response.body.pointer("/meta/location")?.as_str());
        match reported {
            Some(url) if self.endpoint.holds(url) => CheckResult::passed(url),
            Some(url) => CheckResult::warned(
                format!(
                    "the responses have URLs such as {url}, which are not below the Tenant URL"
                ),
                "Set PublicUrl in the template's parameters (SCIM_PUBLIC_URL, or serve --public-url) to the Tenant URL's scheme and host, and deploy; or give the Tenant URL that the responses show.",
            ),
            None => CheckResult::needless("the response has no URL"),
        }
    }

    fn key(&mut self) -> CheckResult {
        if !self.endpoint.has_credentials() {
            return CheckResult::skipped(format!("no token was given; give one by {SOURCES}"));
        }
        let response = match self.search_without_match() {
            Ok(response) => response,
            Err(error) => return CheckResult::failed(format!("no response: {error}"), SEE_LOG),
        };
        let saw = response.summary();
        match response.status {
            401 => CheckResult::failed(
                saw,
                "Make another key, paradigm-scim key create --company COMPANY --owner USER --name NAME --expires 180d, of a user who is active (paradigm-scim user show), and give its token to the provider.",
            ),
            403 if detail(&response).contains("users:manage") => CheckResult::failed(
                saw,
                "Give the key's owner the permission: paradigm-scim user grant USER --company COMPANY. It takes effect within a minute.",
            ),
            403 if detail(&response).contains("suspended") => CheckResult::failed(
                saw,
                "Resume the company: paradigm-scim company resume COMPANY. It takes effect within a minute.",
            ),
            403 => CheckResult::failed(saw, SEE_FRONT),
            404 => CheckResult::failed(saw, CORRECT_URL),
            429 => CheckResult::failed(saw, THROTTLED),
            200..=299 => {
                self.search = Some(response);
                CheckResult::passed("it is accepted")
            }
            _ => CheckResult::failed(saw, SEE_LOG),
        }
    }

    /// Checks that the key does not expire soon: the provider would then stop deprovisioning.
    fn key_expiry(&mut self) -> CheckResult {
        let search = self.search.as_ref();
        let Some(expires) = search.and_then(|response| response.key_expires.as_deref()) else {
            return CheckResult::passed("the instance says no time at which the key expires");
        };
        let Ok(time) = expires.parse() else {
            return CheckResult::needless("the instance's time cannot be read");
        };
        let days = days_until(time, Timestamp::now());
        let saw = format!("{days} days are left, until {expires}");
        let finding = if days <= 0 {
            CheckResult::failed(saw, ROTATE)
        } else if days <= WARNING_DAYS {
            CheckResult::warned(saw, ROTATE)
        } else {
            CheckResult::passed(saw)
        };
        finding.measuring(json!({"daysLeft": days, "expires": expires}))
    }

    /// Checks that the search for a user that cannot exist finds none, as Entra does.
    fn test_connection(&mut self) -> CheckResult {
        match &self.search {
            Some(response) if is_empty_list(response) => {
                CheckResult::passed(format!("{}, an empty list", response.status))
            }
            Some(response) => CheckResult::failed(
                format!("{}, but not an empty list", response.summary()),
                format!(
                    "{DEPLOY} Entra's Test connection looks for a user that cannot exist, and wants 200 with totalResults 0."
                ),
            ),
            None => CheckResult::skipped("there was no response"),
        }
    }

    fn groups_read(&mut self) -> CheckResult {
        let change = format!(
            "{DEPLOY} Until then disable the group mapping in Entra, or Test connection may fail."
        );
        match self.get("/Groups", Authorization::Token) {
            Ok(response) if is_empty_list(&response) => {
                CheckResult::passed(format!("{}, an empty list", response.status))
            }
            Ok(response) => CheckResult::failed(
                format!("{}, not an empty list", response.summary()),
                unless_throttled(&response, change),
            ),
            Err(error) => CheckResult::failed(format!("no response: {error}"), SEE_LOG),
        }
    }

    fn groups_refused(&mut self) -> CheckResult {
        // Without a name, so that nothing is made where groups are supported.
        let body = json!({"schemas": [GROUP_SCHEMA]});
        let url = self.endpoint.url("/Groups");
        let response = self
            .endpoint
            .send("POST", &url, Some(&body), Authorization::Token);
        match response {
            Ok(response) if response.status == 501 && has_schema(&response, ERROR_SCHEMA) => {
                CheckResult::passed(response.summary())
            }
            Ok(response) => CheckResult::failed(
                format!("{}, not 501 with a SCIM error", response.summary()),
                unless_throttled(
                    &response,
                    format!("{DEPLOY} Until then disable the group mapping in Entra."),
                ),
            ),
            Err(error) => CheckResult::failed(format!("no response: {error}"), SEE_LOG),
        }
    }

    /// Checks that the provider does not manage the key's owner: it could deactivate the owner, and the key with them.
    fn owner(&mut self) -> CheckResult {
        match self.get("/Me", Authorization::Token) {
            Ok(response) if response.is_success() => match response.body.get("externalId") {
                None | Some(Value::Null) => CheckResult::passed(
                    "nothing shows that the provider manages the user whose key this is (no externalId)",
                ),
                Some(_) => CheckResult::warned(
                    "the user whose key this is has an externalId: a provider manages them, and could deactivate them, which ends provisioning for all",
                    "Use a service user outside of the provider's scope: paradigm-scim user create, then user grant, then key create, and give the new key's token to the provider.",
                ),
            },
            Ok(response) => CheckResult::warned(
                format!("/Me does not show it: {}", response.summary()),
                unless_throttled(&response, DEPLOY),
            ),
            Err(error) => CheckResult::failed(format!("no response: {error}"), SEE_LOG),
        }
    }

    fn latency(&mut self) -> CheckResult {
        let is_accepted = self.search.is_some();
        let mut times = Vec::new();
        for _ in 0..MEASURED {
            // The connection is kept from one to the next.
            let response = match is_accepted {
                true => self.search_without_match(),
                false => self.get("/ServiceProviderConfig", Authorization::Nothing),
            };
            match response {
                Ok(response) if response.is_success() => times.push(response.milliseconds),
                Ok(response) => {
                    let (number, saw) = (times.len() + 1, response.summary());
                    return CheckResult::failed(
                        format!("request {number} of {MEASURED}: {saw}"),
                        unless_throttled(&response, SEE_LOG),
                    );
                }
                Err(error) => return CheckResult::failed(format!("no response: {error}"), SEE_LOG),
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
            ..=SLOW => CheckResult::passed(saw),
            _ => CheckResult::warned(
                saw,
                "Give the functions more memory (MemorySize in the template), look at the metric Latency, and run this nearer to the instance to see the network's part.",
            ),
        };
        finding.measuring(json!({"leastMs": least, "medianMs": median, "mostMs": most}))
    }

    fn load(&mut self) -> CheckResult {
        load::sustain(|| self.search_without_match())
    }

    pub(super) fn get(
        &self,
        target: &str,
        authorization: Authorization,
    ) -> Result<Response, String> {
        let url = self.endpoint.url(target);
        self.endpoint.send("GET", &url, None, authorization)
    }

    /// Looks for a user that cannot exist, in Entra's words.
    fn search_without_match(&self) -> Result<Response, String> {
        let nobody = Uuid::now_v7();
        let target = format!("/Users?filter=userName+eq+%22{nobody}%22");
        self.get(&target, Authorization::Token)
    }
}

/// Returns what to change if the response is not the description that needs no key.
fn change_of_description(response: &Response) -> &'static str {
    match response.status {
        300..=399 => "Give the URL that it leads to; a provider may not follow.",
        403 => SEE_FRONT,
        429 => THROTTLED,
        500..=599 => SEE_LOG,
        _ => CORRECT_URL,
    }
}

/// Returns what to change, unless the request was throttled, which says nothing of the instance.
fn unless_throttled(response: &Response, change: impl Into<String>) -> String {
    match response.status {
        429 => THROTTLED.to_owned(),
        _ => change.into(),
    }
}
