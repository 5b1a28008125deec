//! Not a route: tells an event bus what the table's stream tells; touches no table.

use paradigm_scim::events;
use paradigm_scim::lambda::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    events::run().await
}
