//! The handlers as Lambda runs them: real programs, each event of `events/` replayed against a stand-in for the Runtime
//! API, with an embedded DynamoDB and demo data behind it.

use std::path::Path;

use conversation::differences;

use crate::run;
use crate::support::handlers::{Case, binary, readable};
use crate::support::runtime_api::{Lambda, Outcome};
use test_support::dynamodb::DynamoDb;

pub(crate) fn event(path: &Path) -> datatest_stable::Result<()> {
    run(path, |_| async move {
        let case = Case::read(path);
        let dynamodb = DynamoDb::start();
        let settings = [("SCIM_TABLE", "paradigm-scim")];
        let environment = [&dynamodb.environment()[..], &settings].concat();
        let lambda = Lambda::start(binary(&case.handler), &environment).await;
        let (outcome, log) = lambda.invoke(&case.event).await;
        let mut failures = Vec::new();
        if log.contains("\"level\":\"ERROR\"") || log.contains("panicked") {
            failures.push(format!("logged: {log}"));
        }
        match outcome {
            Outcome::Failed(reason) => failures.push(format!("failed: {reason}\n{log}")),
            Outcome::Responded(response) => {
                failures.extend(differences(&case.expected, &readable(&response)));
            }
        }
        failures
    })
}
