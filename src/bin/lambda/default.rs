//! What the gateway matched to no route: the full router, with the union of what the others may do.

use paradigm_scim::api::route::Handler;
use paradigm_scim::lambda::{self, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::run(Handler::Default).await
}
