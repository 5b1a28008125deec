//! A service on a store in memory, with a clock that tests hold.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_dynamodb::config::Builder;
use aws_smithy_runtime_api::client::http::{
    HttpClient as _, HttpConnector, SharedHttpConnector, http_client_fn,
};
use embedded::Embedded;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::{SignedDuration, Timestamp};
use paradigm_scim::api::Service;
use paradigm_scim::api::message::{Body, Request};
use paradigm_scim::aws::sdk_config;
use paradigm_scim::config::{Clock, Config, Moment};
use paradigm_scim::directory::{
    Actor, ApiKey, Company, CompanyId, CursorSecret, KeyId, Operation, Permission, Token, User,
    UserId,
};
use paradigm_scim::store::memory::Memory;
use paradigm_scim::store::usage::measured;
use paradigm_scim::store::{self, Next, Store, StoreError, UserChange};
use scim::resource::Document;
use scim::work::MAX_PATCH_WORK;
use serde_json::{Map, Value, json};
use uuid::Uuid;

pub use crate::fill::{fill, fill_with};
use crate::raw::RawTable;

pub const ORIGIN: &str = "https://scim.example.com";
pub const TABLE: &str = "test";

/// Returns a new store in memory.
pub fn in_memory() -> Store {
    Store::on(Arc::new(Memory::new()))
}

/// DynamoDB's own API, of an embedded database, for what no store does.
pub fn dynamodb(config: &SdkConfig) -> DynamoDb {
    DynamoDb::from_conf(Builder::from(config).allow_no_auth().build())
}

/// Returns a store on an embedded database whose requests pass through a connector of the test's.
pub async fn store_through<C: HttpConnector + 'static>(
    embedded: &Embedded,
    connector: impl Fn(SharedHttpConnector) -> C + Send + Sync + 'static,
) -> Store {
    let config = embedded.config();
    let client = config.http_client().unwrap();
    let through = http_client_fn(move |settings, components| {
        SharedHttpConnector::new(connector(client.http_connector(settings, components)))
    });
    let config = config.into_builder().http_client(through);
    let config = config.timeout_config(sdk_config::timeouts()).build();
    let store = Store::new(&config, TABLE);
    make_table(&config, TABLE).await;
    store
}

/// Makes a table on an embedded database, unless it is there.
pub async fn make_table(config: &SdkConfig, table: &str) {
    let engine = store::dynamodb::DynamoDb::new(config, table);
    engine.ensure_table().await.unwrap();
}

/// Clocks that stand still until they are moved.
#[derive(Clone)]
pub struct HeldClock(Arc<Mutex<Moment>>);

impl HeldClock {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Moment {
            wall: "2026-01-01T00:00:00Z".parse().unwrap(),
            monotonic: Duration::ZERO,
        })))
    }

    /// Moves both clocks, as time does.
    pub fn advance(&self, by: SignedDuration) {
        self.set_wall_clock(by);
        self.0.lock().unwrap().monotonic += by.unsigned_abs();
    }

    /// Moves the wall clock only, as when it is set, or while the process is paused.
    pub fn set_wall_clock(&self, by: SignedDuration) {
        self.0.lock().unwrap().wall += by;
    }
}

impl Clock for HeldClock {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap().wall
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().unwrap().monotonic
    }
}

/// The service and what it stands on.
pub struct World {
    pub service: Service,
    pub store: Store,
    pub clock: HeldClock,
}

impl World {
    /// Makes a service on a new store in memory: for all that is not about one engine.
    pub async fn new() -> Self {
        Self::on(in_memory())
    }

    /// Makes a service on a new store in memory, and returns the table of the store.
    pub fn with_table() -> (Self, RawTable) {
        let table = RawTable(Arc::new(Memory::new()));
        (Self::on(Store::on(Arc::clone(&table.0))), table)
    }

    pub fn on(store: Store) -> Self {
        Self::with_config(
            store,
            Config {
                is_activated: true,
                ..Config::default()
            },
        )
    }

