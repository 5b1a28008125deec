//! The console as operators start it: alone, and beside `serve`.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;
use test_support::http::send;
use test_support::marked::{MARKER, Marked, assert_nothing_personal};

use crate::command::{command, run, run_json};
use crate::serve::{PROGRAM, Serve, send_signal};

/// A session with a console.
struct Session {
    address: String,
    cookie: String,
}

struct Response {
    status: u16,
    head: String,
    body: String,
}

/// Sends a request with these headers and no others.
fn ask(address: &str, line: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let mut request = format!("{line} HTTP/1.1\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    let length = body.len();
    request.push_str(&format!("content-length: {length}\r\n\r\n{body}"));
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    Response {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

/// Returns address and path of the link in a file.
fn link_in(file: &Path) -> (String, String) {
    let link = fs::read_to_string(file).unwrap();
    let rest = link.trim_end().strip_prefix("http://").unwrap();
    let (address, path) = rest.split_once('/').unwrap();
    (address.to_owned(), format!("/{path}"))
}

impl Session {
    /// Opens a console by the link in a file.
    fn open(file: &Path) -> Self {
        let (address, path) = link_in(file);
        let opened = ask(&address, &format!("GET {path}"), &[("host", &address)], "");
        assert_eq!(opened.status, 303, "{}", opened.head);
        let cookie = opened.head.split("set-cookie: ").nth(1).unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self { address, cookie }
    }

    fn get(&self, path: &str) -> Response {
        let headers = [("host", self.address.as_str()), ("cookie", &self.cookie)];
        ask(&self.address, &format!("GET {path}"), &headers, "")
    }

    fn post(&self, path: &str, form: &str) -> Response {
        let origin = format!("http://{}", self.address);
        let headers = [
            ("host", self.address.as_str()),
            ("cookie", &self.cookie),
            ("origin", &origin),
        ];
        ask(&self.address, &format!("POST {path}"), &headers, form)
    }
}

/// A running `console`; ended when dropped.
struct Alone {
    process: Child,
    printed: String,
}

impl Alone {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let file = folder.join("link");
        let mut console = command(folder, &["console", "--listen", "127.0.0.1:0"]);
        console.arg("--link-file").arg(file).args(arguments);
        console.env_remove("SCIM_TOKEN");
        let mut process = console
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut printed = String::new();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        stdout.read_line(&mut printed).unwrap();
        Self { process, printed }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Makes a store with a company and a user, and returns the company's id.
fn store(folder: &Path) -> String {
    let company = run_json(folder, &["company", "create", "Acme"]);
    let company = company["id"].as_str().unwrap().to_owned();
    let user = ["user", "create", "ada@example.com", "--company", &company];
    run(folder, &user).unwrap();
    company
}

#[test]
fn the_link_goes_into_a_private_file_and_not_into_a_log() {
    let folder = tempfile::tempdir().unwrap();
    store(folder.path());
    let file = folder.path().join("link");
    // A file that anybody could read is replaced.
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let console = Alone::start(folder.path(), &[]);
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (address, path) = link_in(&file);
    let secret = path.strip_prefix("/open/").unwrap();
    assert_eq!(secret.len(), 64);
    assert!(!console.printed.contains(secret), "{}", console.printed);
    assert!(console.printed.contains(&address), "{}", console.printed);

    let overview = Session::open(&file).get("/");
    assert_eq!(overview.status, 200);
    assert!(overview.body.contains("Acme"), "{}", overview.body);
    let again = ask(&address, &format!("GET {path}"), &[("host", &address)], "");
    assert_eq!(again.status, 410);
}

#[test]
fn without_a_terminal_or_a_file_there_is_no_place_for_the_link() {
    let folder = tempfile::tempdir().unwrap();
    store(folder.path());
    let alone = run(folder.path(), &["console", "--listen", "127.0.0.1:0"]);
    assert!(alone.unwrap_err().contains("--link-file FILE"));
    let mut serve = Command::new(PROGRAM);
    serve.args([
        "serve",
        "--in-memory",
        "--listen",
        "127.0.0.1:0",
        "--console",
        "127.0.0.1:0",
    ]);
    let output = serve.output().unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("--console-link-file FILE"), "{error}");
}

#[test]
fn it_listens_on_this_machine_only() {
    let folder = tempfile::tempdir().unwrap();
    store(folder.path());
    let file = folder.path().join("link");
    let file = file.to_str().unwrap();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let refused = run(
            folder.path(),
            &["console", "--listen", address, "--link-file", file],
        );
        assert!(refused.unwrap_err().contains("SSH tunnel"), "{address}");
        let arguments = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--console",
            address,
            "--console-link-file",
            file,
        ];
        let refused = run(folder.path(), &arguments);
        assert!(refused.unwrap_err().contains("SSH tunnel"), "{address}");
    }
    assert!(!Path::new(file).exists());
}

#[test]
fn a_request_without_a_session_or_for_another_host_or_origin_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let company = store(folder.path());
    let _console = Alone::start(folder.path(), &[]);
    let session = Session::open(&folder.path().join("link"));
    let (address, cookie) = (session.address.as_str(), session.cookie.as_str());
    let users = format!("/companies/{company}/users");
    let (get, post) = (format!("GET {users}"), format!("POST {users}"));
    let port = address.split(':').nth(1).unwrap();
    let localhost = format!("localhost:{port}");
    let cookie = ("cookie", cookie);
    for (line, headers, status) in [
        (&get, &[("host", address)][..], 401),
        (&get, &[("host", address), cookie], 200),
        (&get, &[("host", &localhost), cookie], 421),
        (&get, &[("host", "evil.example"), cookie], 421),
        (&get, &[("host", "127.0.0.1"), cookie], 421),
        (&post, &[("host", address), cookie], 403),
        (
            &post,
            &[
                ("host", address),
                cookie,
                ("origin", "https://evil.example"),
            ],
            403,
        ),
        (
            &post,
            &[
                ("host", address),
                cookie,
                ("origin", "null"),
                ("sec-fetch-site", "same-origin"),
            ],
            200,
        ),
    ] {
        let response = ask(address, line, headers, "");
        assert_eq!(response.status, status, "{line} {headers:?}");
        assert!(response.head.contains("\r\ncache-control: no-store"));
        assert!(response.head.contains("\r\nreferrer-policy: no-referrer"));
        let is_shown = response.body.contains("ada@example.com");
        assert_eq!(is_shown, status == 200, "{line} {headers:?}");
    }
}

