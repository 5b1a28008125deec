//! The messages that clients and servers exchange, with their URNs (RFC 7644 §3, table 2).

mod bulk;
mod bulk_ids;
mod bulk_references;
mod error;
mod list_response;
mod patch_op;
mod search_request;

pub use bulk::{
    BULK_REQUEST_URN, BULK_RESPONSE_URN, BulkOperation, BulkRequest, MAX_BULK_ID_BYTES,
    MAX_BULK_OPERATIONS, MAX_BULK_PATH_BYTES, MAX_BULK_PAYLOAD_BYTES, Method, bulk_response,
};
pub use bulk_ids::BulkIds;
pub use bulk_references::MAX_BULK_DATA_BYTES;
pub use error::{ERROR_URN, error_message};
pub use list_response::{LIST_RESPONSE_URN, ListResponse};
pub use patch_op::{
    MAX_PATCH_COMPARISONS, MAX_PATCH_OPERATIONS, PATCH_OP_URN, PatchOp, Patched, Skipped,
};
pub use search_request::{SEARCH_REQUEST_URN, SearchRequest};
