//! The console, asked as a browser asks it, on a clock that tests hold.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)]

mod access;
mod cost;
mod life;
mod lists;
mod strange;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use paradigm_scim::store::Store;
use test_support::counted::Counted;
use test_support::engine::Engine;
use test_support::raw::RawTable;
use test_support::world::{Client, World};

use super::{Commands, Console, DoctorRunner, Health, RecentRequests, Surroundings, needs_of};

const HOST: &str = "127.0.0.1:8081";

/// A console beside a service, on a table whose calls are counted.
struct Desk {
    world: World,
    table: Arc<Counted>,
    console: Console,
}

/// What came back.
struct Response {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Desk {
    async fn new() -> Self {
        Self::on(Engine::InMemory).await
    }

    async fn on(engine: Engine) -> Self {
        let table = Arc::new(Counted::new(engine.table().await));
        let store = Store::on(Arc::<Counted>::clone(&table));
        let world = World::on(store.clone());
        let requests = Arc::new(RecentRequests::default());
        let surroundings = Surroundings {
            commands: Commands::in_memory(),
            base_url: "https://scim.example.com/scim/v2".to_owned(),
            requests: Some(Arc::clone(&requests)),
            health: Health {
                needs: needs_of(store.clone()),
                doctor: Some(Arc::new(DoctorRunner::new(
                    "http://127.0.0.1:1/".to_owned(),
                    None,
                ))),
                check_report: None,
            },
            store,
        };
        let clock = Arc::new(world.clock.clone());
        let console = Console::new(HOST.parse().unwrap(), clock, surroundings);
        let World {
            service,
            store,
            clock,
        } = world;
        let service = service.observed_by(requests);
        let world = World {
            service,
            store,
            clock,
        };
        Self {
            world,
            table,
            console,
        }
    }

    fn raw(&self) -> RawTable {
        RawTable(Arc::<Counted>::clone(&self.table))
    }

    /// Sends a request with these headers and no others.
    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
        let response = self.console.handle(request.body(body).unwrap()).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Response {
            status: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// Opens the console by a new link, and returns the session's cookie.
    async fn open(&self) -> String {
        let response = self.follow(&self.console.new_link().unwrap()).await;
        assert_eq!(response.status, 303);
        response.cookie()
    }

    async fn follow(&self, link: &str) -> Response {
        let path = link.strip_prefix("http://127.0.0.1:8081").unwrap();
        self.send("GET", path, &[("host", HOST)], "").await
    }

    async fn get(&self, cookie: &str, path: &str) -> Response {
        self.send("GET", path, &[("host", HOST), ("cookie", cookie)], "")
            .await
    }

    /// Sends a form of the console.
    async fn post(&self, cookie: &str, path: &str, form: &str) -> Response {
        let headers = [
            ("host", HOST),
            ("cookie", cookie),
            ("origin", "null"),
            ("sec-fetch-site", "same-origin"),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        self.send("POST", path, &headers, form).await
    }

    /// Returns a page that must be there.
    #[track_caller]
    fn page(&self, cookie: &str, path: &str) -> impl Future<Output = String> {
        let caller = std::panic::Location::caller();
        async move {
            let response = self.get(cookie, path).await;
            assert_eq!(
                response.status, 200,
                "{path} at {caller}: {}",
                response.body
            );
            response.body
        }
    }
}

impl Response {
    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// Returns the cookie that was set, as the browser sends it.
    fn cookie(&self) -> String {
        let set = self.header("set-cookie");
        set.split(';').next().unwrap().to_owned()
    }
}

/// Returns the paths of all pages about a company and a user.
fn paths(client: &Client<'_>, user: &str) -> Vec<String> {
    let company = client.company;
    vec![
        "/".to_owned(),
        "/companies".to_owned(),
        format!("/companies/{company}"),
        format!("/companies/{company}/users"),
        format!("/companies/{company}/users/{user}"),
        format!("/companies/{company}/keys"),
        "/requests".to_owned(),
        "/requests?only=refused".to_owned(),
        "/health".to_owned(),
    ]
}
