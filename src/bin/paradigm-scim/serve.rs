//! `serve`: the service over HTTP.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hyper_util::server::graceful::GracefulShutdown;
use paradigm_scim::api::Service;
use paradigm_scim::config::{ACTIVATION_VARIABLE, BASE_PATH, Config, SystemClock, origin_of};
use paradigm_scim::store::Store;
use paradigm_scim::store::embedded::Embedded;
use paradigm_scim::telemetry;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::connection::connection;
use crate::open::StoreArguments;
use crate::output::line;
use crate::signal::end_signal;
use crate::{Failure, demo};

/// Most connections at a time.
const MAX_CONNECTIONS: usize = 1024;
/// How long requests under way may take to end after a signal.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Args)]
pub(crate) struct Serve {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Scheme and host that clients use, if not those of their requests
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Keep the embedded store in memory: everything is gone when the program ends
    #[arg(long, conflicts_with_all = ["data_dir", "endpoint_url"])]
    in_memory: bool,
    #[command(flatten)]
    store: StoreArguments,
}

impl Serve {
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        telemetry::log_to_terminal();
        let store = self.open().await?;
        let listener = listen(self.listen).await?;
        let address = listener.local_addr()?;
        let mut config = Config::from_env();
        if let Some(url) = &self.public_url {
            config.public_url = Some(origin_of(url));
        }
        self.greet(&store, &config, address).await?;
        let service = Arc::new(Service::new(store, config, Arc::new(SystemClock)));
        accept(listener, service).await
    }

    async fn open(&self) -> Result<Store, Failure> {
        if self.in_memory {
            Ok(Embedded::in_memory()?.store(&self.store.table).await?)
        } else {
            self.store.open_or_make().await
        }
    }

    /// Says what to paste into the identity provider. Demo data goes into an empty embedded store
    /// only.
    async fn greet(
        &self,
        store: &Store,
        config: &Config,
        address: SocketAddr,
    ) -> Result<(), Failure> {
        let origin = config
            .public_url
            .clone()
            .unwrap_or_else(|| format!("http://{address}"));
        let token = match self.store.endpoint_url {
            Some(_) => None,
            None => demo::create(store).await?,
        };
        line(&format!(
            "Tenant URL: {origin}{BASE_PATH}/?aadOptscim062020"
        ))?;
        match token {
            Some(token) => line(&format!("Secret token: {}", *token.reveal()))?,
            None => line(
                "The secret token was shown when the key was made. Another one: cargo scim key create --company COMPANY --owner USER --name NAME",
            )?,
        }
        if !config.is_activated {
            line(&format!(
                "SCIM is not activated, every request will be refused. Start with {ACTIVATION_VARIABLE}=True to activate it."
            ))?;
        }
        Ok(())
    }
}

/// Takes an address and port, or says why not.
pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}").into())
}

/// Serves connections until Ctrl-C or SIGTERM, then lets the requests under way end.
async fn accept(listener: TcpListener, service: Arc<Service>) -> Result<(), Failure> {
    let graceful = GracefulShutdown::new();
    let mut end = pin!(end_signal()?);
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // Beyond the limit, connections wait for another to end before they are taken.
        let place = Arc::clone(&free).acquire_owned().await?;
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Such as too many open files: what is open goes on.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut end => break,
        };
        // Answers are small and whole: waiting to fill packets only delays them.
        let _ = stream.set_nodelay(true);
        let connection = connection(stream, Arc::clone(&service));
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that goes away or breaks HTTP has nothing to be told.
            if let Err(error) = watched.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(GRACE) => tracing::warn!("requests under way were cut off"),
        // Who asks twice does not want to wait.
        () = end_signal()? => tracing::warn!("requests under way were cut off"),
    }
    Ok(())
}
