//! A change with its actor, and its audit record.

use jiff::Timestamp;

use crate::directory::{Actor, AuditRecord, CompanyId, Operation};

/// The actor, kind and time of a change of a user.
#[derive(Debug, Clone)]
pub struct UserChange {
    /// The company.
    pub company: CompanyId,
    /// The actor.
    pub actor: Actor,
    /// The kind of change, for the audit trail.
    pub operation: Operation,
    /// The request's id, for the audit trail.
    pub request_id: String,
    /// The time.
    pub now: Timestamp,
}

impl UserChange {
    /// Makes the audit record of the change, about no attribute and no key.
    pub(super) fn record(&self, before: Option<&'static str>, after: &'static str) -> AuditRecord {
        AuditRecord {
            at: self.now,
            request_id: self.request_id.clone(),
            actor: self.actor,
            operation: self.operation,
            attributes: Vec::new(),
            keys: Vec::new(),
            before,
            after,
        }
    }
}
