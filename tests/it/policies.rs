//! What the template lets each function do to the table, checked against what it does: nothing that its events
//! need is refused, and nothing is allowed that no event needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpClient as _, HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use conversation::differences;
use embedded::Embedded;
use lambda_http::{Context, LambdaEvent};
use paradigm_scim::api::Service;
use paradigm_scim::api::route::Handler;
use paradigm_scim::config::{Config, SystemClock};
use paradigm_scim::directory::{Permission as DirectoryPermission, User, UserId};
use paradigm_scim::lambda;
use paradigm_scim::store::{Next, Store};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use yaml_rust2::Yaml;

use crate::support::handlers::{Case, cases, readable};
use crate::support::template::template;
use test_support::data::assert_none;
use test_support::dynamodb::demo_file;
use test_support::world::{Call, Client, World};

const TABLE: &str = "paradigm-scim";

/// What a function of this release no longer needs, but that of the release before, which runs under the same role
/// during a deployment: program, action, pattern or attribute.
const KEPT_FOR_THE_RELEASE_BEFORE: &[(&str, &str, &str)] = &[];

/// Accesses by one action to the table, as IAM evaluates them.
#[derive(Debug, Clone, Default)]
struct Access {
    action: String,
    /// The index, if it is one.
    index: Option<String>,
    /// Partition keys.
    leading_keys: Vec<String>,
    /// Attributes that the request names: in keys, items and expressions, conditions included.
    attributes: BTreeSet<String>,
    return_values: Option<String>,
    /// The transaction that it is a part of.
    enclosing: Option<String>,
}

/// What a statement of a policy allows: one action on one resource, under conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Permission {
    action: String,
    index: Option<String>,
    /// Patterns of partition keys.
    patterns: Vec<String>,
    /// The only attributes that a request may name, if it may not name all.
    attributes: Option<Vec<String>>,
    return_values: Option<Vec<String>>,
    enclosing: Option<Vec<String>>,
}

impl Permission {
    fn allows(&self, access: &Access) -> bool {
        let matches_one = |key: &String| self.patterns.iter().any(|pattern| is_like(pattern, key));
        let is_listed = |list: &Option<Vec<String>>, value: &String| {
            list.as_ref().is_none_or(|list| list.contains(value))
        };
        // `StringEqualsIfExists` holds where the request has no such parameter, `ForAnyValue` does not.
        let returns = access.return_values.as_ref();
        let encloses = match (&self.enclosing, &access.enclosing) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(list), Some(enclosing)) => list.contains(enclosing),
        };
        self.action == access.action
            && self.index == access.index
            && access.leading_keys.iter().all(matches_one)
            && access
                .attributes
                .iter()
                .all(|name| is_listed(&self.attributes, name))
            && returns.is_none_or(|values| is_listed(&self.return_values, values))
            && encloses
    }

    /// Returns what it allows, pattern by pattern and attribute by attribute.
    fn grants(&self) -> impl Iterator<Item = Grant> {
        let patterns = self.patterns.iter().cloned().map(Granted::Keys);
        let attributes = self.attributes.iter().flatten().cloned();
        let granted = patterns.chain(attributes.map(Granted::Attribute));
        granted.map(|granted| Grant {
            action: self.action.clone(),
            index: self.index.clone(),
            enclosing: self.enclosing.clone(),
            granted,
        })
    }
}

/// One action on one resource, in some transaction or none, for keys of one pattern or one attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Grant {
    action: String,
    index: Option<String>,
    enclosing: Option<Vec<String>>,
    granted: Granted,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Granted {
    /// Keys of a pattern.
    Keys(String),
    /// An attribute, where not all are allowed.
    Attribute(String),
}

impl Granted {
    fn text(&self) -> &str {
        match self {
            Self::Keys(text) | Self::Attribute(text) => text,
        }
    }

    fn is_used_by(&self, access: &Access) -> bool {
        match self {
            Self::Keys(pattern) => access.leading_keys.iter().any(|key| is_like(pattern, key)),
            Self::Attribute(name) => access.attributes.contains(name),
        }
    }
}

/// `StringLike` of IAM: `*` is any text.
fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            text.char_indices()
                .map(|(index, _)| &text[index..])
                .chain([""])
                .any(|end| is_like(rest, end))
        }),
    }
}

fn texts(yaml: &Yaml) -> Vec<String> {
    match yaml {
        Yaml::Array(several) => several.iter().flat_map(texts).collect(),
        one => vec![one.as_str().unwrap().to_owned()],
    }
}

