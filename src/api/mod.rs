//! The service: its routes, and the pipeline that is the same for all of them. It normalises the path, checks
//! activation, authenticates, decodes, acts and encodes.

pub mod accept;
pub mod authentication;
mod bookmarks;
mod bulk;
mod computing;
mod discovery;
mod dispatch;
mod error;
mod exchange;
mod groups;
pub mod key_limits;
mod me;
pub mod message;
mod near_miss;
mod oauth;
mod openapi;
mod query;
pub mod route;
pub mod router;
pub mod rule;
mod users;

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use scim::{Rule, ScimError, resource};
use tokio::time::Instant;

use crate::config::{ACTIVATION_VARIABLE, Clock, Config};
use crate::directory::access_token::DEFAULT_LIFETIME_MINUTES;
use crate::directory::api_key::days_until;
use crate::directory::{CompanyId, KeyId, USER, UserId};
use crate::store::Store;
use crate::store::usage::measured;
use crate::telemetry::{RequestObserver, RequestRecord, Target};
pub use exchange::Exchange;

use accept::preferred;
use authentication::{AuthenticationCache, Caller, authenticate, token_of};
use bookmarks::PageBookmarks;
use computing::Computing;
use dispatch::{dispatch, nothing_at};
use error::not_in_time;
use exchange::Observations;
use key_limits::{Admission, KeyLimits};
use message::{BodySource, Request, Response};
use route::{Endpoint, Handler, Route, base_url};
use router::Match;

/// The cause of a request that panicked, in the log. The hook of panics has logged where.
const PANIC: &str = "a panic; the line before has its place";
/// Deadline of a request: its response comes before API Gateway's timeout of 30 s.
const DEADLINE: Duration = Duration::from_secs(25);

/// The service: everything a request needs, shared by all requests of a process.
pub struct Service {
    store: Store,
    config: Config,
    clock: Arc<dyn Clock>,
    authentication: AuthenticationCache,
    bookmarks: PageBookmarks,
    computing: Computing,
    handler: Handler,
    /// Limits of each API key in this process; `None` if something else limits them.
    key_limits: Option<KeyLimits>,
    /// Who receives the record of every request, beside the log.
    observer: Option<Arc<dyn RequestObserver>>,
    /// Whether no request has been handled yet.
    is_cold: AtomicBool,
}

/// The sender of a request, as far as it is known, for the log.
#[derive(Default)]
struct Sender {
    /// The key that the token names, also if it is refused.
    key: Option<KeyId>,
    /// The company, once the key is accepted.
    company: Option<CompanyId>,
    /// When the key expires, once it is accepted.
    key_expires: Option<Timestamp>,
    /// How long the body took to arrive, which is the sender's time and not the service's.
    sending: Duration,
}

/// An admitted request, on its way to an endpoint.
struct Admitted {
    route: &'static Route,
    /// The path segment for `{id}`.
    id: String,
    /// `None` on a public route.
    caller: Option<Caller>,
    now: Timestamp,
    /// The key's place among its requests, kept until the response.
    _admission: Option<Admission>,
}

/// The result of checking the head of a request.
enum Head {
    Admitted(Admitted),
    /// A path that takes these methods, for OPTIONS.
    Options(String),
}

