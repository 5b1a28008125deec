//! The program as its users run it: `serve` and the commands, on one store.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::command::{command, run, run_json};
use crate::serve::{PROGRAM, Serve, send_signal};

/// Some clients and test suites read the first listed user and need name and email there.
#[test]
fn the_first_listed_user_of_the_demo_has_a_name_and_an_email() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let (_, listed) = serve.get("/Users?startIndex=1&count=1", serve.token());
    let first = &listed["Resources"][0];
    assert_eq!(first["displayName"], "Demo Administrator");
    assert_eq!(
        first["name"],
        json!({"givenName": "Demo", "familyName": "Administrator"})
    );
    assert_eq!(first["emails"][0]["value"], first["userName"]);
}

#[test]
fn a_restart_loses_nothing_and_shows_no_secret_again() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = ["--data-dir", folder.path().to_str().unwrap()];
    let first = Serve::start(&data_dir, Some("True"));
    let token = first.token().to_owned();
    let user = json!({"userName": "kept@example.com"});
    let (status, created) = first.send("POST", "/Users", &token, &user);
    assert_eq!(status, 201);
    assert!(first.signal("-TERM").success());

    let second = Serve::start(&data_dir, Some("True"));
    assert_eq!(second.line("Secret token: "), None);
    assert!(second.lines[1].contains("key create"), "{:?}", second.lines);
    let path = format!("/Users/{}", created["id"].as_str().unwrap());
    let (status, found) = second.get(&path, &token);
    assert_eq!((status, &found["userName"]), (200, &created["userName"]));
    assert!(second.signal("-INT").success());
}

/// The responses that a writer got before the server was killed: users that are there, with their titles, and deleted
/// users.
#[derive(Default)]
struct Acknowledged {
    titles: Vec<(String, String)>,
    deleted: Vec<String>,
}

/// Creates, changes and deletes users until the server is there no more.
fn write_until_killed(url: &str, token: &str, writer: usize, done: &AtomicUsize) -> Acknowledged {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let send = |method: &str, path: &str, body: &Value| -> Option<(u16, Value)> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{url}{path}"))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/scim+json")
            .body(body.to_string())
            .unwrap();
        let mut response = agent.run(request).ok()?;
        let text = response.body_mut().read_to_string().ok()?;
        done.fetch_add(1, Ordering::Relaxed);
        Some((
            response.status().as_u16(),
            serde_json::from_str(&text).unwrap_or_default(),
        ))
    };
    let mut acknowledged = Acknowledged::default();
    for number in 0.. {
        let user = json!({"userName": format!("u{writer}-{number}"), "externalId": "shared"});
        let Some((201, created)) = send("POST", "/Users", &user) else {
            return acknowledged;
        };
        let id = created["id"].as_str().unwrap().to_owned();
        let path = format!("/Users/{id}");
        let title = format!("T{number}");
        let patch = json!({"Operations": [{"op": "replace", "path": "title", "value": title}]});
        let Some((200, _)) = send("PATCH", &path, &patch) else {
            return acknowledged;
        };
        if number % 3 == 0 {
            match send("DELETE", &path, &Value::Null) {
                Some((204, _)) => acknowledged.deleted.push(id),
                _ => return acknowledged,
            }
        } else {
            acknowledged.titles.push((id, title));
        }
    }
    acknowledged
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = ["--data-dir", folder.path().to_str().unwrap()];
    let first = Serve::start(&data_dir, Some("True"));
    let (url, token) = (first.base_url().to_owned(), first.token().to_owned());
    let done = AtomicUsize::new(0);
    let acknowledged = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let (url, token, done) = (&url, &token, &done);
                scope.spawn(move || write_until_killed(url, token, writer, done))
            })
            .collect();
        // In the middle of their writes.
        while done.load(Ordering::Relaxed) < 200 {
            assert!(
                !writers
                    .iter()
                    .all(std::thread::ScopedJoinHandle::is_finished)
            );
            std::thread::yield_now();
        }
        first.signal("-KILL");
        let ended = writers.into_iter().map(|writer| writer.join().unwrap());
        ended.collect::<Vec<Acknowledged>>()
    });
    let second = Serve::start(&data_dir, Some("True"));
    let mut changes = 0;
    for writer in acknowledged {
        for (id, title) in writer.titles {
            let (status, user) = second.get(&format!("/Users/{id}"), &token);
            assert_eq!((status, &user["title"]), (200, &json!(title)));
            changes += 1;
        }
        for id in writer.deleted {
            assert_eq!(second.get(&format!("/Users/{id}"), &token).0, 404);
            changes += 1;
        }
    }
    assert!(changes > 40, "{changes}");
    // And nothing is half-written.
    run(folder.path(), &["check"]).unwrap();
}

