//! What commands print, whole: compared with the files in `snapshots`. If a difference is intended, run the tests with
//! `INSTA_UPDATE=always`, and commit what they write.

use std::process::Command;

use insta::{Settings, assert_snapshot};

use crate::serve::{PROGRAM, Serve};

fn output(command: &mut Command) -> String {
    let output = command.env("NO_PROXY", "*").output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// Compares a text with a snapshot, except what differs from run to run.
fn compare(name: &str, text: &str) {
    let mut settings = Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:[port]");
    settings.add_filter(r"pscim_\w+", "[token]");
    settings.add_filter(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "[id]");
    settings.add_filter(r"simulate-[0-9a-z-]+", "simulate-[run]");
    settings.add_filter(r" +\d+ ms", " [time] ms");
    settings.add_filter(r" +\d+ s\b", " [time] s");
    settings.bind(|| assert_snapshot!(name, text));
}

/// Returns the names of the commands that a help text lists.
fn commands(help: &str) -> Vec<String> {
    let listed = help.split("Commands:\n").nth(1).unwrap_or_default();
    let lines = listed.lines().take_while(|line| !line.is_empty());
    lines
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !["", "help"].contains(name))
        .map(str::to_owned)
        .collect()
}

#[test]
fn help_of_every_command() {
    let mut to_do = vec![Vec::new()];
    let mut seen = 0;
    while let Some(command) = to_do.pop() {
        let help = output(Command::new(PROGRAM).args(&command).arg("--help"));
        for name in commands(&help) {
            let mut longer = command.clone();
            longer.push(name);
            to_do.push(longer);
        }
        seen += 1;
        let name = [vec!["help".to_owned()], command].concat();
        compare(&name.join("_"), &help);
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn a_greeting() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    compare("serve", &serve.lines.join("\n"));
}

#[test]
fn a_report_of_doctor() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let mut doctor = Command::new(PROGRAM);
    doctor.args(["doctor", "--url", serve.base_url()]);
    doctor.env("SCIM_TOKEN", serve.token());
    let report = output(&mut doctor);
    // How fast this machine is does not matter here.
    let (before_latency, _) = report.split_once(" latency ").unwrap();
    compare("doctor", before_latency);
}

#[test]
fn reports_of_simulate() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    for provider in ["entra", "okta"] {
        let mut simulate = Command::new(PROGRAM);
        simulate.args(["simulate", provider, "--url", serve.base_url()]);
        simulate.env("SCIM_TOKEN", serve.token());
        compare(&format!("simulate_{provider}"), &output(&mut simulate));
    }
}
