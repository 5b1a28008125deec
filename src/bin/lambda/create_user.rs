//! `POST /Users`: reads keys; writes a user with its lookups, counter and audit record.

use paradigm_scim::api::route::Handler;
use paradigm_scim::lambda::{self, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::run(Handler::CreateUser).await
}