#[test]
fn in_memory_it_says_that_nothing_is_kept() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let (_, printed) = serve.signal_and_read("-TERM");
    assert!(printed.contains("lost when the program ends"), "{printed}");
}

#[test]
fn without_activation_every_request_is_refused() {
    let serve = Serve::start(&["--in-memory"], None);
    let token = serve.token().to_owned();
    let (status, body) = serve.get("/Users", &token);
    assert_eq!((status, &body["status"]), (403, &json!("403")));
}

#[test]
fn raw_quotes_and_spaces_in_the_query_are_understood() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let address = serve.base_url().strip_prefix("http://").unwrap();
    let (address, path) = address.split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    // Two requests on one connection, as clients that keep it open send them.
    for filter in [
        "userName+eq+\"SCIM-admin@demo.invalid\"",
        "userName eq \"scim-admin@demo.invalid\"",
    ] {
        let request = format!(
            "GET /{path}/Users?filter={filter} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {}\r\n\r\n",
            serve.token()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        while !response.ends_with("}]}") {
            let mut chunk = [0; 4096];
            let length = stream.read(&mut chunk).unwrap();
            assert_ne!(length, 0, "{response}");
            response.push_str(std::str::from_utf8(&chunk[..length]).unwrap());
        }
        assert!(response.starts_with("HTTP/1.1 200 OK"), "{response}");
        assert!(response.contains("\"totalResults\":1"), "{response}");
    }
}

#[test]
fn the_public_url_is_the_one_in_locations() {
    let arguments = [
        "--in-memory",
        "--public-url",
        "https://scim.example.com/scim/v2/",
    ];
    let serve = Serve::start(&arguments, Some("True"));
    let url = "https://scim.example.com/scim/v2/?aadOptscim062020";
    assert_eq!(serve.line("Tenant URL: "), Some(url));
}

