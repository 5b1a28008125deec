//! `DELETE /Users/{id}`: reads keys and users; anonymises a user and revokes their keys.

use paradigm_scim::api::route::Handler;
use paradigm_scim::lambda::{self, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::run(Handler::DeleteUser).await
}
