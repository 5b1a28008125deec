//! `simulate` and `doctor` with OAuth 2.0 client credentials.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::front::{self, Response};

use crate::command::run_json;
use crate::serve::{PROGRAM, Serve};

/// A server on a folder, and a key of its demo company with its secret in a file.
struct Instance {
    serve: Serve,
    folder: TempDir,
    key: String,
}

impl Instance {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().to_str().unwrap().to_owned();
        let serve = Serve::start(&["--data-dir", &data_dir], Some("True"));
        let owner = ["--company", "Demo", "--owner", "scim-admin@demo.invalid"];
        let key = ["key", "create", "--name", "k", "--expires", "180d"];
        let key = run_json(folder.path(), &[&key[..], &owner].concat());
        let secret = key["token"].as_str().unwrap();
        std::fs::write(folder.path().join("secret"), format!("{secret}\n")).unwrap();
        let key = key["id"].as_str().unwrap().to_owned();
        Self { serve, folder, key }
    }

    fn run(&self, command: &[&str]) -> (bool, String) {
        let url = ["--url", self.serve.base_url()];
        as_client(&[command, &url].concat(), &self.key, self.folder.path())
    }
}

/// Runs a command as the client with this id. Returns whether it succeeded, and what it printed.
fn as_client(command: &[&str], id: &str, folder: &Path) -> (bool, String) {
    let output = Command::new(PROGRAM)
        .args(command)
        .args(["--client-id", id, "--client-secret-file"])
        .arg(folder.join("secret"))
        .env("NO_PROXY", "*")
        .env("SCIM_TOKEN", "not used")
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(printed).unwrap())
}

/// Returns the outcome of a check.
fn outcome<'r>(report: &'r Value, name: &str) -> &'r Value {
    let mut checks = report["checks"].as_array().unwrap().iter();
    let check = checks.find(|check| check["check"] == name);
    &check.unwrap_or_else(|| panic!("no {name} in {report:#}"))["outcome"]
}

const OF_CLIENTS: [&str; 4] = [
    "access token",
    "wrong secret",
    "wrong grant type",
    "altered token",
];

#[test]
fn providers_are_played_and_the_token_endpoint_is_checked() {
    let instance = Instance::start();
    for provider in ["entra", "okta"] {
        let (succeeded, printed) = instance.run(&["simulate", provider]);
        assert!(succeeded, "{printed}");
    }
    let (succeeded, printed) = instance.run(&["doctor", "--json"]);
    let report = serde_json::from_str(&printed).unwrap();
    assert!(succeeded, "{printed}");
    for check in OF_CLIENTS
        .iter()
        .chain(&["key", "key expiry", "key's owner"])
    {
        assert_eq!(*outcome(&report, check), "passed", "{check}: {printed}");
    }
    let secret = std::fs::read_to_string(instance.folder.path().join("secret")).unwrap();
    assert!(!printed.contains(secret.trim()) && !printed.contains("pscimat_"));
}

#[test]
fn a_revoked_key_gets_no_access_token() {
    let instance = Instance::start();
    let revoke = ["key", "revoke", &instance.key, "--company", "Demo"];
    run_json(instance.folder.path(), &revoke);
    let (succeeded, printed) = instance.run(&["doctor", "--json"]);
    assert!(!succeeded);
    // The reason of the failure follows.
    let mut values = serde_json::Deserializer::from_str(&printed).into_iter();
    let report = values.next().unwrap().unwrap();
    assert_eq!(*outcome(&report, "access token"), "failed");
    assert_eq!(*outcome(&report, "wrong secret"), "skipped");
    assert!(printed.contains("invalid_client"), "{printed}");
    let (succeeded, printed) = instance.run(&["simulate", "entra"]);
    assert!(!succeeded);
    assert!(printed.contains("invalid_client"), "{printed}");
}

/// Returns a folder with a secret.
fn with_secret() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "a secret of some length").unwrap();
    folder
}

/// Starts a server whose tokens live for so many seconds, and which refuses what `is_refused` says of the number of the
/// token. Returns its URL, the number of tokens that it has issued, and the tokens that were used.
fn issuing(
    seconds: u64,
    is_refused: fn(usize) -> bool,
) -> (String, Arc<AtomicUsize>, Arc<Mutex<Vec<String>>>) {
    let (issued, used) = (Arc::new(AtomicUsize::new(0)), Arc::default());
    let (counter, seen) = (Arc::clone(&issued), Arc::<Mutex<Vec<String>>>::clone(&used));
    let address = front::start(None, move |request| {
        if request.target == "/token" {
            let number = 1 + counter.fetch_add(1, Ordering::SeqCst);
            let token = json!({
                "access_token": format!("token-{number}"), "token_type": "bearer", "expires_in": seconds,
            });
            return Response::new(200, "application/json", &token.to_string())
                .with("cache-control", "no-store");
        }
        seen.lock().unwrap().push(request.token.clone());
        let number = request.token.trim_start_matches("token-").parse();
        let status = match number {
            Ok(number) if !is_refused(number) => 200,
            _ => 401,
        };
        Response::scim(
            status,
            &json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 0}),
        )
    });
    (format!("http://{address}"), issued, used)
}

/// Plays a provider against a server, as far as it gets.
fn simulate(url: &str) {
    let folder = with_secret();
    let token_url = format!("{url}/token");
    let command = ["simulate", "authentik", "--url", url];
    let token_url = ["--token-url", &token_url];
    as_client(
        &[&command[..], &token_url].concat(),
        "client",
        folder.path(),
    );
}

#[test]
fn a_token_is_used_until_it_ends_and_then_another_one_is_requested() {
    let (url, issued, used) = issuing(3_600, |_| false);
    simulate(&url);
    assert!(used.lock().unwrap().len() > 1);
    assert_eq!(issued.load(Ordering::SeqCst), 1);

    // One that has ended at once is used once.
    let (url, issued, used) = issuing(0, |_| false);
    simulate(&url);
    let used = used.lock().unwrap();
    let of_clients: Vec<&String> = used.iter().filter(|token| *token != "wrong").collect();
    assert!(of_clients.len() > 1);
    assert_eq!(issued.load(Ordering::SeqCst), of_clients.len());

    // One that is refused before its end is replaced.
    let (url, issued, used) = issuing(3_600, |number| number == 1);
    simulate(&url);
    assert_eq!(issued.load(Ordering::SeqCst), 2);
    assert!(used.lock().unwrap().contains(&"token-2".to_owned()));
}

#[test]
fn a_secret_is_no_argument_and_crosses_no_network_in_clear_text() {
    let folder = with_secret();
    let doctor = ["doctor", "--url", "http://127.0.0.1:9/scim/v2"];
    let elsewhere = ["--token-url", "http://192.0.2.1/token"];
    let (succeeded, printed) = as_client(&[&doctor[..], &elsewhere].concat(), "c", folder.path());
    assert!(!succeeded);
    assert!(
        printed.contains("--token-url must begin with https"),
        "{printed}"
    );
    for arguments in [
        ["--client-id", "c"].as_slice(),
        &["--client-id", "c", "--client-secret", "marker"],
        &["--token-url", "http://127.0.0.1:9/token"],
    ] {
        let mut command = Command::new(PROGRAM);
        let output = command.args(doctor).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