/// Returns what a managed policy allows on the table. Statements with a condition of the template
/// (`!If [condition, statement, none]`) are about other things.
fn permissions_of(policy: &Yaml) -> Vec<Permission> {
    let statements = &policy["Properties"]["PolicyDocument"]["Statement"];
    let mut permissions = Vec::new();
    for statement in statements.as_vec().unwrap() {
        if statement.as_hash().is_none() {
            let text = format!("{statement:?}");
            assert!(
                !text.contains("dynamodb:G") && !text.contains("Scan"),
                "{text}"
            );
            continue;
        }
        let conditions = conditions_of(statement);
        for action in texts(&statement["Action"]) {
            let Some(action) = action.strip_prefix("dynamodb:") else {
                continue;
            };
            assert!(action != "Scan" && !action.contains('*'), "{action}");
            // Beside each stands the same of a restored table.
            let resources = texts(&statement["Resource"]);
            for resource in resources.iter().filter(|name| name.contains("Table.Arn")) {
                let index = match resource.as_str() {
                    "Table.Arn" => None,
                    other => Some(
                        other
                            .strip_prefix("${Table.Arn}/index/")
                            .unwrap()
                            .to_owned(),
                    ),
                };
                permissions.push(Permission {
                    action: action.to_owned(),
                    index,
                    ..conditions.clone()
                });
            }
        }
    }
    permissions
}

