//! What the test binaries `it` and `cases` share. The crate `test-support` has what the program's tests need too.

// Each binary uses its part.
#![allow(dead_code, unreachable_pub)]

pub mod bus;
pub mod handlers;
pub mod records;
pub mod runtime_api;
pub mod template;
