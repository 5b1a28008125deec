//! Properties over generated input: resources, PATCHes, filters, requests, and text that is none of
//! these.
//!
//! The cases are the same in every run. Variables ask for more, or for others:
//!
//! - `PROPTEST_CASES` is how many cases each property gets, whatever it gets by default;
//! - `PROPTEST_RNG_SEED` is another seed than [`SEED`]. The seed is printed, so a failure can be had again.
//!
//! What once failed is shrunk, kept in `tests/data/properties.txt` and tried first.
//!
//! By hand:
//!
//! ```sh
//! # 10^7 cases, 2 * 10^6 of each of the five properties that need no store: 75 minutes of one core.
//! PROPTEST_CASES=2000000 cargo test --test it properties:: -- --nocapture --skip over_the_store --skip no_request
//! # 10^6 requests through the whole request path: 40 minutes of one core.
//! PROPTEST_CASES=1000000 cargo test --test it properties::requests -- --nocapture
//! ```

mod filters;
mod parsers;
mod patches;
mod requests;
mod resources;

use std::cell::Cell;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{FileFailurePersistence, RngSeed, TestCaseResult, TestRunner};

use crate::support::{Client, World};

/// Cases of a property; of one that is cheap, [`CHEAP_CASES`].
const CASES: u32 = 20_000;
const CHEAP_CASES: u32 = 100_000;
/// Users that go to the store and back.
const STORED_CASES: u32 = 1_000;
/// Requests through the whole service.
const REQUESTS: u32 = 10_000;

const SEED: u64 = 20_261_123;

/// Cases in one table before another is begun, so that it stays small.
const CASES_EACH: u32 = 100;

/// How a property is tried that has so many cases by default.
fn config(cases: u32) -> ProptestConfig {
    let seed = match std::env::var("PROPTEST_RNG_SEED") {
        Ok(seed) => seed.parse().expect("PROPTEST_RNG_SEED is a number"),
        Err(_) => SEED,
    };
    println!("PROPTEST_RNG_SEED={seed}");
    let more = std::env::var_os("PROPTEST_CASES").is_some();
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: if more { default.cases } else { cases },
        rng_seed: RngSeed::Fixed(seed),
        // Objects without members are thrown away while they are generated.
        max_local_rejects: u32::MAX,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/data/properties.txt",
        ))),
        ..default
    }
}

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

/// Text that is compared often enough to be equal at times: several cases, and beyond ASCII.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(vec!["a", "A", "b", "ab", "AB", "ba", "work", "Home", "a b", "x.org", "0"])
            .prop_map(str::to_owned),
        1 => "[a-zA-Z0-9 \"\\\\'%é中\u{7f}\n-]{1,8}",
    ]
}