impl Service {
    /// Returns a service on a store, for every endpoint.
    #[must_use]
    pub fn new(store: Store, config: Config, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            config,
            clock,
            authentication: AuthenticationCache::default(),
            bookmarks: PageBookmarks::default(),
            computing: Computing::default(),
            handler: Handler::Default,
            key_limits: None,
            observer: None,
            is_cold: AtomicBool::new(true),
        }
    }

    /// Returns the service for the endpoints of one handler. All others are unknown paths.
    #[must_use]
    pub fn only(self, handler: Handler) -> Self {
        Self { handler, ..self }
    }

    /// Returns the service with up to so many threads of its own for long computing; for a runtime of several threads.
    #[must_use]
    pub fn computing_aside(self, threads: usize) -> Self {
        Self {
            computing: Computing::aside(threads),
            ..self
        }
    }

    /// Returns the service with limits for each API key.
    #[must_use]
    pub fn limiting(self, limits: KeyLimits) -> Self {
        Self {
            key_limits: Some(limits),
            ..self
        }
    }

    /// Returns the service with an observer of every request.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn RequestObserver>) -> Self {
        Self {
            observer: Some(observer),
            ..self
        }
    }

    /// Handles a request. Every failure is a response too, and every response one line of the log.
    /// The body is read only if the route takes one and its caller may use it.
    pub async fn handle<B: BodySource>(&self, request: Request<B>) -> Response {
        let started = std::time::Instant::now();
        let matched = self.find(&request);
        let route = target(&request.method, &matched);
        let (request_id, is_head) = (request.id.clone(), request.method == Method::HEAD);
        let preferred_media_type = request.preferred_media_type();
        let mut sender = Sender::default();
        let endpoint = matched.endpoint();
        let observations = Observations::default();
        // On the heap: with every route in it, the future is too large to be passed around.
        let responding = Box::pin(self.respond(request, matched, &mut sender, &observations));
        let (result, usage) = measured(AssertUnwindSafe(responding).catch_unwind()).await;
        let result = result.unwrap_or_else(|_| Err(ScimError::internal(PANIC).into()));
        let taken = started.elapsed().saturating_sub(sender.sending);
        let error = result.as_ref().err().map(|refused| refused.error.as_ref());
        let now = self.clock.now();
        let key_expires = sender.key_expires.or(observations.key_expires.into_inner());
        let mut record = RequestRecord {
            request_id,
            route,
            company: sender.company.map(|company| company.to_string()),
            key: sender
                .key
                .or(observations.client.into_inner())
                .map(|key| key.to_string()),
            key_days_left: key_expires.map(|expires| days_until(expires, now)),
            undeclared: observations.undeclared.into_inner(),
            anonymised: ids(observations.anonymised),
            status: 0,
            scim_type: error.and_then(|error| Some(error.scim_type?.as_str())),
            rule: error.and_then(|error| Some(error.rule?.as_str())),
            attribute: error.and_then(|error| error.attribute.clone()),
            operation: error.and_then(|error| error.operation),
            cause: error.and_then(cause),
            timestamp: now.as_millisecond(),
            taken,
            calls: usage.calls,
            read_units: usage.read_units,
            write_units: usage.write_units,
            work: usage.work,
            is_cold: self.is_cold.swap(false, Ordering::Relaxed),
        };
        let mut response = match result {
            Ok(response) => response,
            Err(refused) => refused.response(endpoint),
        };
        response = response
            .negotiated(preferred_media_type)
            .with_key_expiry(key_expires);
        record.status = response.status.as_u16();
        self.report(&record);
        if is_head {
            response.body = None;
        }
        response
    }

    /// Returns the route of a request, for this handler.
    fn find<B>(&self, request: &Request<B>) -> Match {
        if router::is_base(&request.path) && query::path_within(&request.query).is_some() {
            return Match::Nothing;
        }
        match router::find(&request.method, &request.path) {
            Match::Route { route, .. } if !self.handler.serves(route.endpoint) => Match::Nothing,
            matched => matched,
        }
    }

    /// Refuses a request whose headers or method HTTP does not know. `accept` is its `Accept`, or empty.
    pub fn refuse_unreadable(&self, request_id: &str, accept: &str) -> Response {
        let error = ScimError::invalid_syntax(
            "The method or a header of the request is malformed; correct it and send the request again.",
        )
        .rule(rule::REQUEST_UNREADABLE);
        self.refuse(request_id, accept, &error)
    }

    /// Refuses a request that HTTP does not allow. `accept` is its `Accept`, or empty.
    pub fn refuse(&self, request_id: &str, accept: &str, error: &ScimError) -> Response {
        let record = RequestRecord {
            request_id: request_id.to_owned(),
            route: Target::Unreadable,
            status: error.status,
            scim_type: error.scim_type.map(|scim_type| scim_type.as_str()),
            rule: error.rule.map(Rule::as_str),
            timestamp: self.clock.now().as_millisecond(),
            is_cold: self.is_cold.swap(false, Ordering::Relaxed),
            ..RequestRecord::default()
        };
        self.report(&record);
        Response::error(error).negotiated(preferred(accept))
    }

    fn report(&self, record: &RequestRecord) {
        record.write();
        if let Some(observer) = &self.observer {
            observer.observe(record);
        }
    }

    /// Handles a request. Its body is read only after its head has been admitted.
    async fn respond<B: BodySource>(
        &self,
        request: Request<B>,
        matched: Match,
        sender: &mut Sender,
        observations: &Observations,
    ) -> Result<Response, Refused> {
        let deadline = Instant::now() + DEADLINE;
        let admitted = match in_time(deadline, self.admit(&request, matched, sender)).await? {
            Head::Admitted(admitted) => admitted,
            Head::Options(methods) => {
                return Ok(Response::empty(StatusCode::NO_CONTENT).allowing(&methods));
            }
        };
        let reading = Instant::now();
        let limit = admitted.route.endpoint.max_body_bytes();
        let request = request.with_body_read(limit).await;
        sender.sending = reading.elapsed();
        let acting = self.act(&request, admitted, observations);
        in_time(deadline + sender.sending, acting).await
    }

    /// Admits or refuses a request by its head, and records what is known of its sender.
    async fn admit<B>(
        &self,
        request: &Request<B>,
        matched: Match,
        sender: &mut Sender,
    ) -> Result<Head, Refused> {
        self.require_activation()?;
        let moment = self.clock.moment();
        let now = moment.wall;
        let is_public = match &matched {
            Match::Route { route, .. } => route.endpoint.is_public(),
            Match::OtherMethods { is_public, .. } => *is_public,
            Match::Nothing => false,
        };
        // A handler without a store can verify no key, and serves nothing that needs one.
        let caller = if is_public || !self.handler.needs_store() {
            None
        } else {
            let token = token_of(&request.headers)?;
            sender.key = Some(token.key_id());
            let caller = authenticate(&token, &self.store, &self.authentication, moment).await?;
            sender.company = Some(caller.company);
            sender.key_expires = caller.key_expires;
            Some(caller)
        };
        let admission = match (&self.key_limits, caller) {
            (Some(limits), Some(caller)) => Some(limits.admit(caller.key).await?),
            _ => None,
        };
        let (route, id) = match matched {
            Match::Route { route, id } => (route, id),
            Match::OtherMethods { methods, .. } if request.method == Method::OPTIONS => {
                return Ok(Head::Options(methods));
            }
            Match::OtherMethods { methods, .. } => {
                let refused = ScimError::method_not_allowed(format!(
                    "This path does not take {}; send {methods}.",
                    request.method
                ))
                .rule(rule::METHOD_NOT_ALLOWED);
                return Err(Refused {
                    allow: Some(methods),
                    ..refused.into()
                });
            }
            Match::Nothing => {
                return Err(nothing_at(request).into());
            }
        };
        let is_negotiated = route.endpoint.is_negotiated() && has_body_on_success(&request.method);
        if is_negotiated && request.preferred_media_type().is_none() {
            return Err(ScimError::not_acceptable()
                .rule(rule::NOT_ACCEPTABLE)
                .into());
        }
        Ok(Head::Admitted(Admitted {
            route,
            id,
            caller,
            now,
            _admission: admission,
        }))
    }

    /// Runs the endpoint of an admitted request.
    async fn act(
        &self,
        request: &Request,
        admitted: Admitted,
        observations: &Observations,
    ) -> Result<Response, Refused> {
        let origin = self.config.public_url.as_ref().unwrap_or(&request.origin);
        let (endpoint, caller) = (admitted.route.endpoint, admitted.caller);
        let exchange = Exchange {
            request,
            change_id: request.id.clone(),
            id: admitted.id,
            base_url: base_url(origin),
            now: admitted.now,
            store: &self.store,
            authentication: &self.authentication,
            bookmarks: &self.bookmarks,
            computing: &self.computing,
            documentation_uri: self.config.documentation_uri.as_deref(),
            access_token_lifetime: self.access_token_lifetime(),
            observations,
        };
        // RFC 7644 §3.11: every response says where the user really is.
        let location = caller
            .filter(|_| endpoint.handler() == Handler::Me)
            .map(|caller| resource::location(&exchange.base_url, &USER, &caller.owner.to_string()));
        let refused = |error| Refused {
            error: Box::new(error),
            allow: None,
            location: location.clone(),
        };
        let response = dispatch(endpoint, &exchange, caller)
            .await
            .map_err(refused)?;
        let is_sent = response.body.is_some() && request.method != Method::HEAD;
        if is_sent && endpoint.is_negotiated() && request.preferred_media_type().is_none() {
            return Err(refused(
                ScimError::not_acceptable().rule(rule::NOT_ACCEPTABLE),
            ));
        }
        Ok(response.located(location.as_deref()))
    }

    fn access_token_lifetime(&self) -> SignedDuration {
        // A handler has logged why its variable cannot be used; the program does not start.
        let minutes = self.config.access_token_minutes.as_ref();
        SignedDuration::from_mins(i64::from(*minutes.unwrap_or(&DEFAULT_LIFETIME_MINUTES)))
    }

    fn require_activation(&self) -> Result<(), ScimError> {
        if self.config.is_activated {
            Ok(())
        } else {
            Err(ScimError::forbidden(format!(
                "SCIM is not activated on this instance; ask its operator to set {ACTIVATION_VARIABLE}=True."
            ))
            .rule(rule::NOT_ACTIVATED))
        }
    }
}

