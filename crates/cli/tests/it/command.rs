//! Commands on a store, and what they print.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::serve::PROGRAM;

/// Returns a command on a store.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).arg("--data-dir").arg(folder);
    command
}

/// Runs a command on a store and returns what it printed.
#[track_caller]
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = command(folder, arguments).output().unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

pub(crate) fn run_json(folder: &Path, arguments: &[&str]) -> Value {
    let mut arguments = arguments.to_vec();
    arguments.push("--json");
    serde_json::from_str(&run(folder, &arguments).unwrap()).unwrap()
}
