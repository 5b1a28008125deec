//! Long computing, which runs so that it does not delay other requests.

use tokio::sync::Semaphore;

/// Where long computing runs.
#[derive(Debug, Default)]
pub(super) enum Computing {
    /// Here: a handler serves one request at a time.
    #[default]
    InPlace,
    /// On threads of their own, so many at a time; the threads that serve requests go on meanwhile.
    Aside(Semaphore),
}

impl Computing {
    /// Computes aside, on up to so many threads at a time.
    pub(super) fn aside(threads: usize) -> Self {
        Self::Aside(Semaphore::new(threads))
    }

    /// Computes something that takes up to some 20 ms. Before it begins, others get their turn, and the
    /// request ends here if its deadline has passed.
    pub(super) async fn run<T>(&self, compute: impl FnOnce() -> T) -> T {
        match self {
            Self::InPlace => {
                tokio::task::yield_now().await;
                compute()
            }
            Self::Aside(threads) => {
                // The semaphore is never closed.
                let _place = threads.acquire().await;
                tokio::task::block_in_place(compute)
            }
        }
    }
}
