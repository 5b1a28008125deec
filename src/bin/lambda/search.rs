//! `POST /.search` and `POST /Users/.search`: reads keys and users, and the index.

use paradigm_scim::api::route::Handler;
use paradigm_scim::lambda::{self, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::run(Handler::Search).await
}
