//! The server: it takes connections, up to a limit, and ends without losing a request.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::serve::connection::{Shared, connection};
use crate::serve::drain::Phase;
use crate::serve::metrics::Counted;
use crate::serve::tls::Tls;

/// Most connections at a time.
pub(crate) const MAX_CONNECTIONS: usize = 1024;
/// How long connections that have arrived may wait to be taken when the server closes: they would be reset.
const LAST_CONNECTIONS: Duration = Duration::from_millis(10);

/// How long the end may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DrainTimes {
    /// From the signal until no new connections are taken.
    pub(crate) delay: Duration,
    /// From then on, until the requests that have not ended are cut off.
    pub(crate) timeout: Duration,
}

/// What serves the connections of a listener.
pub(crate) struct Server {
    shared: Arc<Shared>,
    tls: Option<Arc<Tls>>,
    places: Arc<Semaphore>,
}

impl Server {
    pub(crate) fn new(shared: Arc<Shared>, tls: Option<Arc<Tls>>) -> Self {
        Self {
            shared,
            tls,
            places: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        }
    }

    /// Serves connections until `end_signal` resolves, and then lets the requests under way end. The next `end_signal`
    /// ends the waiting.
    pub(crate) async fn run<S>(
        self,
        mut accept: impl AsyncFnMut() -> io::Result<(S, IpAddr)>,
        drain: DrainTimes,
        mut end_signal: impl AsyncFnMut(),
    ) where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let phase = &self.shared.phase;
        self.take(&mut accept, end_signal()).await;
        phase.send_replace(Phase::Leaving);
        tracing::info!("the server is ending: every response closes its connection");
        let mut cut = pin!(end_signal());
        let left = async {
            tokio::select! {
                () = tokio::time::sleep(drain.delay.max(LAST_CONNECTIONS)) => true,
                () = &mut cut => false,
            }
        };
        let waits = self.take(&mut accept, left).await;
        // No place becomes free for connections that wait for one.
        drop(accept);
        phase.send_replace(Phase::Closing);
        let has_ended = waits
            && tokio::select! {
                () = phase.closed() => true,
                () = tokio::time::sleep(drain.timeout) => false,
                () = &mut cut => false,
            };
        if !has_ended {
            tracing::warn!("requests under way were cut off");
        }
    }

    /// Takes connections until `end` resolves, and returns its value.
    async fn take<S, T>(
        &self,
        accept: &mut impl AsyncFnMut() -> io::Result<(S, IpAddr)>,
        end: impl Future<Output = T>,
    ) -> T
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut end = pin!(end);
        loop {
            // Beyond the limit, connections wait for another to end before they are taken.
            let next = async {
                let place = Arc::clone(&self.places).acquire_owned().await;
                (place, accept().await)
            };
            tokio::select! {
                biased;
                ended = &mut end => return ended,
                (place, accepted) = next => match (place, accepted) {
                    (Ok(place), Ok((stream, peer))) => self.serve(stream, peer, place),
                    (_, Err(error)) => {
                        // Such as too many open files: what is open goes on.
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    // Nothing closes the semaphore.
                    (Err(_), _) => {}
                },
            }
        }
    }

    /// Serves a connection in a task of its own. It has its place from before the handshake on.
    fn serve<S>(&self, stream: S, peer: IpAddr, place: OwnedSemaphorePermit)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let shared = Arc::clone(&self.shared);
        let tls = self.tls.clone();
        // The server waits for what has this, also during the handshake.
        let until_ended = shared.phase.subscribe();
        let open = Counted::by(&shared.metrics.connections);
        tokio::spawn(async move {
            let ended = match tls {
                None => connection(stream, peer, shared).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => {
                        shared.metrics.count_handshake("completed");
                        connection(stream, peer, shared).await
                    }
                    Err(failure) => {
                        shared.metrics.count_handshake(failure.as_str());
                        // Every scanner of ports causes one.
                        tracing::debug!(%failure, "a TLS handshake was not completed");
                        Ok(())
                    }
                },
            };
            // A client that goes away or breaks HTTP gets no response.
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
            drop((place, until_ended, open));
        });
    }
}

/// Takes a connection from a listener.
pub(crate) async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, IpAddr)> {
    let (stream, peer): (TcpStream, SocketAddr) = listener.accept().await?;
    // Responses are small and whole: waiting to fill packets only delays them.
    let _ = stream.set_nodelay(true);
    Ok((stream, peer.ip().to_canonical()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