    pub fn with_config(store: Store, config: Config) -> Self {
        let clock = HeldClock::new();
        Self {
            service: Service::new(store.clone(), config, Arc::new(clock.clone())),
            store,
            clock,
        }
    }

    /// Returns a new company with an administrator and a key.
    pub async fn client(&self) -> Client<'_> {
        let now = self.clock.now();
        let id = CompanyId::new(Uuid::now_v7());
        let mut secret = [0; 32];
        secret.copy_from_slice(&id.to_string().as_bytes()[4..]);
        let company = Company::new(id, "Company", CursorSecret(secret), now).unwrap();
        let change = self.operator(id, Operation::Create);
        self.store.create_company(&change, &company).await.unwrap();
        let administrator = self.user(id, "administrator@example.com").await;
        self.change(id, administrator, |user| {
            Next::Update(user.granted(Permission::UsersManage))
        })
        .await;
        let (key, token) = self.key(id, administrator, None).await;
        Client {
            world: self,
            company: id,
            administrator,
            key,
            token,
        }
    }

    async fn user(&self, company: CompanyId, user_name: &str) -> UserId {
        let members = Map::from_iter([("userName".to_owned(), user_name.into())]);
        let document = Document::from_validated(members);
        let user = User::new(UserId::new(Uuid::now_v7()), document, self.clock.now()).unwrap();
        let change = self.operator(company, Operation::Create);
        self.store.create_user(&change, &user).await.unwrap();
        user.id
    }

    pub async fn key(
        &self,
        company: CompanyId,
        owner: UserId,
        expires: Option<Timestamp>,
    ) -> (KeyId, String) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = KeyId::new(NEXT.fetch_add(1, Ordering::Relaxed));
        let mut secret = [9; 32];
        secret[..8].copy_from_slice(&id.number().to_be_bytes());
        let token = Token::new(id, &secret);
        let now = self.clock.now();
        let key = ApiKey::new(&token, "test", company, owner, expires, now).unwrap();
        self.change(company, owner, |owner| {
            let (owner, changes) = owner.with_key(&key, now).unwrap();
            Next::UpdateWithKeys(owner, changes)
        })
        .await;
        (id, token.reveal().to_string())
    }

    /// Changes a user as an operator does.
    pub async fn change<'k>(
        &self,
        company: CompanyId,
        user: UserId,
        decide: impl Fn(&User) -> Next<'k>,
    ) {
        let change = self.operator(company, Operation::Grant);
        self.store
            .change_user(&change, user, |user| Ok::<_, StoreError>(decide(user)))
            .await
            .unwrap()
            .unwrap();
    }

    pub fn operator(&self, company: CompanyId, operation: Operation) -> UserChange {
        UserChange {
            company,
            actor: Actor::Operator,
            operation,
            request_id: Uuid::now_v7().to_string(),
            now: self.clock.now(),
        }
    }

    /// Sends a request. It takes a tenth of the work that one request may take, unless it is meant to be
    /// heavy.
    pub async fn send(&self, call: Call) -> Response {
        let is_heavy = call.is_heavy;
        let request = call.into_request();
        let name = format!("{} {}", request.method, request.path);
        let (response, usage) = measured(self.service.handle(request)).await;
        assert!(
            is_heavy || usage.work <= MAX_PATCH_WORK / 10,
            "{name} takes {} of {MAX_PATCH_WORK}",
            usage.work
        );
        Response {
            status: response.status.as_u16(),
            headers: response.headers,
            body: response
                .body
                .map(|body| serde_json::from_slice(&body).expect("a JSON body")),
        }
    }
}

/// A company's provisioning client.
pub struct Client<'w> {
    pub world: &'w World,
    pub company: CompanyId,
    pub administrator: UserId,
    pub key: KeyId,
    pub token: String,
}

