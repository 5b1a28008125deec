//! What each SQLSTATE means for the caller: the one table of them.

/// What to do about an error of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing was written; send the statement again at once.
    Retry,
    /// The call may succeed later.
    Busy,
    /// The call may succeed later, on another connection: this one is closed.
    Discard,
    /// The disk of the server is full, or failed; nothing was written.
    DiskFull,
    /// The same, of another failure of the disk.
    DiskFailed,
    /// The call never succeeds: a defect, a missing permission, a wrong password, or a missing migration.
    Refused,
}

/// Returns what an SQLSTATE means (PostgreSQL's documentation, appendix A).
#[must_use]
pub fn meaning(sql_state: &str) -> Meaning {
    use Meaning::{Busy, Discard, DiskFailed, DiskFull, Refused, Retry};
    match sql_state {
        // serialization_failure, deadlock_detected. Both end the transaction.
        "40001" | "40P01" => Retry,
        // lock_not_available (lock_timeout), query_canceled (statement_timeout).
        "55P03" | "57014" => Busy,
        // out_of_memory, too_many_connections, configuration_limit_exceeded, insufficient_resources.
        "53000" | "53200" | "53300" | "53400" => Busy,
        // disk_full; io_error.
        "53100" => DiskFull,
        "58030" => DiskFailed,
        // read_only_sql_transaction: the server has become a standby, or the database is read-only.
        "25006" => Discard,
        // admin_shutdown, crash_shutdown, cannot_connect_now, database_dropped, idle_session_timeout.
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" => Discard,
        // A transaction that somebody has left open on a connection of a pooler: in_failed_sql_transaction,
        // idle_in_transaction_session_timeout, transaction_timeout.
        "25P02" | "25P03" | "25P04" => Discard,
        // Prepared statements that a migration changed (cached plan must not change result type), or that the pooler
        // lost or has twice: feature_not_supported, invalid_sql_statement_name, duplicate_prepared_statement.
        "0A000" | "26000" | "42P05" => Discard,
        // warning: the wait for a synchronous replica was cut short, so it is unknown whether the commit lasts.
        "01000" => Discard,
        // Connection exceptions, which poolers report too.
        state if state.starts_with("08") => Discard,
        _ => Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sql_state_that_can_occur_has_its_meaning() {
        for (meaning_of_all, states) in [
            (Meaning::Retry, ["40001", "40P01"].as_slice()),
            (
                Meaning::Busy,
                &["53000", "53200", "53300", "53400", "55P03", "57014"],
            ),
            (
                Meaning::Discard,
                &[
                    "01000", "08000", "08001", "08003", "08004", "08006", "08007", "08P01",
                    "0A000", "25006", "25P02", "25P03", "25P04", "26000", "42P05", "57P01",
                    "57P02", "57P03", "57P04", "57P05",
                ],
            ),
            (Meaning::DiskFull, &["53100"]),
            (Meaning::DiskFailed, &["58030"]),
            (
                Meaning::Refused,
                &[
                    // A wrong value, a violated constraint: defects of this program.
                    "22000", "22001", "22003", "22021", "22023", "22P02", "22P05", "23502", "23505",
                    "23514", "54000", "54001", "P0001", "SC002", "20000",
                    // Role, password, database.
                    "28000", "28P01", "3D000", "42501",
                    // No migration, or an older one: schema, table, function, column, type.
                    "3F000", "42P01", "42883", "42703", "42704", "42601",
                    // A damaged server.
                    "XX000", "XX001", "XX002", "58000", "58P01", "F0000", "55000",
                ],
            ),
        ] {
            for state in states {
                assert_eq!(meaning(state), meaning_of_all, "{state}");
            }
        }
    }
}
