//! The records of requests, as the log gets them.

use std::sync::{Arc, Mutex};

use paradigm_scim::telemetry::{RequestObserver, RequestRecord};
use test_support::world::World;

/// Keeps the records of requests.
#[derive(Default)]
pub struct Records(Mutex<Vec<RequestRecord>>);

impl Records {
    /// Returns the world with a service whose records are kept.
    pub fn of(world: World) -> (World, Arc<Self>) {
        let records = Arc::new(Self::default());
        let service = world.service.observed_by(Arc::clone(&records) as _);
        (World { service, ..world }, records)
    }

    /// Takes the last record.
    pub fn pop(&self) -> RequestRecord {
        self.0.lock().unwrap().pop().expect("a record")
    }
}

impl RequestObserver for Records {
    fn observe(&self, record: &RequestRecord) {
        self.0.lock().unwrap().push(record.clone());
    }
}
