//! The console: pages on which operators see the directory, what happened to a user, and why requests were refused. It
//! changes nothing, and shows the command for each change. It is never part of a handler on AWS.

mod access;
mod attention;
mod chart;
mod commands;
mod companies;
mod doctor_runner;
mod form;
mod guard;
mod health;
mod keys;
mod link_place;
mod overview;
mod page;
mod recent_requests;
mod requests;
mod router;
#[cfg(test)]
mod tests;
mod text;
mod trail;
mod user;
mod users;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use futures_util::FutureExt as _;
use jiff::Timestamp;
use paradigm_scim::api::route::base_url;
use paradigm_scim::config::{Clock, Config, SystemClock};
use paradigm_scim::store::Store;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::Failure;
use crate::end_signal::EndSignals;
use crate::logging;
use crate::operator_listener;
use crate::serve::listen::{is_loopback, listen, resolve};
use crate::store_arguments::StoreArguments;
use access::{Access, LINK_LIFETIME};
use guard::Guard;

pub(crate) use commands::Commands;
pub(crate) use doctor_runner::DoctorRunner;
pub(crate) use health::{CheckNeeds, Health, Need};
pub(crate) use link_place::LinkPlace;
pub(crate) use recent_requests::RecentRequests;

/// Where it listens if nobody says where.
pub(crate) const DEFAULT_ADDRESS: &str = "127.0.0.1:8081";
/// Stands in resources for an instance whose URL is not known.
const UNKNOWN_URL: &str = "https://HOST";

#[derive(Args)]
pub(crate) struct ConsoleCommand {
    /// Address of this machine, and port, to listen on; from other machines through an SSH tunnel
    #[arg(long, value_name = "HOST:PORT", default_value = DEFAULT_ADDRESS)]
    listen: String,
    /// Write the link into this file, which only its owner may read; by default the link goes to
    /// the terminal
    #[arg(long, value_name = "FILE")]
    link_file: Option<PathBuf>,
    /// Tenant URL of the instance, which 'doctor' checks when that is wanted
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// File with the token for 'doctor'; by default the token is in SCIM_TOKEN
    #[arg(long, value_name = "FILE", requires = "url")]
    token_file: Option<PathBuf>,
    /// Show the findings in this file, which 'check --json' has printed
    #[arg(long, value_name = "FILE")]
    check_report: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArguments,
}

/// What the console shows, and who may see it.
pub(crate) struct Console {
    store: Store,
    clock: Arc<dyn Clock>,
    access: Access,
    guard: Guard,
    /// Name of the session's cookie: browsers send cookies to all ports of a host.
    cookie: String,
    commands: Commands,
    /// Base URL of resources.
    base_url: String,
    /// The requests of the server beside it.
    requests: Option<Arc<RecentRequests>>,
    health: Health,
}

/// What a console needs to know of where it runs.
pub(crate) struct Surroundings {
    pub(crate) store: Store,
    pub(crate) commands: Commands,
    /// Base URL of resources.
    pub(crate) base_url: String,
    /// The requests of the server beside it.
    pub(crate) requests: Option<Arc<RecentRequests>>,
    pub(crate) health: Health,
}

impl ConsoleCommand {
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        let config = Config::from_env();
        logging::log_to_terminal(&config);
        let place = LinkPlace::new(self.link_file.as_deref(), "--link-file")?;
        let listener = loopback_listener(&self.listen).await?;
        let store = self.store.open().await?;
        let known_url = self.url.as_ref().or(config.public_url.as_ref());
        let surroundings = Surroundings {
            commands: Commands::of(&self.store)?,
            base_url: base_url(known_url.map_or(UNKNOWN_URL, String::as_str)),
            requests: None,
            health: Health {
                needs: needs_of(store.clone()),
                doctor: self.url.clone().map(|url| {
                    let token_file = self.token_file.clone();
                    Arc::new(DoctorRunner::new(url, token_file))
                }),
                check_report: self.check_report.clone(),
            },
            store,
        };
        let mut end = EndSignals::new()?;
        start(listener, place, surroundings)?;
        end.next().await;
        Ok(())
    }
}

/// Opens a listener that only this machine reaches.
///
/// # Errors
/// Other machines reach one of the addresses, or none is free.
pub(crate) async fn loopback_listener(address: &str) -> Result<TcpListener, Failure> {
    let addresses = resolve(address).await?;
    if !addresses.iter().all(is_loopback) {
        return Err(format!(
            "{address} is reached from other machines, and the console shows personal data. Let it listen on 127.0.0.1, and use an SSH tunnel from elsewhere."
        )
        .into());
    }
    listen(&addresses).await
}

/// Starts the console, and shows a link to it. Each SIGUSR1 makes a new link.
///
/// # Errors
/// The link cannot be shown, or the system has no random numbers.
pub(crate) fn start(
    listener: TcpListener,
    place: LinkPlace,
    surroundings: Surroundings,
) -> Result<(), Failure> {
    let address = listener.local_addr()?;
    let console = Arc::new(Console::new(address, Arc::new(SystemClock), surroundings));
    let mut wanted = signal(SignalKind::user_defined1())?;
    console.show_link(&place)?;
    let linking = Arc::clone(&console);
    tokio::spawn(async move {
        while wanted.recv().await.is_some() {
            if let Err(error) = linking.show_link(&place) {
                tracing::warn!(%error, "there is no new link to the console");
            }
        }
    });
    tokio::spawn(operator_listener::serve(listener, console));
    Ok(())
}

/// Returns the check of what a store needs.
fn needs_of(store: Store) -> CheckNeeds {
    Arc::new(move || {
        let store = store.clone();
        async move {
            let checks = store.readiness().await.into_iter();
            let needs = checks.map(|check| Need {
                name: check.name,
                failure: check.outcome.err().map(|error| error.to_string()),
            });
            needs.collect()
        }
        .boxed()
    })
}

impl Console {
    fn new(address: SocketAddr, clock: Arc<dyn Clock>, surroundings: Surroundings) -> Self {
        let Surroundings {
            store,
            commands,
            base_url,
            requests,
            health,
        } = surroundings;
        Self {
            store,
            clock,
            access: Access::default(),
            guard: Guard::new(address),
            cookie: format!("console_{}", address.port()),
            commands,
            base_url,
            requests,
            health,
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes a link and returns it.
    fn new_link(&self) -> Result<String, Failure> {
        let secret = self.access.new_link(self.clock.moment())?;
        let origin = self.guard.origin();
        Ok(format!("{origin}{}{}", router::LINK_PATH, secret.as_str()))
    }

    fn show_link(&self, place: &LinkPlace) -> Result<(), Failure> {
        let minutes = LINK_LIFETIME.as_secs() / 60;
        place.show(self.guard.origin(), &self.new_link()?, minutes)
    }
}