/// Everybody can send these headers.
#[test]
fn only_trusted_proxies_say_where_locations_lead() {
    let trusted = ["--in-memory", "--trusted-proxies", "192.0.2.1,127.0.0.0/8"];
    let standard = ["--forwarded-headers", "forwarded"];
    for (arguments, location) in [
        (trusted[..1].to_vec(), "http://direct.example"),
        (
            ["--in-memory", "--trusted-proxies", "192.0.2.1"].to_vec(),
            "http://direct.example",
        ),
        (trusted.to_vec(), "https://proxied.example:8443"),
        (
            [&trusted[..], &standard].concat(),
            "http://standard.example",
        ),
    ] {
        let serve = Serve::start(&arguments, Some("True"));
        let token = serve.token();
        let mut stream = TcpStream::connect(serve.address()).unwrap();
        let request = format!(
            "GET /scim/v2/Me HTTP/1.1\r\nhost: direct.example\r\nx-forwarded-proto: https\r\nx-forwarded-host: proxied.example:8443\r\nforwarded: host=standard.example\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let expected = format!("\r\nlocation: {location}/scim/v2/Users/");
        assert!(response.contains(&expected), "{arguments:?}: {response}");
        for other in ["direct", "proxied", "standard"] {
            let is_there = response.contains(&format!("{other}.example"));
            assert_eq!(
                is_there,
                location.contains(other),
                "{arguments:?}: {response}"
            );
        }
    }
}

#[test]
fn it_listens_on_a_host_name() {
    let serve = Serve::start(&["--in-memory", "--listen", "localhost:0"], Some("True"));
    assert_eq!(serve.get("/Me", serve.token()).0, 200);
    for (listen, expected) in [
        ("localhost", "HOST:PORT"),
        ("nobody.invalid:0", "nobody.invalid"),
        ("0.0.0.0:0", "--allow-plain-http"),
    ] {
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--in-memory", "--listen", listen]);
        let output = command.env_remove("SCIM_PUBLIC_URL").output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{listen}");
        assert!(message.contains(expected), "{listen}: {message}");
    }
}

#[test]
fn operators_manage_companies_users_and_keys_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let serve = Serve::start(&["--data-dir", folder.to_str().unwrap()], Some("True"));
    let company = run_json(folder, &["company", "create", "Acme"]);
    let company_id = company["id"].as_str().unwrap();
    let companies = run_json(folder, &["company", "list"]);
    let names: Vec<&str> = companies
        .as_array()
        .unwrap()
        .iter()
        .map(|company| company["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Demo", "Acme"]);

    let acme = ["--company", "Acme"];
    let with = |arguments: &[&'static str]| [arguments, &acme].concat();
    let profile = [
        "--given-name",
        "Ada",
        "--family-name",
        "Lovelace",
        "--display-name",
        "Ada L.",
        "--email",
        "ada@acme.example",
    ];
    let create = [
        ["user", "create", "admin@acme.example"].as_slice(),
        &profile,
    ]
    .concat();
    run_json(folder, &with(&create));
    let shown = run_json(folder, &with(&["user", "show", "admin@acme.example"]));
    assert_eq!(
        shown["attributes"],
        json!({
            "userName": "admin@acme.example", "name": {"givenName": "Ada", "familyName": "Lovelace"}, "displayName": "Ada L.",
            "emails": [{"value": "ada@acme.example", "type": "work", "primary": true}], "active": true,
        })
    );
    let key = [
        "key",
        "create",
        "--owner",
        "admin@acme.example",
        "--name",
        "Entra",
        "--expires",
        "never",
    ];
    let refused = run(folder, &with(&key)).unwrap_err();
    assert!(refused.contains("users:manage"), "{refused}");
    let granted = run_json(folder, &with(&["user", "grant", "admin@acme.example"]));
    assert_eq!(granted["permissions"], json!(["users:manage"]));
    let key = run_json(folder, &with(&key));
    let token = key["token"].as_str().unwrap();
    assert_eq!(serve.get("/Users", token).0, 200);

    let user = json!({"userName": "ralf@acme.example"});
    let (_, created) = serve.send("POST", "/Users", token, &user);
    let path = format!("/Users/{}", created["id"].as_str().unwrap());
    let deleted = format!("{}ralf@acme.example", "a".repeat(32));
    let soft_delete =
        json!({"Operations": [{"op": "replace", "value": {"active": false, "userName": deleted}}]});
    assert_eq!(serve.send("PATCH", &path, token, &soft_delete).0, 200);
    let listed = run(folder, &with(&["user", "list"])).unwrap();
    assert!(listed.contains("softDeleted"), "{listed}");
    let deleted: &'static str = deleted.leak();
    let shown = run_json(folder, &with(&["user", "show", deleted]));
    assert_eq!(shown["restoredAs"], "ralf@acme.example");
    run_json(folder, &with(&["user", "restore", deleted]));
    let (_, restored) = serve.get(&path, token);
    assert_eq!(
        (&restored["userName"], &restored["active"]),
        (&json!("ralf@acme.example"), &json!(true))
    );

    let keys = run_json(folder, &["key", "list", "--company", company_id]);
    assert_eq!(keys[0]["name"], "Entra");
    assert!(keys[0].get("token").is_none());
    let key_id: &'static str = key["id"].as_str().unwrap().to_owned().leak();
    let rotate = [
        "key",
        "rotate",
        key_id,
        "--overlap",
        "1h",
        "--expires",
        "never",
    ];
    let rotated = run_json(folder, &with(&rotate));
    assert_eq!(rotated["name"], "Entra");
    for token in [token, rotated["token"].as_str().unwrap()] {
        assert_eq!(serve.get("/Users", token).0, 200);
    }
    let suspended = run_json(folder, &["company", "suspend", "Acme"]);
    assert_eq!(suspended["status"], "suspended");
    run_json(folder, &["company", "resume", "Acme"]);
    let audit = run_json(folder, &with(&["audit"]));
    let operations: Vec<&str> = audit
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["operation"].as_str().unwrap())
        .collect();
    let expected = [
        "create",
        "create",
        "grant",
        "createKey",
        "create",
        "patch",
        "restore",
        "rotateKey",
        "suspend",
        "resume",
    ];
    assert_eq!(operations, expected);
    let made = json!({"user": null, "before": null, "after": "active", "actor": "operator"});
    let wrong = conversation::differences(&made, &audit[0]);
    assert_eq!(wrong, [""; 0], "{}", audit[0]);
    let of_user = run_json(folder, &with(&["audit", "--user", "ralf@acme.example"]));
    assert_eq!(of_user.as_array().unwrap().len(), 3);
    let revoked = run_json(folder, &with(&["key", "revoke", key_id]));
    assert!(revoked["revoked"].is_string());
    let ungranted = run_json(folder, &with(&["user", "ungrant", "admin@acme.example"]));
    assert_eq!(ungranted["permissions"], json!([]));
    // Another company's key is none of this one's.
    let demo = run_json(folder, &["key", "list", "--company", "Demo"]);
    let demo_key: &'static str = demo[0]["id"].as_str().unwrap().to_owned().leak();
    assert!(run(folder, &with(&["key", "revoke", demo_key])).is_err());
}

