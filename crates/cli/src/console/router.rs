//! From a request to its page: who may see it, where it is, and what every response has.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use maud::{Markup, html};
use paradigm_scim::directory::{CompanyId, KeyId, UserId};
use paradigm_scim::store::StoreError;
use tokio::time::timeout;

use super::access::{LinkUse, SESSION_LIFETIME, Secret};
use super::form::parameter;
use super::guard::{Intrusion, protect};
use super::page::{Page, PageError, outside};
use super::recent_requests::RequestFilter;
use super::{Console, companies, form, health, keys, overview, requests, user, users};
use crate::Failure;
use crate::operator_listener::Respond;

/// Paths of links begin so.
pub(super) const LINK_PATH: &str = "/open/";
/// Longest time that the reads of a page may take.
const DEADLINE: Duration = Duration::from_secs(25);

const STYLE: &str = include_str!("style.css");
const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

type Reply = Response<Full<Bytes>>;

/// A page, or something that a form does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Destination {
    Overview,
    Companies,
    Company(CompanyId),
    /// The users of a company, if only one is there.
    AnyUsers,
    Users(CompanyId),
    User(CompanyId, UserId),
    AnyKeys,
    Keys(CompanyId),
    Requests,
    Health,
    Leave,
}

impl Destination {
    fn find(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        Some(match segments.as_slice() {
            [""] => Self::Overview,
            ["companies"] => Self::Companies,
            ["companies", company] => Self::Company(CompanyId::parse(company)?),
            ["users"] => Self::AnyUsers,
            ["companies", company, "users"] => Self::Users(CompanyId::parse(company)?),
            ["companies", company, "users", user] => {
                Self::User(CompanyId::parse(company)?, UserId::parse(user)?)
            }
            ["keys"] => Self::AnyKeys,
            ["companies", company, "keys"] => Self::Keys(CompanyId::parse(company)?),
            ["requests"] => Self::Requests,
            ["health"] => Self::Health,
            ["leave"] => Self::Leave,
            _ => return None,
        })
    }

    /// Returns the methods that it takes.
    fn methods(self) -> &'static str {
        match self {
            Self::Users(_) | Self::Health => "GET, HEAD, POST",
            Self::Leave => "POST",
            _ => "GET, HEAD",
        }
    }
}

/// What a page's work leads to.
enum Shown {
    Page(Page),
    Redirect(String),
}

impl Respond for Console {
    async fn respond(&self, request: Request<Incoming>) -> Reply {
        self.handle(request).await
    }
}

impl Console {
    /// Handles a request.
    pub(super) async fn handle<B: Body<Error: Into<Failure>>>(&self, request: Request<B>) -> Reply {
        let mut reply = match self.before_pages(&request) {
            Some(reply) => reply,
            None => self.reply(request).await,
        };
        protect(reply.headers_mut());
        reply
    }

    /// Returns the response to a request that is not for the console, has no session, or uses a link.
    fn before_pages<B>(&self, request: &Request<B>) -> Option<Reply> {
        let (method, path) = (request.method(), request.uri().path());
        let checked = self.guard.check(method, request.uri(), request.headers());
        if let Err(intrusion) = checked {
            return Some(self.intrusion(intrusion));
        }
        if path == "/style.css" && matches!(*method, Method::GET | Method::HEAD) {
            return Some(text(StatusCode::OK, CSS, STYLE));
        }
        if let Some(secret) = path.strip_prefix(LINK_PATH) {
            return Some(match *method {
                Method::GET => self.open(secret),
                _ => method_not_allowed("GET"),
            });
        }
        let now = self.clock.moment();
        let mut cookies = self.cookies(request.headers());
        match cookies.any(|cookie| self.access.admits(cookie, now)) {
            true => None,
            false => Some(self.without_session()),
        }
    }

    async fn reply<B: Body<Error: Into<Failure>>>(&self, request: Request<B>) -> Reply {
        let Some(destination) = Destination::find(request.uri().path()) else {
            return refused(&PageError::NotFound);
        };
        let is_post = request.method() == Method::POST;
        let is_taken = destination
            .methods()
            .split(", ")
            .any(|taken| taken == request.method().as_str());
        if !is_taken {
            return method_not_allowed(destination.methods());
        }
        if destination == Destination::Leave {
            return self.leave(request.headers());
        }
        let work = async {
            match is_post {
                true => self.act(destination, request).await,
                false => {
                    self.show(destination, request.uri().query().unwrap_or_default())
                        .await
                }
            }
        };
        match timeout(DEADLINE, work).await {
            Ok(Ok(Shown::Page(page))) => html_page(StatusCode::OK, &page.document(&self.commands)),
            Ok(Ok(Shown::Redirect(path))) => redirect(&path),
            Ok(Err(error)) => refused(&error),
            Err(_) => refused(&PageError::Store(StoreError::Busy(
                "the page took too long".to_owned(),
            ))),
        }
    }

