//! `serve`: serves the SCIM routes over HTTP.

mod connection;
pub(crate) mod listen;
mod request_stream;
mod request_target;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hyper_util::server::graceful::GracefulShutdown;
use paradigm_scim::api::Service;
use paradigm_scim::api::key_limits::{KeyLimits, LOWEST_RATE};
use paradigm_scim::api::route::base_url;
use paradigm_scim::config::{ACTIVATION_VARIABLE, Config, SystemClock};
use paradigm_scim::store::Store;
use paradigm_scim::store::memory::Memory;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::end_signal::end_signal;
use crate::output::line;
use crate::place::{Place, keeping_audit};
use crate::serve::connection::connection;
use crate::serve::listen::{is_loopback, listen, resolve};
use crate::store_arguments::StoreArguments;
use crate::{Failure, logging};
use embedded::demo;

/// Most connections at a time.
const MAX_CONNECTIONS: usize = 1024;
/// How long requests under way may take to end after a signal.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Args)]
pub(crate) struct Serve {
    /// Host name or address, and port, to listen on; beyond this machine only behind a proxy with
    /// TLS, which --public-url names
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    listen: String,
    /// Scheme and host that clients use, if not those of their requests
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Listen beyond this machine without TLS: everyone on the network can read and use the API
    /// keys and change every request
    #[arg(long)]
    allow_plain_http: bool,
    /// Requests a second that each API key may send; more are delayed, then refused with 429
    #[arg(long, value_name = "NUMBER", default_value_t = 200,
        value_parser = clap::value_parser!(u32).range(i64::from(LOWEST_RATE)..=1_000_000))]
    key_rate: u32,
    /// Requests that each API key may have under way at a time; more wait, then are refused with 429
    #[arg(long, value_name = "NUMBER", default_value = "16")]
    key_concurrency: NonZeroU32,
    /// Keep everything in memory only: it is lost when the program ends
    #[arg(long, conflicts_with_all = ["data_dir", "endpoint_url", "database_url", "database_url_file"])]
    in_memory: bool,
    #[command(flatten)]
    store: StoreArguments,
}

impl Serve {
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        let mut config = Config::from_env();
        logging::log_to_terminal(&config);
        if self.public_url.is_some() {
            config.public_url.clone_from(&self.public_url);
        }
        let addresses = resolve(&self.listen).await?;
        self.require_tls(&addresses, &config)?;
        let store = self.open().await?;
        let listener = listen(&addresses).await?;
        let end = end_signal()?;
        self.greet(&store, &config, listener.local_addr()?).await?;
        let service = Service::new(store, config, Arc::new(SystemClock))
            .limiting(KeyLimits::new(self.key_rate, self.key_concurrency))
            .computing_aside(computing_threads());
        let service = Arc::new(service);
        let accept = async move || accept(&listener).await;
        serve(accept, service, end).await
    }

    /// Refuses to carry API keys over a network in clear text, unless that is wanted.
    fn require_tls(&self, addresses: &[SocketAddr], config: &Config) -> Result<(), Failure> {
        let public_url = config.public_url.as_deref().unwrap_or_default();
        let is_https = public_url
            .get(..6)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"));
        if is_https || self.allow_plain_http || addresses.iter().all(is_loopback) {
            return Ok(());
        }
        Err(format!(
            "{} is reached from other machines, and API keys would cross the network in clear text. Put a proxy with TLS in front of it, and name that with --public-url https://HOST; or accept the risk with --allow-plain-http.",
            self.listen
        )
        .into())
    }

    async fn open(&self) -> Result<Store, Failure> {
        if self.in_memory {
            keeping_audit(Store::on(Arc::new(Memory::new())))
        } else {
            self.store.open_to_serve().await
        }
    }

    /// Prints what to paste into the identity provider. Demo data goes into an empty embedded store, or into memory.
    async fn greet(
        &self,
        store: &Store,
        config: &Config,
        address: SocketAddr,
    ) -> Result<(), Failure> {
        let base_url = match &config.public_url {
            Some(url) => base_url(url),
            None => base_url(&format!("http://{address}")),
        };
        let token = if self.in_memory || matches!(self.store.place()?, Place::Embedded(_)) {
            demo::create(store).await?
        } else {
            None
        };
        line(&format!("Tenant URL: {base_url}/?aadOptscim062020"))?;
        match token {
            Some(token) => line(&format!("Secret token: {}", *token.reveal()))?,
            None => line(
                "The secret token was shown when the key was created. To create another one: cargo scim key create --company COMPANY --owner USER --name NAME",
            )?,
        }
        if self.in_memory {
            line("Everything is in memory only, and is lost when the program ends.")?;
        }
        if !config.is_activated {
            line(&format!(
                "SCIM is not activated, every request will be refused. Start with {ACTIVATION_VARIABLE}=True to activate it."
            ))?;
        }
        Ok(())
    }
}

/// Returns how many threads may compute for long at a time: half of the processors, at least one.
fn computing_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |processors| (processors.get() / 2).max(1))
}

async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (stream, _) = listener.accept().await?;
    // Responses are small and whole: waiting to fill packets only delays them.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Serves connections until the end is signalled, then lets the requests under way end.
