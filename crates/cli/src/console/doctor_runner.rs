//! Runs `doctor` against the own instance, when an operator wants it.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::timeout;

use crate::Failure;

/// Longest time that it may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Longest report, in bytes.
const MAX_BYTES: u64 = 256 * 1024;

/// What a run has shown.
#[derive(Debug, Clone)]
pub(super) struct DoctorRun {
    pub(super) at: Timestamp,
    /// The report, or why there is none.
    pub(super) report: Result<Value, String>,
}

/// `doctor` for one instance. It runs as a process of this program, so that a slow instance cannot hold the console up.
pub(crate) struct DoctorRunner {
    url: String,
    /// File with the token; otherwise it is in the environment, as for the command.
    token_file: Option<PathBuf>,
    is_running: AtomicBool,
    last: Mutex<Option<DoctorRun>>,
}

impl DoctorRunner {
    pub(crate) fn new(url: String, token_file: Option<PathBuf>) -> Self {
        Self {
            url,
            token_file,
            is_running: AtomicBool::new(false),
            last: Mutex::default(),
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Relaxed)
    }

    /// Returns what the last run has shown.
    pub(super) fn last(&self) -> Option<DoctorRun> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    /// Runs it, unless it is running.
    pub(super) async fn run(&self, now: Timestamp) {
        if self.is_running.swap(true, Ordering::Relaxed) {
            return;
        }
        let report = self.report().await.map_err(|failure| failure.to_string());
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(DoctorRun { at: now, report });
        self.is_running.store(false, Ordering::Relaxed);
    }

    async fn report(&self) -> Result<Value, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["doctor", "--json", "--url", &self.url]);
        if let Some(file) = &self.token_file {
            command.arg("--token-file").arg(file);
        }
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let mut doctor = command.stdout(Stdio::piped()).spawn()?;
        let output = doctor.stdout.take().ok_or("its output cannot be read")?;
        let reading = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            output
                .take(MAX_BYTES)
                .read_to_string(&mut text)
                .map(|_| text)
        });
        let read = timeout(TIMEOUT, reading).await;
        // It has ended, or must: its exit status is in the report.
        let _ = doctor.kill();
        tokio::task::spawn_blocking(move || doctor.wait()).await??;
        let text =
            read.map_err(|_| format!("it took longer than {} s", TIMEOUT.as_secs()))???;
        serde_json::from_str(&text)
            .map_err(|_| "it printed no report; run it at a terminal to see why".into())
    }
}
