//! `POST /oauth2/token`: reads keys.

use paradigm_scim::api::route::Handler;
use paradigm_scim::lambda::{self, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::run(Handler::IssueToken).await
}
