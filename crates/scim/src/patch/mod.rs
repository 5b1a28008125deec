//! What the operations of a PATCH mean and do (RFC 7644 §3.5.2). The message itself is
//! [`PatchOp`](crate::messages::PatchOp).

mod apply;
mod change;
mod elements;
mod parse;
mod path;
mod selection;
mod values;

pub(crate) use apply::step as apply_change;
pub use change::MAX_VALUE_BYTES;
pub(crate) use change::{Edit, Effect, Target};
pub(crate) use parse::Parser;
pub use path::{PatchPath, PathError};
pub(crate) use selection::unmatched;
