//! `serve`: the service over HTTP.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::StatusCode;
use http::header::HOST;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use paradigm_scim::api::Service;
use paradigm_scim::api::message::{Body, MAX_READ_BYTES, Request, Response};
use paradigm_scim::config::{ACTIVATION_VARIABLE, BASE_PATH, Config, SystemClock, origin_of};
use paradigm_scim::store::Store;
use paradigm_scim::store::embedded::Embedded;
use paradigm_scim::telemetry;
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use crate::open::StoreArguments;
use crate::output::line;
use crate::request_target::Repaired;
use crate::signal::end_signal;
use crate::{Failure, demo};

/// How long a client may take to send its headers, and then its body.
const PATIENCE: Duration = Duration::from_secs(10);
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
    loop {
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
        let connection = connection(stream, Arc::clone(&service));
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that goes away or breaks HTTP has nothing to be told.
            if let Err(error) = watched.await {
                tracing::debug!(%error, "a connection ended early");
            }
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

fn connection(
    stream: TcpStream,
    service: Arc<Service>,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> {
    // Answers are small and whole: waiting to fill packets only delays them.
    let _ = stream.set_nodelay(true);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(
            TokioIo::new(Repaired::new(stream)),
            service_fn(move |request| {
                let service = Arc::clone(&service);
                async move { Ok::<_, Infallible>(answer(service, request).await) }
            }),
        )
}

async fn answer(
    service: Arc<Service>,
    request: hyper::Request<Incoming>,
) -> hyper::Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = arrived(body).await;
    let request = received(parts, body);
    // A task of its own goes on to the end, though the client may go away.
    let answered = tokio::spawn(async move { service.handle(&request).await });
    sent(
        answered
            .await
            .unwrap_or_else(|_| Response::empty(StatusCode::INTERNAL_SERVER_ERROR)),
    )
}

async fn arrived(body: Incoming) -> Body {
    if body.size_hint().lower() > MAX_READ_BYTES as u64 {
        return Body::TooLarge;
    }
    let limited = Limited::new(body, MAX_READ_BYTES);
    match tokio::time::timeout(PATIENCE, limited.collect()).await {
        Ok(Ok(body)) => Body::Complete(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Body::TooLarge,
        Ok(Err(_)) | Err(_) => Body::Broken,
    }
}

fn received(parts: http::request::Parts, body: Body) -> Request {
    let host = parts
        .headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost");
    Request {
        id: Uuid::now_v7().to_string(),
        origin: format!("http://{host}"),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        method: parts.method,
        headers: parts.headers,
        body,
    }
}

fn sent(response: Response) -> hyper::Response<Full<Bytes>> {
    let mut sent = hyper::Response::new(Full::new(response.body.unwrap_or_default()));
    *sent.status_mut() = response.status;
    *sent.headers_mut() = response.headers;
    sent
}
