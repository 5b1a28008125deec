//! Captured records of a table's stream, `tests/data/stream`, and the SCIM events (RFC 9967) that they become.

use std::path::Path;

use conversation::differences;
use scim::event::Content;
use serde_json::json;

use crate::run;
use crate::support::bus::Bus;

pub(crate) fn stream(path: &Path) -> datatest_stable::Result<()> {
    run(path, |case| async move {
        let content = match case["content"].as_str() {
            Some("Notice") => Content::Notice,
            Some("Full") => Content::Full,
            other => panic!("{other:?}"),
        };
        let bus = Bus::default();
        let (entries, refused) = bus.after(content, &case["event"]).await;
        let buried = bus.buried.lock().unwrap().clone();
        let actual = json!({"entries": entries, "buried": buried, "failures": refused});
        let mut failures = differences(&case["expect"], &actual);
        if content == Content::Notice && actual.to_string().contains("@example.com") {
            failures.push(format!("personal data: {actual}"));
        }
        failures
    })
}
