//! Converts errors of the client library. Of a server's error only the SQLSTATE is kept.

use std::error::Error as _;
use std::io;

use deadpool::managed::PoolError;
use paradigm_scim::store::StoreError;
use paradigm_scim::store::error::DiskError;

use crate::sql_state::{Meaning, meaning};

/// The reason why a statement failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What to do about it.
    pub(crate) meaning: Meaning,
    /// What happened: an SQLSTATE, or a text that has nothing of a statement or its values.
    reason: String,
    /// Whether the connection was lost, so that a read may be sent again on another one.
    pub(crate) is_connection_lost: bool,
}

impl Failure {
    pub(crate) fn new(meaning: Meaning, reason: &str) -> Self {
        Self {
            meaning,
            reason: reason.to_owned(),
            is_connection_lost: false,
        }
    }

    /// Makes the failure of a call without a response in time.
    pub(crate) fn late() -> Self {
        Self::new(Meaning::Discard, "no response in time")
    }

    /// Makes the failure of a call whose connection was lost, or could not be opened.
    pub(crate) fn without_connection(kind: io::ErrorKind) -> Self {
        Self {
            is_connection_lost: true,
            ..Self::new(Meaning::Discard, &format!("no connection: {kind}"))
        }
    }

    /// Makes the failure of a commit that reported warning 01000: its wait for a synchronous replica was cut short, so
    /// it is unknown whether it outlives the loss of the primary.
    pub(crate) fn unconfirmed() -> Self {
        Self::new(Meaning::Discard, "SQLSTATE 01000")
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(code) = error.code() {
            let code = code.code();
            return Self {
                is_connection_lost: matches!(meaning(code), Meaning::Discard),
                ..Self::new(meaning(code), &format!("SQLSTATE {code}"))
            };
        }
        let source = error.source();
        let lost = source.and_then(|source| source.downcast_ref::<io::Error>());
        let certificate = lost
            .and_then(io::Error::get_ref)
            .and_then(|cause| cause.downcast_ref::<rustls::Error>());
        match (certificate, lost) {
            (Some(certificate), _) => {
                let reason = format!("the TLS handshake failed: {certificate}");
                Self::new(Meaning::Refused, &reason)
            }
            (None, Some(lost)) => Self::without_connection(lost.kind()),
            (None, None) if error.is_closed() => Self {
                is_connection_lost: true,
                ..Self::new(Meaning::Discard, "the connection was closed")
            },
            // Such as a server without TLS, or a kind of password that the client does not know.
            (None, None) => Self::new(Meaning::Refused, &error.to_string()),
        }
    }
}

impl From<PoolError<Failure>> for Failure {
    fn from(error: PoolError<Failure>) -> Self {
        match error {
            PoolError::Backend(failure) => failure,
            // The pool has no timeouts of its own.
            _ => Self::new(Meaning::Busy, "the pool of connections is closed"),
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure.meaning {
            Meaning::Retry | Meaning::Busy | Meaning::Discard => Self::Busy(failure.reason),
            Meaning::DiskFull => Self::Unwritable(DiskError::Full),
            Meaning::DiskFailed => Self::Unwritable(DiskError::Failed),
            Meaning::Refused => Self::Refused(format!("{}{}", failure.reason, failure.advice())),
        }
    }
}

impl Failure {
    /// Returns what an operator may have to do, where that is likely.
    fn advice(&self) -> &'static str {
        match self.reason.as_str() {
            "SQLSTATE 3F000" | "SQLSTATE 42P01" | "SQLSTATE 42883" => {
                "; run 'paradigm-scim database migrate'"
            }
            "SQLSTATE 42501" => "; the role lacks a permission, see docs/postgres.md",
            "SQLSTATE 28000" | "SQLSTATE 28P01" => "; check role and password",
            "SQLSTATE 3D000" => "; there is no such database",
            _ => "",
        }
    }
}
