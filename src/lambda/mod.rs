//! What Lambda sends to the handlers.

mod http;
pub mod stream;

pub use http::{respond, run};
pub use lambda_http::Error;
