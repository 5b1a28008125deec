//! What a long command consumed of the store, in its report.

use paradigm_scim::store::usage::Usage;
use serde_json::{Value, json};

use crate::Failure;
use crate::output::line;

/// Returns it for scripts.
pub(crate) fn consumed(usage: &Usage) -> Value {
    json!({
        "calls": usage.calls,
        "readUnits": usage.read_units,
        "writeUnits": usage.write_units,
    })
}

/// Prints it for people. Only DynamoDB and the embedded store have capacity units.
pub(crate) fn print_consumed(usage: &Usage) -> Result<(), Failure> {
    let Usage {
        calls,
        read_units,
        write_units,
        ..
    } = usage;
    line(&match read_units + write_units > 0.0 {
        true => {
            format!("consumed: {calls} calls, {read_units} read units, {write_units} write units")
        }
        false => format!("consumed: {calls} calls"),
    })
}