/// Returns the conditions of a statement, as a permission without action and resource. One that this does not know
/// fails.
fn conditions_of(statement: &Yaml) -> Permission {
    let mut conditions = Permission::default();
    let operators = statement["Condition"].as_hash().into_iter().flatten();
    for (operator, keys) in operators {
        for (key, values) in keys.as_hash().unwrap() {
            let values = texts(values);
            match (operator.as_str().unwrap(), key.as_str().unwrap()) {
                ("ForAllValues:StringLike", "dynamodb:LeadingKeys") => conditions.patterns = values,
                ("ForAllValues:StringEquals", "dynamodb:Attributes") => {
                    conditions.attributes = Some(values);
                }
                ("StringEqualsIfExists", "dynamodb:ReturnValues") => {
                    conditions.return_values = Some(values);
                }
                ("ForAnyValue:StringEquals", "dynamodb:EnclosingOperation") => {
                    conditions.enclosing = Some(values);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    conditions
}

/// Returns what each function is allowed, by the name of its program.
fn permissions() -> BTreeMap<String, BTreeSet<Permission>> {
    let template = template();
    let resources = &template["Resources"];
    let mut allowed = BTreeMap::new();
    for function in resources.as_hash().unwrap().values() {
        if function["Type"].as_str() != Some("AWS::Serverless::Function") {
            continue;
        }
        let properties = &function["Properties"];
        assert!(
            properties["Policies"].is_badvalue(),
            "policies are in roles"
        );
        let role = properties["Role"]
            .as_str()
            .unwrap()
            .strip_suffix(".Arn")
            .unwrap();
        let policies = texts(&resources[role]["Properties"]["ManagedPolicyArns"]);
        let permissions = policies
            .iter()
            .flat_map(|name| permissions_of(&resources[name.as_str()]));
        let binary = function["Metadata"]["BuildProperties"]["Binary"]
            .as_str()
            .unwrap();
        allowed.insert(binary.to_owned(), permissions.collect());
    }
    allowed
}

/// Returns the names of attributes in a request, or in a part of a transaction.
fn attributes_of(part: &Value) -> BTreeSet<String> {
    let keys = ["Key", "Item"].map(|name| part[name].as_object());
    let mut names: BTreeSet<String> = keys
        .into_iter()
        .flatten()
        .flat_map(|members| members.keys().cloned())
        .collect();
    let placeholders = part["ExpressionAttributeNames"].as_object();
    names.extend(placeholders.into_iter().flatten().map(|(_, name)| {
        let name = name.as_str().unwrap();
        name.to_owned()
    }));
    // Names that an expression has without a placeholder.
    for expression in ["UpdateExpression", "ConditionExpression"] {
        let text = part[expression].as_str().unwrap_or_default();
        let words = text.split([' ', ',', '(', ')', '=', '<', '>', '+', '-']);
        let is_name = |word: &&str| {
            let is_function = word.starts_with("attribute_") || *word == "if_not_exists";
            !is_function && word.chars().any(char::is_lowercase) && !word.starts_with([':', '#'])
        };
        names.extend(words.filter(is_name).map(str::to_owned));
    }
    names
}

/// Returns what a request to DynamoDB accesses. Whether the parts of a transaction are evaluated one by one or, by the
/// same action, together is not documented; together is the stricter, because one statement must then allow them all.
fn accesses(operation: &str, body: &Value) -> Vec<Access> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let access = |action: &str, keys: Vec<&Value>| Access {
        action: action.to_owned(),
        leading_keys: keys
            .into_iter()
            .map(|key| key["S"].as_str().unwrap().to_owned())
            .collect(),
        attributes: attributes_of(body),
        return_values: text(&body["ReturnValues"]),
        ..Access::default()
    };
    match operation {
        "GetItem" | "UpdateItem" | "DeleteItem" => {
            vec![access(operation, vec![&body["Key"]["PK"]])]
        }
        "PutItem" => vec![access(operation, vec![&body["Item"]["PK"]])],
        "BatchGetItem" => {
            let keys = body["RequestItems"][TABLE]["Keys"].as_array().unwrap();
            let keys = keys.iter().map(|key| &key["PK"]).collect();
            vec![access(operation, keys)]
        }
        "Query" => {
            let condition = body["KeyConditionExpression"].as_str().unwrap();
            let (_, rest) = condition.split_once(" = ").unwrap();
            let partition = rest.split(' ').next().unwrap();
            let key = &body["ExpressionAttributeValues"][partition];
            let access = access(operation, vec![key]);
            let index = text(&body["IndexName"]);
            vec![Access { index, ..access }]
        }
        "TransactWriteItems" => {
            let mut by_action = BTreeMap::<&str, Access>::new();
            let parts = body["TransactItems"].as_array().unwrap().iter();
            for (kind, part) in parts.flat_map(|part| part.as_object().unwrap()) {
                let (action, key) = match kind.as_str() {
                    "Put" => ("PutItem", &part["Item"]),
                    "Update" => ("UpdateItem", &part["Key"]),
                    "Delete" => ("DeleteItem", &part["Key"]),
                    "ConditionCheck" => ("ConditionCheckItem", &part["Key"]),
                    other => panic!("{other}"),
                };
                let new = || Access {
                    enclosing: Some(operation.to_owned()),
                    ..access(action, Vec::new())
                };
                let access = by_action.entry(action).or_insert_with(new);
                let key = key["PK"]["S"].as_str().unwrap();
                access.leading_keys.push(key.to_owned());
                access.attributes.extend(attributes_of(part));
            }
            by_action.into_values().collect()
        }
        other => vec![access(other, Vec::new())],
    }
}

/// DynamoDB behind the policies of one function.
#[derive(Debug)]
struct Guarded {
    inner: SharedHttpConnector,
    allowed: BTreeSet<Permission>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    used: BTreeSet<Grant>,
    refused: Vec<String>,
}

impl HttpConnector for Guarded {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default();
        let body = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let mut seen = self.seen.lock().unwrap();
        for access in accesses(operation, &body) {
            match self
                .allowed
                .iter()
                .find(|permission| permission.allows(&access))
            {
                Some(permission) => {
                    let needed = permission
                        .grants()
                        .filter(|grant| grant.granted.is_used_by(&access));
                    seen.used.extend(needed);
                }
                None => {
                    seen.refused.push(format!("{access:?}"));
                    let denied =
                        r#"{"__type":"com.amazonaws.dynamodb.v20120810#AccessDeniedException"}"#;
                    let status = 400_u16.try_into().unwrap();
                    let response = HttpResponse::new(status, SdkBody::from(denied));
                    return HttpConnectorFuture::ready(Ok(response));
                }
            }
        }
        self.inner.call(request)
    }
}

/// Returns a store that may do only so much, and what it does.
fn guarded(embedded: &Embedded, allowed: &BTreeSet<Permission>) -> (Store, Arc<Mutex<Seen>>) {
    let config = embedded.config();
    let client = config.http_client().unwrap();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let (guard, allowed) = (Arc::clone(&seen), allowed.clone());
    let guarded = http_client_fn(move |settings, components| {
        SharedHttpConnector::new(Guarded {
            inner: client.http_connector(settings, components),
            allowed: allowed.clone(),
            seen: Arc::clone(&guard),
        })
    });
    let config = config.into_builder().http_client(guarded).build();
    (Store::new(&config, TABLE), seen)
}

/// Runs events through a handler that is allowed only so much; what it used, and what went wrong.
async fn run(
    handler: Handler,
    allowed: &BTreeSet<Permission>,
    events: &[&Case],
) -> (BTreeSet<Grant>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let embedded = demo_file(&folder.path().join("paradigm-scim.sqlite")).await;
    let (store, seen) = guarded(&embedded, allowed);
    if handler.needs_store() {
        store.connect().await;
    }
    let config = Config {
        is_activated: true,
        ..Config::default()
    };
    let service = Service::new(store, config, Arc::new(SystemClock)).only(handler);
    let mut wrong = Vec::new();
    for case in events {
        let event = LambdaEvent::new(to_raw_value(&case.event).unwrap(), Context::default());
        let response = lambda::respond(&service, event).await;
        let response = readable(&serde_json::to_value(&response).unwrap());
        let found = differences(&case.expected, &response).into_iter();
        wrong.extend(found.map(|found| format!("{}: {found}", case.name)));
    }
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let refused = seen
        .refused
        .iter()
        .map(|access| format!("refused {access}"));
    wrong.extend(refused);
    (seen.used, wrong)
}

#[tokio::test]
async fn each_function_may_do_what_its_events_need_and_nothing_else() {
    let permissions = permissions();
    let cases = cases();
    let mut failures = Vec::new();
    for handler in Handler::ALL {
        let name = handler.binary();
        let allowed = &permissions[name];
        // Events that the gateway gives to `default` are of any route.
        let of_any_route = handler == Handler::Default;
        let events = cases.iter().filter(|case| case.handler == name);
        let (mut used, wrong) = run(handler, allowed, &events.collect::<Vec<_>>()).await;
        failures.extend(wrong.into_iter().map(|wrong| format!("{name}: {wrong}")));
        if of_any_route {
            for other in Handler::ALL {
                let events = cases.iter().filter(|case| case.handler == other.binary());
                let (also, wrong) = run(handler, allowed, &events.collect::<Vec<_>>()).await;
                used.extend(also);
                failures.extend(wrong.into_iter().map(|wrong| format!("{name}: {wrong}")));
            }
        }
        if DELETING.contains(&handler) {
            let seen = delete_owner(handler, allowed).await;
            used.extend(seen.used);
        }
        let granted: BTreeSet<Grant> = allowed.iter().flat_map(Permission::grants).collect();
        // Shown by --nocapture.
        for Grant {
            action,
            index,
            enclosing,
            granted,
        } in &granted
        {
            let index = index.as_deref().unwrap_or("-");
            println!("{name:<24} {action:<14} {index:<10} {enclosing:?} {granted:?}");
        }
        let is_kept = |grant: &Grant| {
            KEPT_FOR_THE_RELEASE_BEFORE.contains(&(name, &grant.action, grant.granted.text()))
        };
        let unused = granted.difference(&used).filter(|grant| !is_kept(grant));
        failures.extend(unused.map(|grant| format!("{name} never needs {grant:?}")));
    }
    assert_none(&failures);
}

/// The handlers that delete users.
const DELETING: [Handler; 3] = [Handler::DeleteUser, Handler::Bulk, Handler::Default];

/// Deletes a user who owns a key through a handler that is allowed only so much.
async fn delete_owner(handler: Handler, allowed: &BTreeSet<Permission>) -> Seen {
    let embedded = Embedded::in_memory().unwrap();
    let world = World::on(embedded.store(TABLE).await.unwrap());
    let client = world.client().await;
    let id = client.create(&json!({"userName": "ada@example.com"})).await;
    let owner = UserId::parse(&id).unwrap();
    let grant = |user: &User| Next::Update(user.granted(DirectoryPermission::UsersManage));
    world.change(client.company, owner, grant).await;
    world.key(client.company, owner, None).await;

    let (store, seen) = guarded(&embedded, allowed);
    let config = Config {
        is_activated: true,
        ..Config::default()
    };
    let service = Service::new(store.clone(), config, Arc::new(world.clock.clone()));
    let guarded = World {
        service: service.only(handler),
        store,
        clock: world.clock.clone(),
    };
    let client = Client {
        world: &guarded,
        ..client
    };
    match handler {
        Handler::Bulk => {
            let delete = json!({"method": "DELETE", "path": format!("/Users/{id}")});
            let bulk = json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
                "Operations": [delete],
            });
            let response = client.send(Call::new("POST", "/Bulk").json(&bulk)).await;
            assert_eq!(response.json()["Operations"][0]["status"], "204");
        }
        _ => client.delete(&id).await.assert_status(204),
    }
    let keys = world.store.api_keys(client.company).await.unwrap();
    let revoked: Vec<UserId> = keys
        .iter()
        .filter(|key| key.revoked.is_some())
        .map(|key| key.owner)
        .collect();
    assert_eq!(revoked, [owner]);
    std::mem::take(&mut *seen.lock().unwrap())
}

