//! One connection, and the pool of them.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, ready};

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use paradigm_scim::store::StoreError;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::lookup_host;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::config::Host;
use tokio_postgres::error::Severity;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::Failure;
use crate::sql_state::Meaning;
use crate::tls;
use crate::url::DatabaseUrl;

/// The values of a statement's parameters.
pub(crate) type Parameters = Vec<Box<dyn ToSql + Send + Sync>>;
pub(crate) type Pool = managed::Pool<Connector>;

const DEFAULT_PORT: u16 = 5432;
/// SQLSTATE of a warning, above all that the wait for a synchronous replica was cut short.
const WARNING: &str = "01000";

/// Opens connections, and sorts out those that must not be used again.
pub(crate) struct Connector {
    url: DatabaseUrl,
    tls: Option<MakeRustlsConnect>,
}

impl Connector {
    /// Makes a connector.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if there are no trusted authorities to verify certificates with.
    pub(crate) fn new(url: &DatabaseUrl) -> Result<Self, StoreError> {
        Ok(Self {
            tls: tls::connector(url)?,
            url: url.clone(),
        })
    }

    /// Opens a connection to the first host that takes it in time.
    pub(crate) async fn connect(&self) -> Result<Connection, Failure> {
        let mut failure = Failure::without_connection(ErrorKind::AddrNotAvailable);
        for host in self.url.hosts() {
            match self.connect_to(host).await {
                Ok(connection) => return Ok(connection),
                Err(of_host) => failure = of_host,
            }
        }
        Err(failure)
    }

    /// Opens a connection to the first address of a host that takes it. The time of each includes TLS, the password, and
    /// whether the server takes writes: a server that hangs accepts connections, and never responds.
    async fn connect_to(&self, host: Config) -> Result<Connection, Failure> {
        let mut failure = Failure::without_connection(ErrorKind::AddrNotAvailable);
        let addresses = addresses(host).await;
        for address in addresses.map_err(|error| Failure::without_connection(error.kind()))? {
            let connect = self.sign_in(&address);
            let result = match address.get_connect_timeout() {
                Some(limit) => timeout(*limit, connect).await,
                None => Ok(connect.await),
            };
            match result {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(of_address)) => failure = of_address,
                Err(_) => failure = Failure::without_connection(ErrorKind::TimedOut),
            }
        }
        Err(failure)
    }

    async fn sign_in(&self, address: &Config) -> Result<Connection, Failure> {
        match &self.tls {
            Some(tls) => {
                let (client, io) = address.connect(tls.clone()).await?;
                Ok(Connection::driven(client, io))
            }
            None => {
                let (client, io) = address.connect(NoTls).await?;
                Ok(Connection::driven(client, io))
            }
        }
    }
}

/// Returns the configuration of each address of a host.
async fn addresses(host: Config) -> io::Result<Vec<Config>> {
    let (Some(Host::Tcp(name)), []) = (host.get_hosts().first(), host.get_hostaddrs()) else {
        return Ok(vec![host]);
    };
    let port = host.get_ports().first().copied().unwrap_or(DEFAULT_PORT);
    let addresses = lookup_host((name.as_str(), port)).await?;
    let with = |address: SocketAddr| host.clone().hostaddr(address.ip()).clone();
    Ok(addresses.map(with).collect())
}

impl managed::Manager for Connector {
    type Type = Connection;
    type Error = Failure;

    async fn create(&self) -> Result<Connection, Failure> {
        self.connect().await
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<Failure> {
        if connection.client.is_closed() {
            return Err(RecycleError::message("closed"));
        }
        Ok(())
    }
}

/// A connection with its prepared statements.
pub(crate) struct Connection {
    pub(crate) client: Client,
    /// The prepared statements by their text.
    statements: HashMap<&'static str, Statement>,
    has_warned: Arc<AtomicBool>,
    driver: AbortHandle,
    /// Whether it may be used again: there is no statement on it whose response was not read, and none has failed in a
    /// way that makes the connection useless.
    pub(crate) is_usable: bool,
}

impl Connection {
    /// Makes a connection whose messages are read by a task of their own.
    fn driven<S, T>(client: Client, mut io: tokio_postgres::Connection<S, T>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let has_warned = Arc::new(AtomicBool::new(false));
        let warn = Arc::clone(&has_warned);
        let messages = poll_fn(move |context| {
            loop {
                match ready!(io.poll_message(context)) {
                    Some(Ok(AsyncMessage::Notice(notice))) => {
                        if notice.code().code() == WARNING
                            && notice.parsed_severity() == Some(Severity::Warning)
                        {
                            warn.store(true, Ordering::Release);
                        }
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Poll::Ready(()),
                }
            }
        });
        Self {
            client,
            statements: HashMap::new(),
            has_warned,
            driver: tokio::spawn(messages).abort_handle(),
            is_usable: true,
        }
    }

    /// Runs a statement and returns its rows. A warning counts as a failure: a commit that reports one may be lost.
    pub(crate) async fn query(
        &mut self,
        sql: &'static str,
        parameters: &Parameters,
    ) -> Result<Vec<Row>, Failure> {
        // Stays so if this future is dropped before the response is read.
        self.is_usable = false;
        let result = self.query_once(sql, parameters).await;
        self.is_usable = match &result {
            Ok(_) => true,
            Err(failure) => matches!(
                failure.meaning,
                Meaning::Retry | Meaning::Busy | Meaning::Refused
            ),
        };
        result
    }

    async fn query_once(
        &mut self,
        sql: &'static str,
        parameters: &Parameters,
    ) -> Result<Vec<Row>, Failure> {
        let statement = match self.statements.get(sql) {
            Some(statement) => statement.clone(),
            None => {
                let statement = self.client.prepare(sql).await?;
                self.statements.insert(sql, statement.clone());
                statement
            }
        };
        self.has_warned.store(false, Ordering::Release);
        let parameters: Vec<&(dyn ToSql + Sync)> = parameters
            .iter()
            .map(|parameter| &**parameter as &(dyn ToSql + Sync))
            .collect();
        // It ends with the message that the server is ready again, which follows the commit.
        let rows = self.client.query(&statement, &parameters).await?;
        if self.has_warned.load(Ordering::Acquire) {
            return Err(Failure::unconfirmed());
        }
        Ok(rows)
    }
}

impl Drop for Connection {
    /// Closes the socket of a connection that waits for a response. Nothing is sent that would cancel the statement.
    fn drop(&mut self) {
        if !self.is_usable {
            self.driver.abort();
        }
    }
}

/// The use of a pooled connection: one that must not be used again leaves the pool.
pub(crate) struct Lease(Option<managed::Object<Connector>>);

impl Lease {
    pub(crate) async fn of(pool: &Pool) -> Result<Self, Failure> {
        Ok(Self(Some(pool.get().await?)))
    }

    pub(crate) async fn query(
        &mut self,
        sql: &'static str,
        parameters: &Parameters,
    ) -> Result<Vec<Row>, Failure> {
        match &mut self.0 {
            Some(connection) => connection.query(sql, parameters).await,
            None => Err(Failure::late()),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take()
            && !connection.is_usable
        {
            drop(managed::Object::take(connection));
        }
    }
}
