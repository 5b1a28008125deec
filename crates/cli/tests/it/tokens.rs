//! Where commands take a token from: a file, standard input, a variable; never an argument.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use crate::serve::{PROGRAM, Serve};

/// Runs a command that sends a token; `input` is what stands in standard input.
fn send(arguments: &[&str], variable: Option<&str>, input: &str) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_remove("SCIM_TOKEN");
    if let Some(token) = variable {
        command.env("SCIM_TOKEN", token);
    }
    let mut process = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = process.stdin.take().unwrap();
    // A command that reads none may have ended.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    process.wait_with_output().unwrap()
}

#[test]
fn a_token_comes_from_a_file_standard_input_or_a_variable() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let (url, token) = (serve.base_url(), serve.token());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, format!("{token}\n")).unwrap();
    let file = ["--token-file", path.to_str().unwrap()];
    let stdin = ["--token-file", "-"];
    for command in [["simulate", "authentik"].as_slice(), &["doctor"]] {
        let command = [command, &["--url", url]].concat();
        for (source, variable, input) in [
            (file.as_slice(), None, ""),
            (&file, Some("wrong"), ""),
            (&stdin, None, token),
            (&stdin, Some("wrong"), &format!(" Bearer {token}\r\n")),
            (&[], Some(token), ""),
        ] {
            let output = send(&[&command, source].concat(), variable, input);
            let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert!(output.status.success(), "{command:?} {source:?}: {printed}");
            assert!(!printed.contains(token), "{printed}");
        }
    }
}

#[test]
fn a_token_is_no_argument() {
    for command in [["simulate", "entra"].as_slice(), &["doctor"]] {
        let url = ["--url", "http://127.0.0.1:9", "--token", "pscim_marker"];
        let output = send(&[command, &url].concat(), None, "");
        let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!output.status.success());
        assert!(
            printed.contains("unexpected argument '--token'"),
            "{printed}"
        );
        assert!(!printed.contains("marker"), "{printed}");
    }
}

#[test]
fn a_token_that_cannot_be_read_is_reported_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let bytes = folder.path().join("bytes");
    std::fs::write(&bytes, [0xff, 0xfe]).unwrap();
    for (source, input, reported) in [
        (missing.to_str(), "", "cannot be read: No such file"),
        (bytes.to_str(), "", "is not UTF-8 text"),
        (Some("-"), &"x".repeat(8193), "has more than 8192 bytes"),
        (Some("-"), "two words", "the token must be one word"),
        (Some("-"), "", "the token must be one word"),
        (
            None,
            "",
            "no token was given; give one by --token-file FILE",
        ),
    ] {
        let mut arguments = vec!["simulate", "okta", "--url", "http://127.0.0.1:9"];
        if let Some(source) = source {
            arguments.extend(["--token-file", source]);
        }
        let output = send(&arguments, None, input);
        let printed = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        assert!(printed.contains(reported), "{reported}: {printed}");
    }
}

#[test]
fn no_document_puts_a_token_on_a_command_line() {
    let root = test_support::data::root();
    let documents = std::fs::read_dir(root.join("docs")).unwrap();
    let documents = documents.map(|entry| entry.unwrap().path());
    let others = [
        "README.md",
        "SECURITY.md",
        "ARCHITECTURE.md",
        "bench/README.md",
    ];
    for path in documents.chain(others.map(|name| root.join(name))) {
        if path.extension().is_some_and(|extension| extension == "md") {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!text.contains("--token "), "{path:?}");
        }
    }
}