    /// Shows a page.
    async fn show(&self, destination: Destination, query: &str) -> Result<Shown, PageError> {
        let after = parameter(query, "after");
        let page = match destination {
            Destination::Overview => overview::page(self, id(after, CompanyId::parse)?).await?,
            Destination::Company(company) => overview::of_company(self, company).await?,
            Destination::Companies => companies::page(self, id(after, CompanyId::parse)?).await?,
            Destination::AnyUsers | Destination::AnyKeys => {
                if let Some(company) = companies::only(self).await? {
                    let list = if destination == Destination::AnyUsers {
                        "users"
                    } else {
                        "keys"
                    };
                    return Ok(Shown::Redirect(format!("/companies/{company}/{list}")));
                }
                return Ok(Shown::Redirect("/companies".to_owned()));
            }
            Destination::Users(company) => {
                users::page(self, company, id(after, UserId::parse)?).await?
            }
            Destination::User(company, user) => user::page(self, company, user).await?,
            Destination::Keys(company) => {
                keys::page(self, company, id(after, KeyId::parse)?).await?
            }
            Destination::Requests => {
                let before = id(parameter(query, "before"), |text| text.parse().ok())?;
                let filter = match parameter(query, "only").as_deref() {
                    Some("refused") => RequestFilter::Refused,
                    _ => RequestFilter::All,
                };
                requests::page(self, before, filter)
            }
            Destination::Health => health::page(self).await,
            Destination::Leave => return Err(PageError::NotFound),
        };
        Ok(Shown::Page(page))
    }

    /// Does what a form is for.
    async fn act<B: Body<Error: Into<Failure>>>(
        &self,
        destination: Destination,
        request: Request<B>,
    ) -> Result<Shown, PageError> {
        let form = form::read(request).await?;
        match destination {
            Destination::Users(company) => {
                let value = parameter(&form, "value").unwrap_or_default();
                users::find(self, company, &value).await.map(Shown::Page)
            }
            Destination::Health => {
                let doctor = self.health.doctor.as_ref().ok_or(PageError::NotFound)?;
                let doctor = std::sync::Arc::clone(doctor);
                let now = self.now();
                // It may take longer than this request.
                let running = tokio::spawn(async move { doctor.run(now).await });
                let _ = timeout(DEADLINE / 2, running).await;
                Ok(Shown::Redirect("/health".to_owned()))
            }
            _ => Err(PageError::NotFound),
        }
    }

    /// Uses a link.
    fn open(&self, secret: &str) -> Reply {
        let used = self.access.use_link(secret, self.clock.moment());
        let (title, words) = match used {
            Ok(LinkUse::Session(session)) => {
                tracing::info!("the console was opened");
                let mut reply = redirect("/");
                self.set_cookie(&mut reply, Some(&session));
                return reply;
            }
            Ok(LinkUse::Used) => {
                tracing::warn!("a link to the console was used again");
                (
                    "This link was used",
                    "A link works once. If it was not you who used it, end the program: somebody else on this machine can see the directory.",
                )
            }
            Ok(LinkUse::Expired) => ("This link has expired", "A link works for ten minutes."),
            Ok(LinkUse::Unknown) => ("This link does not work", "Perhaps there is a newer one."),
            Err(_) => ("No session can begin", "The system has no random numbers."),
        };
        let content = html! { p { (words) } (self.how_to_get_in()) };
        html_page(StatusCode::GONE, &outside(title, &content))
    }

    /// Ends the session.
    fn leave(&self, headers: &HeaderMap) -> Reply {
        for cookie in self.cookies(headers) {
            self.access.end(cookie);
        }
        let content = html! { p { "The session has ended." } (self.how_to_get_in()) };
        let mut reply = html_page(StatusCode::OK, &outside("Session ended", &content));
        self.set_cookie(&mut reply, None);
        reply
    }

    fn without_session(&self) -> Reply {
        let content = html! {
            p { "The console opens with a link, and stays open for 8 hours at most, or until it is not used for 30 minutes." }
            (self.how_to_get_in())
            p { "If you have just opened the link from another page: " a href="/" { "open the overview" } "." }
        };
        let title = "No session";
        html_page(StatusCode::UNAUTHORIZED, &outside(title, &content))
    }