/// Returns what a request was routed to, for the log.
fn target(method: &Method, matched: &Match) -> Target {
    match matched {
        Match::Route { route, .. } => Target::Route {
            method: match *method {
                // It is routed as GET.
                Method::HEAD => "HEAD",
                _ => route.method.as_str(),
            },
            path: route.path,
        },
        Match::OtherMethods { .. } => Target::OtherMethod,
        Match::Nothing => Target::UnknownPath,
    }
}

/// Returns whether every success of a method has a body. One that the client does not accept is then refused before
/// anything is written. DELETE never has one, and of GET a 304 has none.
fn has_body_on_success(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// Ends work at the deadline, with 503.
async fn in_time<T>(
    deadline: Instant,
    work: impl Future<Output = Result<T, Refused>>,
) -> Result<T, Refused> {
    let done = tokio::time::timeout_at(deadline, work).await;
    done.unwrap_or_else(|_| Err(not_in_time().into()))
}

/// An error, with the methods that the path takes, or the location of the resource.
struct Refused {
    error: Box<ScimError>,
    allow: Option<String>,
    location: Option<String>,
}

impl Refused {
    /// Returns the response of an endpoint, if the request has one.
    fn response(self, endpoint: Option<Endpoint>) -> Response {
        let response = match endpoint {
            Some(Endpoint::IssueToken) => oauth::refusal(&self.error),
            _ => Response::error(&self.error),
        };
        match self.allow {
            Some(methods) => response.allowing(&methods),
            None => response.located(self.location.as_deref()),
        }
    }
}

impl From<ScimError> for Refused {
    fn from(error: ScimError) -> Self {
        Self {
            error: Box::new(error),
            allow: None,
            location: None,
        }
    }
}

/// Returns why a request failed, for the log. The detail is left out: it may quote the request.
fn ids(users: Mutex<Vec<UserId>>) -> Vec<String> {
    let users = users.into_inner().unwrap_or_else(PoisonError::into_inner);
    users.iter().map(ToString::to_string).collect()
}

fn cause(error: &ScimError) -> Option<String> {
    let mut next: Option<&dyn std::error::Error> = Some(error.source.as_deref()?);
    let mut causes = Vec::new();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    Some(causes.join(": "))
}
