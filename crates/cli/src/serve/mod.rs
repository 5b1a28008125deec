//! `serve`: serves the SCIM routes over HTTP.

mod admin;
mod connection;
mod console_beside;
mod drain;
mod forwarded;
pub(crate) mod listen;
mod metrics;
mod origin;
mod readiness;
mod request_stream;
mod request_target;
mod server;
mod tls;

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use ipnet::IpNet;
use paradigm_scim::api::Service;
use paradigm_scim::api::key_limits::{KeyLimits, LOWEST_RATE};
use paradigm_scim::api::route::base_url;
use paradigm_scim::config::{ACTIVATION_VARIABLE, Config, SystemClock};
use paradigm_scim::store::Store;
use paradigm_scim::store::memory::Memory;
use paradigm_scim::telemetry::log_as_json_lines;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::Failure;
use crate::console;
use crate::end_signal::EndSignals;
use crate::logging::{self, LogFormat};
use crate::operator_listener;
use crate::output::line;
use crate::place::{Place, keeping_audit};
use crate::serve::admin::Admin;
use crate::serve::connection::Shared;
use crate::serve::console_beside::{ConsoleBeside, Observers};
use crate::serve::drain::Phase;
use crate::serve::forwarded::{ForwardedHeaders, TrustedProxies, network};
use crate::serve::listen::{Scheme, is_loopback, listen, resolve};
use crate::serve::metrics::Metrics;
use crate::serve::origin::Origins;
use crate::serve::readiness::Readiness;
use crate::serve::server::{DrainTimes, Server, accept};
use crate::serve::tls::{Files, Tls};
use crate::store_arguments::{Served, StoreArguments};
use embedded::demo;

/// Form of the log, as `--log-format` sets it.
const LOG_FORMAT_VARIABLE: &str = "SCIM_LOG_FORMAT";
/// Longest part of the end, in seconds.
const MAX_DRAIN_SECONDS: u64 = 3600;

#[derive(Args)]
pub(crate) struct Serve {
    /// Host name or address, and port, to listen on; beyond this machine only with TLS, by
    /// --tls-certificate or a proxy that --public-url names
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    listen: String,
    /// File with the certificate and its chain, in PEM form; read again on SIGHUP
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// File with the private key of the certificate, in PEM form without a passphrase; read again
    /// on SIGHUP
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Scheme and host that clients use, if not those of their requests
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Addresses or networks of proxies, with commas between them, whose headers say which scheme
    /// and host clients use, if --public-url does not; all other forwarding headers are ignored
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',', value_parser = network)]
    trusted_proxies: Vec<IpNet>,
    /// The headers that these proxies set, whatever clients send
    #[arg(
        long,
        value_name = "HEADERS",
        value_enum,
        default_value = "x-forwarded"
    )]
    forwarded_headers: ForwardedHeaders,
    /// Listen beyond this machine without TLS: everyone on the network can read and use the API
    /// keys and change every request
    #[arg(long)]
    allow_plain_http: bool,
    /// Host name or address, and port, for /healthz, /readyz and /metrics, over plain HTTP and for
    /// everyone who reaches it; without a value 127.0.0.1:9090
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, default_missing_value = admin::DEFAULT_ADDRESS)]
    admin_listen: Option<String>,
    /// Serve the console beside it, on this address of this machine; without a value 127.0.0.1:8081
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, default_missing_value = console::DEFAULT_ADDRESS)]
    console: Option<String>,
    /// Write the link to the console into this file, which only its owner may read; by default the
    /// link goes to the terminal
    #[arg(long, value_name = "FILE", requires = "console")]
    console_link_file: Option<PathBuf>,
    /// Show on the console the findings in this file, which 'check --json' has printed
    #[arg(long, value_name = "FILE", requires = "console")]
    console_check_report: Option<PathBuf>,
    /// Seconds between SIGTERM and the moment from which on no new connections are taken: the time
    /// that proxies need to find out
    #[arg(long, value_name = "SECONDS", default_value_t = 0,
        value_parser = clap::value_parser!(u64).range(..=MAX_DRAIN_SECONDS))]
    drain_delay: u64,
    /// Seconds after which requests that have not ended by then are cut off
    #[arg(long, value_name = "SECONDS", default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(..=MAX_DRAIN_SECONDS))]
    drain_timeout: u64,
    /// Requests a second that each API key may send; more are delayed, then refused with 429
    #[arg(long, value_name = "NUMBER", default_value_t = 200,
        value_parser = clap::value_parser!(u32).range(i64::from(LOWEST_RATE)..=1_000_000))]
    key_rate: u32,
    /// Requests that each API key may have under way at a time; more wait, then are refused with 429
    #[arg(long, value_name = "NUMBER", default_value = "16")]
    key_concurrency: NonZeroU32,
    /// Log lines for people, or JSON, to standard error
    #[arg(long, value_name = "FORMAT", value_enum, env = LOG_FORMAT_VARIABLE, default_value = "text")]
    log_format: LogFormat,
    /// Keep everything in memory only: it is lost when the program ends
    #[arg(long, conflicts_with_all = ["data_dir", "endpoint_url", "database_url", "database_url_file"])]
    in_memory: bool,
    #[command(flatten)]
    store: StoreArguments,
}

