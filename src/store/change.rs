//! Who changes what, and the record of it.

use jiff::Timestamp;

use crate::directory::{Actor, AuditRecord, CompanyId, Operation};

/// Who changes a user, how and when.
#[derive(Debug, Clone)]
pub struct UserChange {
    /// The company.
    pub company: CompanyId,
    /// Who.
    pub actor: Actor,
    /// What, for the audit trail.
    pub operation: Operation,
    /// The request's id, for the audit trail.
    pub request_id: String,
    /// When.
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
