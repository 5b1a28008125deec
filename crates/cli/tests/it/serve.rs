//! `serve`, running as a process of its own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use serde_json::Value;
use test_support::http::send_if;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_paradigm-scim");

/// Returns the program, run by a shell: `exec` or what ends in it, and what is to be done before.
pub(crate) fn by_shell(prelude: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{prelude} \"$0\" \"$@\""), PROGRAM]);
    shell
}

/// A running `serve`; ended when dropped.
pub(crate) struct Serve {
    process: Child,
    /// What it printed when it began.
    pub(crate) lines: Vec<String>,
    /// Kept open, so that the program can go on writing.
    stdout: BufReader<ChildStdout>,
}

impl Serve {
    pub(crate) fn start(arguments: &[&str], activation: Option<&str>) -> Self {
        Self::start_with(arguments, activation, |command| {
            command.stderr(Stdio::null());
        })
    }

    /// The same, of a command that `configure` has changed.
    pub(crate) fn start_with(
        arguments: &[&str],
        activation: Option<&str>,
        configure: impl FnOnce(&mut Command),
    ) -> Self {
        Self::start_by(Command::new(PROGRAM), arguments, activation, configure)
    }

    /// The same by another program, such as a shell that sets limits first.
    pub(crate) fn start_by(
        mut command: Command,
        arguments: &[&str],
        activation: Option<&str>,
        configure: impl FnOnce(&mut Command),
    ) -> Self {
        command
            .arg("serve")
            .args(arguments)
            .env_remove("SCIM_INSTANCE_ACTIVATION")
            .stdout(Stdio::piped());
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        if let Some(value) = activation {
            command.env("SCIM_INSTANCE_ACTIVATION", value);
        }
        configure(&mut command);
        let mut process = command.spawn().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut lines = Vec::new();
        let has_admin = arguments.contains(&"--admin-listen");
        let is_last = |line: &String| !has_admin || line.starts_with("Admin URL: ");
        while lines.len() < 2 || !lines.last().is_some_and(is_last) {
            let mut line = String::new();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "{lines:?}");
            lines.push(line.trim_end().to_owned());
        }
        Self {
            process,
            lines,
            stdout,
        }
    }

    pub(crate) fn line(&self, start: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| line.strip_prefix(start))
    }

    pub(crate) fn base_url(&self) -> &str {
        let url = self.line("Tenant URL: ").unwrap();
        url.strip_suffix("/?aadOptscim062020").unwrap()
    }

    pub(crate) fn token(&self) -> &str {
        self.line("Secret token: ").unwrap()
    }

    /// Sends a request and returns status and body.
    pub(crate) fn send(&self, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
        self.send_if(None, method, path, token, body)
    }

    /// The same, for one version of the user only.
    pub(crate) fn send_if(
        &self,
        if_match: Option<&str>,
        method: &str,
        path: &str,
        token: &str,
        body: &Value,
    ) -> (u16, Value) {
        let url = format!("{}{path}", self.base_url());
        send_if(if_match, &url, method, token, &body.to_string())
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> (u16, Value) {
        self.send("GET", path, token, &Value::Null)
    }

    /// Sends a signal, and does not wait for what it does.
    pub(crate) fn send_signal(&self, signal: &str) {
        send_signal(&self.process, signal);
    }

    /// Waits until the program has ended.
    pub(crate) fn wait(mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }

    /// Returns host and port that it listens on.
    pub(crate) fn address(&self) -> &str {
        let (_, rest) = self.base_url().split_once("://").unwrap();
        rest.split_once('/').unwrap().0
    }

    pub(crate) fn signal(self, signal: &str) -> ExitStatus {
        self.signal_and_read(signal).0
    }

    /// The same, with what it printed since it began.
    pub(crate) fn signal_and_read(mut self, signal: &str) -> (ExitStatus, String) {
        send_signal(&self.process, signal);
        let mut printed = String::new();
        self.stdout.read_to_string(&mut printed).unwrap();
        (self.process.wait().unwrap(), printed)
    }
}

pub(crate) fn send_signal(process: &Child, signal: &str) {
    let mut kill = Command::new("kill");
    let kill = kill.args([signal, &process.id().to_string()]);
    assert!(kill.status().unwrap().success());
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
