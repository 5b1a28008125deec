//! What costs more the more users there are.

use crate::counting::Usage;
use embedded::Embedded;
use test_support::world::{Call, World, fill};

use super::Measured;

/// Users in the company of [`measure_growing`].
const MANY: usize = 1_003;

/// Returns what costs more the more users there are, in a company of [`MANY`].
pub(super) async fn measure_growing() -> Vec<(&'static str, Usage)> {
    let embedded = Embedded::in_memory().unwrap();
    let mut measured = Measured::new(&embedded).await;
    let world = World::on(measured.world.store.clone());
    let client = world.client().await;
    fill(&embedded, client.company, MANY - 1).await;
    client.get("/nothing").await;
    let m = &mut measured;
    let query = |query: &str| Call::new("GET", "/Users").query(query);
    // The budget is drawn on, all users are read, and those on the page are read again.
    let everyone = [("BatchGetItem", 12), ("Query", 2), ("UpdateItem", 1)];
    for (about, parameters) in [
        (
            "filter without lookup, page of 2",
            "filter=title%20pr%20or%20active%20eq%20true&count=2",
        ),
        ("sorted, page of 2 by index", "sortBy=userName&count=2"),
        (
            "sorted, page of 2 by cursor",
            "sortBy=userName&count=2&cursor",
        ),
    ] {
        m.row(&client, about, &everyone, query(parameters)).await;
    }
    let nobody = query("filter=active%20eq%20false");
    let about = "filter without lookup, nobody";
    m.row(
        &client,
        about,
        &[("BatchGetItem", 11), ("Query", 2), ("UpdateItem", 1)],
        nobody,
    )
    .await;
    let nobody = query("filter=active%20eq%20false&cursor");
    let about = "the same by cursor: 1,000 users";
    m.row(
        &client,
        about,
        &[("BatchGetItem", 10), ("Query", 6), ("UpdateItem", 1)],
        nobody,
    )
    .await;
    let deep = query("startIndex=1003&count=1");
    let about = "last page of 1 by index, on another instance than the page before";
    m.row(&client, about, &[("BatchGetItem", 1), ("Query", 2)], deep)
        .await;
    measured.rows
}