    fn how_to_get_in(&self) -> Markup {
        html! {
            p { "The signal SIGUSR1 makes the program write a new link where it wrote the first:" }
            pre { code { "kill -USR1 " (std::process::id()) } }
        }
    }

    fn intrusion(&self, intrusion: Intrusion) -> Reply {
        match intrusion {
            Intrusion::Host => {
                let content = html! { p { "The console is at " code { (self.guard.origin()) } " and has no other name." } };
                let title = "Another host";
                html_page(StatusCode::MISDIRECTED_REQUEST, &outside(title, &content))
            }
            Intrusion::Origin => {
                let content = html! { p { "A page of another origin has sent this request." } };
                html_page(StatusCode::FORBIDDEN, &outside("Another origin", &content))
            }
        }
    }

    /// Returns the value of the session's cookie.
    fn cookies<'h>(&self, headers: &'h HeaderMap) -> impl Iterator<Item = &'h str> {
        let cookies = headers.get_all(COOKIE).iter();
        cookies
            .filter_map(|cookies| cookies.to_str().ok())
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| {
                let (name, value) = cookie.trim().split_once('=')?;
                (name == self.cookie).then_some(value)
            })
    }

    /// Sets the cookie of a session, or deletes it.
    fn set_cookie(&self, reply: &mut Reply, session: Option<&Secret>) {
        let (value, seconds) = match session {
            Some(session) => (session.as_str(), SESSION_LIFETIME.as_secs()),
            None => ("", 0),
        };
        let cookie = format!(
            "{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict",
            self.cookie
        );
        if let Ok(mut cookie) = HeaderValue::from_str(&cookie) {
            cookie.set_sensitive(true);
            reply.headers_mut().insert(SET_COOKIE, cookie);
        }
    }
}

/// Reads a parameter that may be absent.
fn id<T>(text: Option<String>, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, PageError> {
    match text {
        None => Ok(None),
        Some(text) => parse(&text).map(Some).ok_or(PageError::NotFound),
    }
}

fn refused(error: &PageError) -> Reply {
    let (status, title, words) = match error {
        PageError::NotFound => (
            StatusCode::NOT_FOUND,
            "Not found",
            "Nothing is here. Perhaps it was deleted.".to_owned(),
        ),
        PageError::Refused(why) => (StatusCode::BAD_REQUEST, "Not understood", (*why).to_owned()),
        PageError::Store(error @ StoreError::Busy(_)) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The store is busy",
            format!("{error}. Try again in a moment."),
        ),
        PageError::Store(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "The store failed",
            format!("{error}. If an item is damaged, the command check finds it."),
        ),
    };
    let content = html! { p { (words) } p { a href="/" { "Overview" } } };
    html_page(status, &outside(title, &content))
}

fn method_not_allowed(methods: &'static str) -> Reply {
    let mut reply = text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "");
    let methods = HeaderValue::from_static(methods);
    reply.headers_mut().insert(ALLOW, methods);
    reply
}

fn redirect(path: &str) -> Reply {
    let mut reply = text(StatusCode::SEE_OTHER, "text/plain", "");
    if let Ok(path) = HeaderValue::from_str(path) {
        reply.headers_mut().insert(LOCATION, path);
    }
    reply
}

fn html_page(status: StatusCode, document: &Markup) -> Reply {
    text(status, HTML, document.0.clone())
}

fn text(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    let media_type = HeaderValue::from_static(media_type);
    reply.headers_mut().insert(CONTENT_TYPE, media_type);
    reply
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_store_that_fails_is_a_page_that_says_so() {
        for (error, status, words) in [
            (StoreError::Busy("throttled".to_owned()), 503, "throttled"),
            (StoreError::Corrupt("document"), 500, "check"),
            (StoreError::Refused("no table".to_owned()), 500, "no table"),
        ] {
            let reply = refused(&PageError::Store(error));
            assert_eq!(reply.status().as_u16(), status);
            let page = reply.into_body().collect().await.unwrap().to_bytes();
            let page = String::from_utf8(page.to_vec()).unwrap();
            assert!(page.contains(words), "{words} in {page}");
        }
    }

    #[test]
    fn a_path_has_ids_and_nothing_else() {
        let id = "01890000-0000-7000-8000-000000000001";
        for (path, is_there) in [
            ("/", true),
            ("/companies", true),
            (&format!("/companies/{id}"), true),
            (&format!("/companies/{id}/users/{id}"), true),
            ("/companies/Acme", false),
            (&format!("/companies/{id}/users/ada@example.com"), false),
            ("/companies/", false),
            ("//", false),
            ("", false),
        ] {
            assert_eq!(Destination::find(path).is_some(), is_there, "{path}");
        }
    }
}
