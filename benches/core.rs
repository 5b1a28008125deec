//! What the core costs a request: time, and memory allocations, of one user of the usual size.
//!
//! `cargo bench` measures both.

#![expect(
    clippy::unwrap_used,
    reason = "what is measured is known to be valid, as in a test"
)]

use std::alloc::System;
use std::hint::black_box;

use criterion::measurement::{Measurement, ValueFormatter};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use paradigm_scim::directory::{CompanyId, USER, User, UserId};
use scim::dialect;
use scim::filter::{self, Scope};
use scim::messages::PatchOp;
use scim::projection::Projection;
use scim::resource::{Document, render};
use scim::work::Work;
use serde_json::{Map, Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use uuid::Uuid;

use paradigm_scim::store::layout;
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Counts allocations, and reallocations too, instead of taking time.
struct Allocations;

fn allocations() -> usize {
    let stats = ALLOCATOR.stats();
    stats.allocations + stats.reallocations
}

impl Measurement for Allocations {
    type Intermediate = usize;
    type Value = usize;

    fn start(&self) -> usize {
        allocations()
    }

    fn end(&self, before: usize) -> usize {
        allocations() - before
    }

    fn add(&self, one: &usize, other: &usize) -> usize {
        one + other
    }

    fn zero(&self) -> usize {
        0
    }

    fn to_f64(&self, value: &usize) -> f64 {
        *value as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self
    }
}

impl ValueFormatter for Allocations {
    fn scale_values(&self, _typical: f64, _values: &mut [f64]) -> &'static str {
        "allocations"
    }

    fn scale_throughputs(
        &self,
        _typical: f64,
        _: &Throughput,
        _values: &mut [f64],
    ) -> &'static str {
        "allocations"
    }

    fn scale_for_machines(&self, _values: &mut [f64]) -> &'static str {
        "allocations"
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => unreachable!(),
    }
}

/// A user as Entra makes one with its recommended mapping.
fn body() -> Map<String, Value> {
    object(json!({
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        ],
        "externalId": "58342554-38d6-4ec8-948c-50044d0a33fd",
        "userName": "ada.lovelace@example.com",
        "name": {"formatted": "Ada Lovelace", "familyName": "Lovelace", "givenName": "Ada"},
        "displayName": "Ada Lovelace",
        "title": "Analyst",
        "preferredLanguage": "en-GB",
        "active": true,
        "emails": [
            {"type": "work", "value": "ada.lovelace@example.com", "primary": true},
            {"type": "home", "value": "ada@home.example.com"},
        ],
        "phoneNumbers": [{"type": "work", "value": "+33 1 23 45 67 89"}],
        "addresses": [{"type": "work", "locality": "Paris", "postalCode": "75002", "country": "FR"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "employeeNumber": "701984", "costCenter": "4130", "organization": "Engines",
            "department": "Analysis", "manager": {"value": "26118915-6090-4610-87e4-49d8ca9f808d"},
        },
    }))
}

/// What Entra sends when a user changes their name, with the flag.
fn patch_message() -> Map<String, Value> {
    object(json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [
            {"op": "replace", "path": "userName", "value": "ada.king@example.com"},
            {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "ada.king@example.com"},
            {"op": "replace", "path": "name.familyName", "value": "King"},
        ],
    }))
}

fn core<M: Measurement + 'static>(criterion: &mut Criterion<M>) {
    const BASE_URL: &str = "https://scim.example.com/scim/v2";
    const FILTERS: [(&str, &str); 2] = [
        ("equality", r#"userName eq "ada.lovelace@example.com""#),
        (
            "nested",
            r#"(active eq true and not (title pr or displayName sw "B")) or emails[type eq "home" and value ew "home.example.com"]"#,
        ),
    ];

    let document = Document::from_input(body(), &USER).unwrap();
    let id = UserId::new(Uuid::from_u128(7));
    let company = CompanyId::new(Uuid::from_u128(8));
    let user = User::new(id, document.clone(), Timestamp::UNIX_EPOCH).unwrap();
    let stored = layout::from_user(company, &user, "write").unwrap();
    let written_id = id.to_string();
    let rendered = || render(&USER, &written_id, document.clone(), &user.meta(), BASE_URL);
    let resource = rendered();

    for (name, text) in FILTERS {
        let parse = || filter::parse(black_box(text), Scope::Resource(&USER)).unwrap();
        let filter = parse();
        criterion.bench_function(&format!("filter/parse/{name}"), |b| b.iter(parse));
        criterion.bench_function(&format!("filter/evaluate/{name}"), |b| {
            b.iter(|| {
                filter
                    .matches(black_box(&resource), &mut Work::of_query())
                    .unwrap()
            });
        });
    }

    criterion.bench_function("resource/validate", |b| {
        let validate = |mut body| {
            dialect::resource(&mut body, &USER);
            Document::from_input(body, &USER).unwrap()
        };
        b.iter_batched(body, validate, BatchSize::SmallInput);
    });
    criterion.bench_function("resource/render", |b| b.iter(rendered));
    let names = ["userName", "emails.value", "name"].map(str::to_owned);
    let projection = Projection::parse(&names, &[], &USER).unwrap();
    criterion.bench_function("resource/project", |b| {
        b.iter_batched(
            rendered,
            |resource| projection.apply(resource, &USER),
            BatchSize::SmallInput,
        );
    });

    criterion.bench_function("patch/parse", |b| {
        let parse = |message| PatchOp::parse(message, &USER).unwrap();
        b.iter_batched(patch_message, parse, BatchSize::SmallInput);
    });
    let patch = PatchOp::parse(patch_message(), &USER).unwrap();
    criterion.bench_function("patch/apply", |b| {
        b.iter(|| {
            patch
                .apply(
                    &written_id,
                    black_box(&document),
                    &USER,
                    &mut Work::of_patch(),
                )
                .unwrap()
        });
    });

    criterion.bench_function("item/encode", |b| {
        b.iter(|| layout::from_user(company, black_box(&user), "write").unwrap());
    });
    criterion.bench_function("item/decode", |b| {
        b.iter(|| layout::to_user(id, black_box(&stored)).unwrap());
    });
}

criterion_group!(time, core);
criterion_group!(
    name = allocations_made;
    config = Criterion::default().with_measurement(Allocations);
    targets = core
);
criterion_main!(time, allocations_made);
