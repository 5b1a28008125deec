//! Properties of the service over generated input: users that go to the store and back, and requests. Those of the
//! protocol are in `crates/scim/tests/it`; `generate` says how to run more cases.
//!
//! ```sh
//! # 10^6 requests through the whole request path: 40 minutes of one core.
//! PROPTEST_CASES=1000000 cargo test --test it properties::requests -- --nocapture
//! ```

#[path = "../../../crates/scim/tests/it/generate.rs"]
mod generate;
mod requests;
mod resources;

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{TestCaseResult, TestRunner};

use test_support::world::{Client, World};

/// Users that go to the store and back.
const STORED_CASES: u32 = 1_000;
/// Requests through the whole service.
const REQUESTS: u32 = 10_000;

/// Cases in one table before another is begun, so that it stays small.
const CASES_EACH: u32 = 100;

/// Tries a property of the service, each case in a company of its own: no case depends on those
/// before it, so one that fails can be shrunk, and fails again when it is all there is.
fn over_the_store<S: Strategy>(
    config: ProptestConfig,
    strategy: &S,
    property: impl AsyncFn(&Client<'_>, S::Value) -> TestCaseResult,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let used: Cell<Option<(World, u32)>> = Cell::new(None);
    let mut runner = TestRunner::new(config);
    let tried = runner.run(strategy, |case| {
        runtime.block_on(async {
            let (world, cases) = match used.take() {
                Some((world, cases)) if cases < CASES_EACH => (world, cases + 1),
                _ => (World::new().await, 1),
            };
            let result = property(&world.client().await, case).await;
            used.set(Some((world, cases)));
            result
        })
    });
    if let Err(error) = tried {
        panic!("{error}\n{runner}");
    }
}