impl Client<'_> {
    pub async fn send(&self, call: Call) -> Response {
        self.world
            .send(call.header("authorization", &format!("Bearer {}", self.token)))
            .await
    }

    pub async fn get(&self, path: &str) -> Response {
        self.send(Call::new("GET", path)).await
    }

    pub async fn filter(&self, filter: &str) -> Response {
        self.send(Call::new("GET", "/Users").query(&encode(&[("filter", filter)])))
            .await
    }

    pub async fn post(&self, body: &Value) -> Response {
        self.send(Call::new("POST", "/Users").json(body)).await
    }

    pub async fn put(&self, id: &str, body: &Value) -> Response {
        self.send(Call::new("PUT", &format!("/Users/{id}")).json(body))
            .await
    }

    pub async fn patch(&self, id: &str, operations: &Value) -> Response {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations,
        });
        self.send(Call::new("PATCH", &format!("/Users/{id}")).json(&body))
            .await
    }

    pub async fn delete(&self, id: &str) -> Response {
        self.send(Call::new("DELETE", &format!("/Users/{id}")))
            .await
    }

    /// Creates a user and returns the id.
    #[track_caller]
    pub fn create(&self, body: &Value) -> impl Future<Output = String> {
        let caller = std::panic::Location::caller();
        async move {
            let response = self.post(body).await;
            assert_eq!(
                response.status, 201,
                "create at {caller}: {:?}",
                response.body
            );
            response.id()
        }
    }
}

/// Form-encodes parameters.
pub fn encode(parameters: &[(&str, &str)]) -> String {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect();
    pairs.join("&")
}

/// A request to make.
pub struct Call {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
    is_heavy: bool,
}

impl Call {
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.parse().unwrap(),
            path: format!("/scim/v2{path}"),
            query: String::new(),
            headers: HeaderMap::new(),
            body: Vec::new(),
            is_heavy: false,
        }
    }

    /// Returns a request that may take all the work there is.
    pub fn heavy(mut self) -> Self {
        self.is_heavy = true;
        self
    }

    pub fn query(mut self, query: &str) -> Self {
        self.query = query.to_owned();
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().unwrap();
        self.headers
            .entry(name)
            .or_insert(HeaderValue::from_str(value).unwrap());
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.body(body.to_string())
            .header("content-type", "application/scim+json")
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    fn into_request(self) -> Request {
        Request {
            id: Uuid::now_v7().to_string(),
            method: self.method,
            path: self.path,
            query: self.query,
            headers: self.headers,
            body: Body::Complete(self.body.into()),
            origin: ORIGIN.to_owned(),
        }
    }
}

/// What came back.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Option<Value>,
}

impl Response {
    #[track_caller]
    pub fn json(&self) -> &Value {
        self.body.as_ref().expect("a body")
    }

    #[track_caller]
    pub fn id(&self) -> String {
        self.json()["id"].as_str().expect("an id").to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[track_caller]
    pub fn assert_status(&self, status: u16) {
        assert_eq!(self.status, status, "{:?}", self.body);
    }

    /// Asserts a SCIM error in full form: status as a string, keyword, a sentence.
    #[track_caller]
    pub fn assert_error(&self, status: u16, scim_type: Option<&str>) {
        self.assert_status(status);
        let body = self.json();
        assert_eq!(
            body["schemas"],
            json!(["urn:ietf:params:scim:api:messages:2.0:Error"])
        );
        assert_eq!(body["status"], status.to_string());
        assert_eq!(
            body.get("scimType").and_then(Value::as_str),
            scim_type,
            "{body}"
        );
        assert!(
            body["detail"]
                .as_str()
                .is_some_and(|detail| detail.len() > 10)
        );
    }

    #[track_caller]
    pub fn total(&self) -> u64 {
        self.json()["totalResults"].as_u64().expect("totalResults")
    }

    /// Returns the userNames in a list, in order.
    #[track_caller]
    pub fn user_names(&self) -> Vec<&str> {
        self.json()["Resources"]
            .as_array()
            .expect("Resources")
            .iter()
            .map(|resource| resource["userName"].as_str().unwrap_or_default())
            .collect()
    }
}