impl Serve {
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        let mut config = Config::from_env();
        match self.log_format {
            LogFormat::Text => logging::log_to_terminal(&config),
            LogFormat::Json => log_as_json_lines(&config),
        }
        if let Err(reason) = &config.access_token_minutes {
            return Err(reason.as_str().into());
        }
        if self.public_url.is_some() {
            config.public_url.clone_from(&self.public_url);
        }
        let addresses = resolve(&self.listen).await?;
        self.require_tls(&addresses, &config)?;
        let tls = self.tls()?;
        let Served { store, postgresql } = self.open().await?;
        let metrics = Arc::new(Metrics::new(tls.clone(), postgresql));
        let store = metrics.metering(store);
        let listener = listen(&addresses).await?;
        let admin_listener = self.admin_listener().await?;
        let console = ConsoleBeside::open(self).await?;
        let mut end = end_signals(tls.as_ref())?;
        let scheme = match &tls {
            Some(_) => Scheme::Https,
            None => Scheme::Http,
        };
        let origins = Origins {
            scheme,
            proxies: self.trusted_proxies(&config),
        };
        let address = format!("{}://{}", scheme.as_str(), listener.local_addr()?);
        let base_url = base_url(config.public_url.as_deref().unwrap_or(&address));
        self.greet(&store, &config, &base_url).await?;
        let of_console = store.clone();
        let readiness = Arc::new(Readiness::new(store.clone(), config.is_activated));
        let service = Service::new(store, config, Arc::new(SystemClock))
            .limiting(KeyLimits::new(self.key_rate, self.key_concurrency))
            .computing_aside(computing_threads())
            .observed_by(Arc::new(Observers::new(
                Arc::clone(&metrics),
                console.as_ref(),
            )));
        let shared = Arc::new(Shared {
            service: Arc::new(service),
            origins,
            phase: watch::Sender::new(Phase::Serving),
            metrics,
        });
        if let Some(console) = console {
            let needs = console_beside::needs(Arc::clone(&readiness), Arc::clone(&shared));
            console.start(self, of_console, base_url, needs)?;
        }
        serve_operators(admin_listener, &shared, readiness)?;
        let drain = DrainTimes {
            delay: Duration::from_secs(self.drain_delay),
            timeout: Duration::from_secs(self.drain_timeout),
        };
        let accept = async move || accept(&listener).await;
        let end_signal = async move || end.next().await;
        Server::new(shared, tls)
            .run(accept, drain, end_signal)
            .await;
        Ok(())
    }

    /// Returns the proxies that say what clients addressed: none if that is configured.
    fn trusted_proxies(&self, config: &Config) -> TrustedProxies {
        if config.public_url.is_some() {
            return TrustedProxies::default();
        }
        TrustedProxies {
            networks: self.trusted_proxies.clone(),
            headers: self.forwarded_headers,
        }
    }

    async fn admin_listener(&self) -> Result<Option<TcpListener>, Failure> {
        let Some(address) = &self.admin_listen else {
            return Ok(None);
        };
        Ok(Some(listen(&resolve(address).await?).await?))
    }

    /// Reads the certificate, if there is one.
    fn tls(&self) -> Result<Option<Arc<Tls>>, Failure> {
        let (Some(certificate), Some(key)) = (&self.tls_certificate, &self.tls_key) else {
            return Ok(None);
        };
        let files = Files {
            certificate: certificate.clone(),
            key: key.clone(),
        };
        Ok(Some(Arc::new(Tls::new(files)?)))
    }

    /// Refuses to carry API keys over a network in clear text, unless that is wanted.
    fn require_tls(&self, addresses: &[SocketAddr], config: &Config) -> Result<(), Failure> {
        let public_url = config.public_url.as_deref().unwrap_or_default();
        let is_https = public_url
            .get(..6)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"));
        let has_tls = is_https || self.tls_certificate.is_some();
        if has_tls || self.allow_plain_http || addresses.iter().all(is_loopback) {
            return Ok(());
        }
        Err(format!(
            "{} is reached from other machines, and API keys would cross the network in clear text. Give it a certificate with --tls-certificate and --tls-key; or put a proxy with TLS in front of it, and name that with --public-url https://HOST; or accept the risk with --allow-plain-http.",
            self.listen
        )
        .into())
    }

    async fn open(&self) -> Result<Served, Failure> {
        if self.in_memory {
            let store = keeping_audit(Store::on(Arc::new(Memory::new())))?;
            Ok(Served::without_pool(store))
        } else {
            self.store.open_to_serve().await
        }
    }

    /// Prints what to paste into the identity provider. Demo data goes into an empty embedded store, or into memory.
    async fn greet(&self, store: &Store, config: &Config, base_url: &str) -> Result<(), Failure> {
        let token = if self.in_memory || matches!(self.store.place()?, Place::Embedded(_)) {
            demo::create(store).await?
        } else {
            None
        };
        line(&format!("Tenant URL: {base_url}/?aadOptscim062020"))?;
        match token {
            Some(token) => line(&format!("Secret token: {}", *token.reveal()))?,
            None => line(
                "The secret token was shown when the key was created. To create another one: paradigm-scim key create --company COMPANY --owner USER --name NAME --expires 180d",
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

/// Serves operators if they have a listener, and logs once whether the database is ready.
fn serve_operators(
    listener: Option<TcpListener>,
    shared: &Arc<Shared>,
    readiness: Arc<Readiness>,
) -> Result<(), Failure> {
    let first_check = Arc::clone(&readiness);
    tokio::spawn(async move { first_check.of_database().await });
    if let Some(listener) = listener {
        line(&format!("Admin URL: http://{}", listener.local_addr()?))?;
        let shared = Arc::clone(shared);
        tokio::spawn(operator_listener::serve(
            listener,
            Arc::new(Admin { shared, readiness }),
        ));
    }
    Ok(())
}

/// Returns the signals that end the server. With a certificate, SIGHUP reads that again. Without one it ends a server in
/// a terminal, because the terminal was closed, and does nothing to a service.
fn end_signals(tls: Option<&Arc<Tls>>) -> Result<EndSignals, Failure> {
    if tls.is_none() && std::io::stdin().is_terminal() {
        return EndSignals::new();
    }
    let mut hang_up = signal(SignalKind::hangup())?;
    let tls = tls.map(Arc::clone);
    tokio::spawn(async move {
        while hang_up.recv().await.is_some() {
            match &tls {
                Some(tls) => tls.reload(),
                None => tracing::info!("there is no certificate that could be read again"),
            }
        }
    });
    EndSignals::without_hang_up()
}

/// Returns how many threads may compute for long at a time: half of the processors, at least one.
fn computing_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |processors| (processors.get() / 2).max(1))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::Parser;

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
            (
                any.as_slice(),
                ["--tls-certificate", "a", "--tls-key", "b"].as_slice(),
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
    fn a_certificate_and_its_key_are_given_together() {
        assert!(parsed(&["--tls-certificate", "a"]).is_err());
        assert!(parsed(&["--tls-key", "b"]).is_err());
    }

    #[test]
    fn a_public_url_counts_more_than_what_proxies_say() {
        let serve = parsed(&["--trusted-proxies", "10.0.0.1,10.1.0.0/16"]).unwrap();
        let mut config = Config::default();
        assert_eq!(serve.trusted_proxies(&config).networks.len(), 2);
        config.public_url = Some("https://scim.example.com".to_owned());
        assert!(serve.trusted_proxies(&config).networks.is_empty());
    }

    #[test]
    fn no_key_can_be_limited_to_less_than_providers_send() {
        assert!(parsed(&["--key-rate", "49"]).is_err());
        assert!(parsed(&["--key-concurrency", "0"]).is_err());
        let serve = parsed(&["--key-rate", "50", "--key-concurrency", "1"]).unwrap();
        assert_eq!((serve.key_rate, serve.key_concurrency.get()), (50, 1));
    }
}