#[tokio::test]
async fn a_user_who_owns_keys_can_be_deleted_by_every_function_that_deletes() {
    let permissions = permissions();
    for handler in DELETING {
        let seen = delete_owner(handler, &permissions[handler.binary()]).await;
        assert_none(&seen.refused);
    }
}

/// Returns an update of one item, as a handler would send it by itself.
fn update(pk: &str, attributes: &[&str]) -> Access {
    let attributes = ["PK", "SK"].iter().chain(attributes);
    Access {
        action: "UpdateItem".to_owned(),
        leading_keys: vec![pk.to_owned()],
        attributes: attributes.map(|name| (*name).to_owned()).collect(),
        ..Access::default()
    }
}

#[test]
fn what_a_function_has_no_need_to_update_is_refused() {
    let in_transaction = |access: Access| Access {
        enclosing: Some("TransactWriteItems".to_owned()),
        ..access
    };
    let returning = |access: Access, values: &str| Access {
        return_values: Some(values.to_owned()),
        ..access
    };
    let (key, count, scans) = ("KEY#1", "COMPANY#1#COUNT", "COMPANY#1#SCANS");
    let used = update(key, &["lastUsed"]);
    let drawn = update(scans, &["units", "ttl"]);
    let counted = in_transaction(update(count, &["users"]));
    let revoked = in_transaction(update(key, &["revoked", "name", "secretHash", "publicKey"]));
    let finding = [Handler::ListUsers, Handler::Search, Handler::Default];
    let permissions = permissions();
    let mut wrong = Vec::new();
    for handler in Handler::ALL {
        // The token endpoint reads keys, and nothing else.
        let authenticates = handler.needs_store() && handler != Handler::IssueToken;
        let deletes = DELETING.contains(&handler);
        let counts = deletes || handler == Handler::CreateUser;
        let finds = finding.contains(&handler);
        let allowed = &permissions[handler.binary()];
        let both = Access {
            leading_keys: vec![count.to_owned(), key.to_owned()],
            attributes: &counted.attributes | &revoked.attributes,
            ..counted.clone()
        };
        for (about, access, is_allowed) in [
            ("the day of use", used.clone(), authenticates),
            (
                "returning nothing",
                returning(used.clone(), "NONE"),
                authenticates,
            ),
            (
                "returning the key",
                returning(used.clone(), "ALL_OLD"),
                false,
            ),
            (
                "a condition on revoked",
                update(key, &["lastUsed", "revoked"]),
                false,
            ),
            ("a secret", update(key, &["secretHash"]), false),
            ("a public key", update(key, &["publicKey"]), false),
            ("another owner", update(key, &["owner"]), false),
            ("another company", update(key, &["company"]), false),
            ("no expiry", update(key, &["expires"]), false),
            ("revocation by itself", update(key, &["revoked"]), false),
            ("revocation", revoked.clone(), deletes),
            (
                "an owner in a transaction",
                in_transaction(update(key, &["owner"])),
                false,
            ),
            ("counting", counted.clone(), counts),
            ("counting by itself", update(count, &["users"]), false),
            ("counting and revocation", both, deletes),
            ("the scan budget", drawn.clone(), finds),
            ("what else the budget has", update(scans, &["owner"]), false),
            (
                "the budget, returned",
                returning(drawn.clone(), "UPDATED_NEW"),
                false,
            ),
            ("a user", update("COMPANY#1#USER#2", &["document"]), false),
            (
                "a user as a budget",
                update("COMPANY#1#USER#2", &["units"]),
                false,
            ),
        ] {
            let actual = allowed.iter().any(|permission| permission.allows(&access));
            if actual != is_allowed {
                wrong.push(format!(
                    "{}: {about} is allowed: {actual}",
                    handler.binary()
                ));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn patterns_match_as_iam_does() {
    assert!(is_like("COMPANY#*#COUNT", "COMPANY#1#COUNT"));
    assert!(is_like("KEY#*", "KEY#"));
    assert!(!is_like("COMPANY#*#COUNT", "COMPANY#1#USER#2"));
    assert!(!is_like("KEY#*", "COMPANY#1"));
}
