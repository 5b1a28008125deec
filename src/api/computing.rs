//! Where a request computes for longer than a moment, so that it does not hold up others.

use tokio::sync::Semaphore;

/// Runs long computing while the other requests of the process go on; a program with several threads has a way to.
pub trait Offload: Send + Sync {
    /// Runs `compute` to its end.
    fn run<'c>(&self, compute: Box<dyn FnOnce() + 'c>);
}

/// Where long computing runs.
#[derive(Default)]
pub(super) enum Computing {
    /// Here: a handler serves one request at a time.
    #[default]
    InPlace,
    /// Elsewhere, so many requests at a time.
    Offloaded {
        places: Semaphore,
        offload: Box<dyn Offload>,
    },
}

impl Computing {
    /// Computes for up to so many requests at a time where `offload` says.
    pub(super) fn offloaded(places: usize, offload: impl Offload + 'static) -> Self {
        Self::Offloaded {
            places: Semaphore::new(places),
            offload: Box::new(offload),
        }
    }

    /// Computes something that takes up to some 20 ms. Before it begins, others get their turn, and the
    /// request ends here if its deadline has passed.
    pub(super) async fn run<T>(&self, compute: impl FnOnce() -> T) -> T {
        let Self::Offloaded { places, offload } = self else {
            tokio::task::yield_now().await;
            return compute();
        };
        // The semaphore is never closed.
        let _place = places.acquire().await;
        let mut result = None;
        offload.run(Box::new(|| result = Some(compute())));
        match result {
            Some(result) => result,
            None => unreachable!("`Offload::run` runs what it is given"),
        }
    }
}