async fn serve<S>(
    mut accept: impl AsyncFnMut() -> io::Result<S>,
    service: Arc<Service>,
    end: impl Future<Output = ()>,
) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let graceful = GracefulShutdown::new();
    let mut end = pin!(end);
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // Beyond the limit, connections wait for another to end before they are taken.
        let next = async {
            let place = Arc::clone(&free).acquire_owned().await;
            (place, accept().await)
        };
        let (place, stream) = tokio::select! {
            (place, accepted) = next => match accepted {
                Ok(stream) => (place?, stream),
                Err(error) => {
                    // Such as too many open files: what is open goes on.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut end => break,
        };
        let connection = connection(stream, Arc::clone(&service));
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that goes away or breaks HTTP gets no response.
            if let Err(error) = watched.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    // No place becomes free for connections that wait for one.
    drop(accept);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(GRACE) => tracing::warn!("requests under way were cut off"),
        // A second signal ends the waiting.
        () = end_signal()? => tracing::warn!("requests under way were cut off"),
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use clap::Parser;
    use tokio::io::{DuplexStream, duplex};
    use tokio::sync::{mpsc, oneshot};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        serve: Serve,
    }

    fn parsed(arguments: &[&str]) -> Result<Serve, clap::Error> {
        let arguments = [&["serve"], arguments].concat();
        Line::try_parse_from(arguments).map(|line| line.serve)
    }

    #[tokio::test]
    async fn keys_cross_a_network_in_clear_text_only_if_that_is_wanted() {
        let here = [
            "127.0.0.1:80",
            "127.9.9.9:80",
            "[::1]:80",
            "[::ffff:127.0.0.1]:80",
        ];
        let beyond = ["0.0.0.0:80", "[::]:80", "192.0.2.1:80", "[2001:db8::1]:80"];
        let any = [here, beyond].concat();
        for (addresses, arguments, public_url, is_allowed) in [
            (here.as_slice(), [].as_slice(), None, true),
            (here.as_slice(), [].as_slice(), Some("http://a"), true),
            (beyond.as_slice(), [].as_slice(), None, false),
            (beyond.as_slice(), [].as_slice(), Some("http://a"), false),
            (beyond.as_slice(), [].as_slice(), Some("httpsx"), false),
            (any.as_slice(), [].as_slice(), Some("https://a"), true),
            (any.as_slice(), [].as_slice(), Some("HTTPS://a"), true),
            (
                any.as_slice(),
                ["--allow-plain-http"].as_slice(),
                None,
                true,
            ),
        ] {
            for address in addresses {
                let serve = parsed(&[&["--listen", address], arguments].concat()).unwrap();
                let config = Config {
                    is_activated: true,
                    public_url: public_url.map(str::to_owned),
                    ..Config::default()
                };
                let found = resolve(&serve.listen).await.unwrap();
                let allowed = serve.require_tls(&found, &config);
                assert_eq!(allowed.is_ok(), is_allowed, "{address} {public_url:?}");
            }
        }
    }

    #[test]
    fn no_key_can_be_limited_to_less_than_providers_send() {
        assert!(parsed(&["--key-rate", "49"]).is_err());
        assert!(parsed(&["--key-concurrency", "0"]).is_err());
        let serve = parsed(&["--key-rate", "50", "--key-concurrency", "1"]).unwrap();
        assert_eq!((serve.key_rate, serve.key_concurrency.get()), (50, 1));
    }

    /// On a clock that only waiting moves.
    #[tokio::test(start_paused = true)]
    async fn beyond_the_limit_connections_wait_and_the_end_does_not() {
        let store = Store::on(Arc::new(Memory::new()));
        let config = Config {
            is_activated: true,
            ..Config::default()
        };
        let service = Arc::new(Service::new(store, config, Arc::new(SystemClock)));
        let (connect, mut waiting) = mpsc::unbounded_channel::<DuplexStream>();
        let taken = &AtomicUsize::new(0);
        let accept = async move || {
            let stream = waiting.recv().await.ok_or(io::ErrorKind::Other)?;
            taken.fetch_add(1, Ordering::Relaxed);
            Ok(stream)
        };
        let (end, ended) = oneshot::channel();
        let serving = serve(accept, service, async { ended.await.unwrap() });

        let clients = async {
            let mut clients = Vec::new();
            for (number, expected) in [
                (MAX_CONNECTIONS - 1, MAX_CONNECTIONS - 1),
                (1, MAX_CONNECTIONS),
                (1, MAX_CONNECTIONS),
            ] {
                for _ in 0..number {
                    let (client, server) = duplex(64);
                    connect.send(server).unwrap();
                    clients.push(client);
                }
                settled().await;
                assert_eq!(taken.load(Ordering::Relaxed), expected);
            }
            drop(clients.remove(0));
            settled().await;
            assert_eq!(taken.load(Ordering::Relaxed), MAX_CONNECTIONS + 1);
            assert!(!connect.is_closed());
            end.send(()).unwrap();
            settled().await;
            assert!(connect.is_closed(), "the end waits for a connection");
        };
        tokio::join!(serving, clients).0.unwrap();
    }

    /// Waits until nothing moves any more: only then does the clock.
    async fn settled() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