#[test]
fn wrong_commands_end_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let list = ["user", "list", "--company", "Nobody"];
    let message = run(&store, &list).unwrap_err();
    assert!(message.contains("there is no store"), "{message}");
    assert!(!store.exists(), "a command that reads made a store");
    run(&store, &["company", "create", "Somebody"]).unwrap();
    for (arguments, expected) in [
        (list.as_slice(), "there is no company"),
        (&["company", "create", ""], "1 to 100 characters"),
        (&["user", "create"], "required"),
        (&["user", "show", "x", "--company", "Somebody"], "no user"),
    ] {
        let message = run(&store, arguments).unwrap_err();
        assert!(message.contains(expected), "{arguments:?}: {message}");
        assert!(!message.contains("panicked"), "{message}");
    }
}

#[test]
fn a_user_is_found_by_a_name_that_looks_like_an_id_and_a_missing_user_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let of = |command: &[&str]| {
        run(
            folder,
            &[command, &["--company", "Acme", "--json"]].concat(),
        )
    };
    let json = |text: String| -> Value { serde_json::from_str(&text).unwrap() };
    run(folder, &["company", "create", "Acme"]).unwrap();
    let name = "0198c251-f400-7000-8000-000000000001";
    let user = json(of(&["user", "create", name]).unwrap());
    let id = user["id"].as_str().unwrap();
    assert_eq!(json(of(&["user", "show", name]).unwrap())["id"], id);
    assert_eq!(json(of(&["user", "show", id]).unwrap())["userName"], name);
    let trail = || [name, id].map(|user| json(of(&["audit", "--user", user]).unwrap()));
    let [by_name, by_id] = trail();
    assert_eq!(by_name[0]["operation"], "create");
    assert_eq!(by_name, by_id);

    // Once anonymised, the id alone leads to the trail, whatever part of it is requested.
    of(&["erase", name]).unwrap();
    let trail = json(of(&["audit", "--user", id]).unwrap());
    assert_eq!(trail[1]["operation"], "anonymise");
    let later = ["audit", "--user", id, "--since", "2999-01-01T00:00:00Z"];
    assert_eq!(json(of(&later).unwrap()), json!([]));
    for (command, reported) in [
        (["audit", "--user", name].as_slice(), "neither a user"),
        (&["audit", "--user", "nobody"], "neither a user"),
        (&["erase", id], "no user with this id"),
        (&["user", "show", id], "no user with this id"),
    ] {
        let message = of(command).unwrap_err();
        assert!(message.contains(reported), "{command:?}: {message}");
    }
}

#[test]
fn output_that_nobody_takes_is_not_worth_a_word() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["company", "create", "Acme"]).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let list = command(folder.path(), &["company", "list"])
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn();
    let output = list.unwrap().wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    // As of a program that the signal ends.
    assert_eq!(output.status.code(), Some(141));
}

#[test]
fn a_retention_that_is_none_is_no_silent_year() {
    let folder = tempfile::tempdir().unwrap();
    let create = |days: &str| {
        let mut create = command(folder.path(), &["company", "create", "Acme"]);
        create
            .env("SCIM_AUDIT_RETENTION_DAYS", days)
            .output()
            .unwrap()
    };
    for days in ["", "0", "3651", "40d"] {
        let output = create(days);
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{days}");
        assert!(message.contains("from 1 to 3650"), "{message}");
    }
    assert!(create("40").status.success());
}

