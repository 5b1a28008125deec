//! How long API keys live: `key create`, `key rotate` and `key list`.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{command, run, run_json};

/// Returns a folder with a company *Acme* and a user who may manage users.
fn acme() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["company", "create", "Acme"]).unwrap();
    for command in ["create", "grant"] {
        let user = ["user", command, "admin@acme.example", "--company", "Acme"];
        run(folder.path(), &user).unwrap();
    }
    folder
}

const CREATE: [&str; 8] = [
    "key",
    "create",
    "--company",
    "Acme",
    "--owner",
    "admin@acme.example",
    "--name",
    "Entra",
];

/// Runs a command with `SCIM_API_KEY_DAYS`.
fn with_days(folder: &Path, days: &str, arguments: &[&str]) -> Result<Value, String> {
    let arguments = [arguments, &["--json"]].concat();
    let mut command = command(folder, &arguments);
    let output = command.env("SCIM_API_KEY_DAYS", days).output().unwrap();
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

/// Returns how long a key lives.
fn life(key: &Value) -> Option<SignedDuration> {
    let time = |name: &str| {
        let time = key[name].as_str()?;
        Some(time.parse::<Timestamp>().unwrap())
    };
    Some(time("expires")?.duration_since(time("created")?))
}

fn days(number: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * number)
}

#[test]
fn a_key_is_made_or_rotated_only_if_somebody_says_when_it_expires() {
    let folder = acme();
    let folder = folder.path();
    let refused = run(folder, &CREATE).unwrap_err();
    assert!(refused.contains("--expires 180d"), "{refused}");
    assert!(refused.contains("SCIM_API_KEY_DAYS"), "{refused}");
    let create = |expires: &str| {
        let arguments = [&CREATE[..], &["--expires", expires]].concat();
        with_days(folder, "30", &arguments)
    };
    let half_a_year = create("180d").unwrap();
    assert_eq!(life(&half_a_year), Some(days(180)));
    assert_eq!(life(&create("never").unwrap()), None);
    assert!(create("yesterday").unwrap_err().contains("180d"));
    assert!(create("2020-01-01").unwrap_err().contains("in the future"));

    let by_default = with_days(folder, "30", &CREATE).unwrap();
    assert_eq!(life(&by_default), Some(days(30)));
    for wrong in ["0", "3651", "180d"] {
        let refused = with_days(folder, wrong, &CREATE).unwrap_err();
        assert!(refused.contains("from 1 to 3650"), "{refused}");
    }

    let id = half_a_year["id"].as_str().unwrap();
    let rotate = ["key", "rotate", id, "--company", "Acme"];
    assert!(run(folder, &rotate).unwrap_err().contains("--expires 180d"));
    let rotated = with_days(folder, "30", &rotate).unwrap();
    assert_eq!(life(&rotated), Some(days(30)));
}

#[test]
fn the_list_shows_how_many_days_are_left() {
    let folder = acme();
    let folder = folder.path();
    for (expires, days, state) in [
        ("180d", 179.into(), "valid"),
        ("31d", 30.into(), "expires soon"),
        ("1h", 0.into(), "expires soon"),
        ("never", Value::Null, "valid"),
    ] {
        let key = run_json(folder, &[&CREATE[..], &["--expires", expires]].concat());
        let list = run_json(folder, &["key", "list", "--company", "Acme"]);
        let keys = list.as_array().unwrap().iter();
        let listed = keys.filter(|listed| listed["id"] == key["id"]);
        let listed: Vec<&Value> = listed.collect();
        assert_eq!(listed.len(), 1);
        assert_eq!(
            (&listed[0]["daysLeft"], &listed[0]["state"]),
            (&days, &state.into())
        );
        let id = key["id"].as_str().unwrap();
        let revoked = run_json(folder, &["key", "revoke", id, "--company", "Acme"]);
        assert_eq!(
            (&revoked["daysLeft"], &revoked["state"]),
            (&Value::Null, &"revoked".into())
        );
    }
}

#[test]
fn a_rotation_says_what_to_do_in_entra() {
    let folder = acme();
    let folder = folder.path();
    let key = run_json(folder, &[&CREATE[..], &["--expires", "180d"]].concat());
    let id = key["id"].as_str().unwrap();
    let rotate = [
        "key",
        "rotate",
        id,
        "--company",
        "Acme",
        "--expires",
        "180d",
    ];
    let printed = run(folder, &rotate).unwrap();
    for step in [
        "Secret Token",
        "Test connection",
        &format!("key revoke {id}"),
    ] {
        assert!(printed.contains(step), "{printed}");
    }
}

#[test]
fn the_list_shows_which_keys_can_get_access_tokens() {
    let folder = acme();
    let folder = folder.path();
    let key = run_json(folder, &[&CREATE[..], &["--expires", "180d"]].concat());
    assert_eq!(key["oauth2"], "ready");
    let id = key["id"].as_str().unwrap();
    let revoked = run_json(folder, &["key", "revoke", id, "--company", "Acme"]);
    assert_eq!(revoked["oauth2"], Value::Null);
}