#[test]
fn signals_make_a_new_link_and_end_the_program() {
    let folder = tempfile::tempdir().unwrap();
    store(folder.path());
    let mut console = Alone::start(folder.path(), &[]);
    let file = folder.path().join("link");
    let first = Session::open(&file);
    let used = link_in(&file);
    send_signal(&console.process, "-USR1");
    while link_in(&file) == used {
        std::thread::yield_now();
    }
    assert_eq!(Session::open(&file).get("/").status, 200);
    assert_eq!(first.get("/").status, 200);
    send_signal(&console.process, "-TERM");
    assert!(console.process.wait().unwrap().success());
}

/// With everything that somebody could log set to the most.
#[test]
fn what_is_searched_and_shown_is_in_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let (log, file) = (folder.path().join("log"), folder.path().join("link"));
    let arguments = [
        "--in-memory",
        "--admin-listen",
        "127.0.0.1:0",
        "--console",
        "127.0.0.1:0",
        "--console-link-file",
        file.to_str().unwrap(),
    ];
    let serve = Serve::start_with(&arguments, Some("True"), |command| {
        command.env("SCIM_LOG", "trace");
        command.stderr(File::create(&log).unwrap());
    });
    let token = serve.token().to_owned();
    let create = Marked::create(&token);
    let url = format!("{}{}", serve.base_url(), create.path);
    let (status, user) = send(&url, "POST", &token, &create.body);
    assert_eq!(status, 201);
    assert_eq!(send(&url, "POST", &token, &create.body).0, 409);
    let secret = link_in(&file).1;
    let session = Session::open(&file);
    let users = session.get("/users");
    let users = users.head.split("location: ").nth(1).unwrap();
    let users = users.split("\r\n").next().unwrap().to_owned();
    let found = session.post(&users, &format!("value={MARKER}@example.com"));
    assert!(found.body.contains("1 user found"), "{}", found.body);
    let life = session.get(&format!("{users}/{}", user["id"].as_str().unwrap()));
    assert!(life.body.contains(MARKER) && life.body.contains("created"));
    let refused = session.get("/requests?only=refused");
    assert!(refused.body.contains("user-name-taken"), "{}", refused.body);
    assert!(!refused.body.contains(MARKER));
    let in_memory = session.get("/");
    assert!(in_memory.body.contains("commands cannot reach it"));

    let (status, printed) = serve.signal_and_read("-TERM");
    assert!(status.success());
    let log = fs::read_to_string(&log).unwrap() + &printed;
    assert_nothing_personal(&log, &token, "console");
    assert!(log.contains("the console was opened"), "{log}");
    for secret in [
        secret.trim_start_matches("/open/"),
        session.cookie.split('=').nth(1).unwrap(),
    ] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn health_has_what_the_instance_needs_what_doctor_says_and_what_check_found() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let folder = tempfile::tempdir().unwrap();
    store(folder.path());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (token, report) = (path("token"), path("report"));
    fs::write(&token, serve.token()).unwrap();
    let found = run(folder.path(), &["check", "--json"]).unwrap();
    fs::write(&report, found).unwrap();
    let arguments = [
        "--url",
        serve.base_url(),
        "--token-file",
        &token,
        "--check-report",
        &report,
    ];
    let _console = Alone::start(folder.path(), &arguments);
    let session = Session::open(&folder.path().join("link"));
    let health = session.get("/health").body;
    for part in [
        "reachable",
        "writable",
        "was not run",
        "consistent",
        "items of 1 companies with 1 users",
    ] {
        assert!(health.contains(part), "{part} in {health}");
    }
    assert_eq!(session.post("/health", "").status, 303);
    let health = session.get("/health").body;
    assert!(
        health.contains("test connection") && health.contains("passed"),
        "{health}"
    );
    assert!(!health.contains(serve.token()));

    let finding = json!({"fault": "unknown", "pk": "<b>", "sk": "x", "about": "the service writes no such item", "isRepaired": false});
    let damaged =
        json!({"items": 3, "companies": 1, "users": 1, "findings": [finding], "repaired": 0});
    fs::write(&report, damaged.to_string()).unwrap();
    let health = session.get("/health").body;
    assert!(
        health.contains("1 finding") && health.contains("&lt;b&gt;"),
        "{health}"
    );
    fs::write(&report, "nonsense").unwrap();
    assert!(session.get("/health").body.contains("no report of check"));
}

#[test]
fn a_command_on_a_page_leads_to_the_consoles_own_store() {
    let folder = tempfile::tempdir().unwrap();
    let company = store(folder.path());
    let _console = Alone::start(folder.path(), &[]);
    let session = Session::open(&folder.path().join("link"));
    let page = session.get("/companies").body;
    let suspend = page.split("paradigm-scim company suspend").nth(1).unwrap();
    let suspend = suspend.split('<').next().unwrap();
    let words: Vec<&str> = suspend.split_whitespace().collect();
    assert_eq!(words[0], company);
    let mut shown = Command::new(PROGRAM);
    shown.args(["company", "suspend"]).args(words);
    assert!(shown.output().unwrap().status.success());
    assert!(session.get("/").body.contains("company resume"));
}