#[test]
fn an_import_can_be_repeated_and_leaves_users_who_are_there_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    run(&store, &["company", "create", "Acme"]).unwrap();
    let file = folder.path().join("users.jsonl");
    let line = |number: usize| format!("{{\"userName\": \"u{number}\", \"title\": \"T\"}}\n");
    let lines: String = (0..30).map(line).collect();
    std::fs::write(&file, &lines).unwrap();
    let import = [
        "user",
        "import",
        file.to_str().unwrap(),
        "--company",
        "Acme",
    ];
    let report = run_json(&store, &import);
    assert_eq!(
        (&report["created"], &report["present"]),
        (&json!(30), &json!(0))
    );
    // Of each user: the item and its index entry, the userName, the counter, the audit record and its index entry.
    assert_eq!(
        report["consumed"],
        json!({"calls": 30, "readUnits": 0.0, "writeUnits": 300.0})
    );
    // How many items there are, the items, and the counters, whose number depends on the ids of the users.
    let consumed = &run_json(&store, &["check"])["consumed"];
    assert_eq!(
        (&consumed["calls"], &consumed["writeUnits"]),
        (&json!(3), &json!(0.0))
    );
    assert!(consumed["readUnits"].as_f64() > Some(9.0), "{consumed}");
    let report = run_json(&store, &import);
    assert_eq!(
        (&report["created"], &report["present"]),
        (&json!(0), &json!(30))
    );

    // A folder, and a byte order mark.
    let folder_as_file = [
        "user",
        "import",
        folder.path().to_str().unwrap(),
        "--company",
        "Acme",
    ];
    assert!(
        run(&store, &folder_as_file)
            .unwrap_err()
            .contains("is a folder")
    );
    std::fs::write(&file, "\u{feff}{\"userName\": \"bom\"}").unwrap();
    assert_eq!(run_json(&store, &import)["created"], 1);

    let mixed = "{\"userName\": \"U7\", \"title\": \"Dr\"}\nrubbish\n\n{\"userName\": \"new\", \"active\": \"False\"}\n{}\n";
    std::fs::write(&file, mixed).unwrap();
    let output = run(&store, &import);
    let message = output.unwrap_err();
    assert!(message.contains("3 lines were not imported"), "{message}");
    let json = command(&store, &import).arg("--json").output().unwrap();
    let report: Value = serde_json::from_slice(&json.stdout).unwrap();
    let problems = report["problems"].as_array().unwrap();
    let reported = |problem: &Value| format!("{} {}", problem["line"], problem["kind"]);
    let reported: Vec<String> = problems.iter().map(reported).collect();
    assert_eq!(
        reported,
        ["1 \"conflict\"", "2 \"invalid\"", "5 \"invalid\""]
    );
    let user = run_json(&store, &["user", "show", "u7", "--company", "Acme"]);
    assert_eq!(user["attributes"]["title"], "T");
    let user = run_json(&store, &["user", "show", "new", "--company", "Acme"]);
    assert_eq!(user["state"], "deactivated");
}

#[test]
fn a_file_that_cannot_be_read_to_its_end_is_not_imported_as_if_it_were() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["company", "create", "Acme"]).unwrap();
    // It opens, and has no byte at its beginning.
    let file = "/proc/self/mem";
    let import = ["user", "import", file, "--company", "Acme"];
    let output = command(folder.path(), &import)
        .arg("--json")
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("mem cannot be read: "), "{message}");
    assert!(!output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["created"], &report["isCutShort"]),
        (&json!(0), &json!(true))
    );
}

/// Sends users to an import until it ends, and the signal after the first sixty; all that was sent.
fn send_until_ended(import: &mut Child, signal: &str) -> String {
    let mut stdin = import.stdin.take().unwrap();
    // More than pipe and reader hold: some are imported, and none is the last.
    let title = "T".repeat(4000);
    let mut sent = String::new();
    for number in 0.. {
        let line = format!("{{\"userName\": \"u{number}\", \"title\": \"{title}\"}}\n");
        sent.push_str(&line);
        if stdin.write_all(line.as_bytes()).is_err() {
            break;
        }
        if number == 60 {
            send_signal(import, signal);
        }
    }
    sent
}

#[test]
fn an_interrupted_import_is_finished_by_the_same_command() {
    for signal in ["-TERM", "-KILL"] {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        run(&store, &["company", "create", "Acme"]).unwrap();
        let from_stdin = ["user", "import", "/dev/stdin", "--company", "Acme"];
        let mut import = command(&store, &from_stdin)
            .arg("--json")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let sent = send_until_ended(&mut import, signal);
        let output = import.wait_with_output().unwrap();
        assert!(!output.status.success());
        let all = sent.lines().count();

        let file = folder.path().join("users.jsonl");
        std::fs::write(&file, &sent).unwrap();
        let file = file.to_str().unwrap();
        let again = run_json(&store, &["user", "import", file, "--company", "Acme"]);
        let number = |report: &Value, name: &str| report[name].as_u64().unwrap();
        let (created, present) = (number(&again, "created"), number(&again, "present"));
        assert_eq!(created + present, all as u64);
        assert!(created > 0 && present > 0, "{again}");
        if signal == "-TERM" {
            let message = String::from_utf8(output.stderr).unwrap();
            assert!(message.contains("interrupted"), "{message}");
            // What it reported is what it had done.
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(number(&report, "created"), present);
            assert_eq!(report["isCutShort"], true);
        }
        run(&store, &["check"]).unwrap();
    }
}
