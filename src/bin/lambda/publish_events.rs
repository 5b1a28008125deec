//! Not a route: publishes the changes in the table's stream on an event bus; touches no table.

use paradigm_scim::lambda::{self, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::stream::run().await
}
