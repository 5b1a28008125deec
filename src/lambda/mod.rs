//! What Lambda sends to the handlers.

mod http;
pub mod stream;

pub use http::{answer, run};
pub use lambda_http::Error;
