//! Properties over generated input: resources, PATCHes, filters, and text that is none of these.
//!
//! The cases are the same in every run. `PROPTEST_CASES` asks for more than [`CASES`], in which
//! case they are others; what once failed is kept in `tests/data/properties.txt` and tried first.

mod filters;
mod parsers;
mod patches;
mod requests;
mod resources;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{FileFailurePersistence, RngSeed};

/// Cases of each property; there are five.
const CASES: u32 = 20_000;

/// How the properties are tried.
fn config() -> ProptestConfig {
    let more = std::env::var_os("PROPTEST_CASES").is_some();
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: if more { default.cases } else { CASES },
        rng_seed: if more {
            RngSeed::Random
        } else {
            RngSeed::Fixed(20_261_123)
        },
        // Objects without members are thrown away while they are generated.
        max_local_rejects: u32::MAX,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/data/properties.txt",
        ))),
        ..default
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
