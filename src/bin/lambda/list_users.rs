//! `GET /Users`: reads keys, users, lookups, counters and the index.

use paradigm_scim::api::route::Handler;
use paradigm_scim::lambda::{self, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::run(Handler::ListUsers).await
}
