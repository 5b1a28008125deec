//! `simulate`: plays an identity provider against any SCIM endpoint, so that an operator sees what
//! Entra, Okta, authentik or midPoint would get before they are connected.

mod player;
mod report;
mod scenario;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum};

use crate::end_signal::end_signal;
use crate::output::complain;
use crate::probe::credentials::{CredentialArguments, SOURCES};
use crate::probe::endpoint::{Endpoint, has_flag};
use crate::{Failure, progress};
use player::Player;
use report::Head;
use scenario::Scenario;
use ureq::tls::RootCerts;
use uuid::Uuid;

#[derive(Args)]
pub(crate) struct Simulate {
    /// The provider to play
    provider: Provider,
    /// The tenant URL, as it would be given to the provider
    #[arg(long, value_name = "URL")]
    url: String,
    #[command(flatten)]
    credentials: CredentialArguments,
    /// Send what Entra sends with aadOptscim062020 in its tenant URL (the default if it is in --url)
    #[arg(long, conflicts_with = "no_flag")]
    flag: bool,
    /// Send what Entra sends without aadOptscim062020, whatever --url says
    #[arg(long)]
    no_flag: bool,
    /// How many users to play, one after the other
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    users: u16,
    /// Print the report as JSON, for scripts
    #[arg(long)]
    json: bool,
}

/// A client that can be played.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Provider {
    /// Microsoft Entra ID
    Entra,
    /// Okta: updates by PUT (AIW) and by PATCH (OIN)
    Okta,
    /// authentik: updates by PUT
    Authentik,
    /// midPoint and others with a ConnId connector: requests application/json, sends null
    Midpoint,
}

impl Provider {
    const fn name(self) -> &'static str {
        match self {
            Self::Entra => "Microsoft Entra ID",
            Self::Okta => "Okta",
            Self::Authentik => "authentik",
            Self::Midpoint => "midPoint",
        }
    }
}

impl Simulate {
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        let flag = self.flag()?;
        let scenario = Scenario::of(self.provider, flag.unwrap_or(false))?;
        let credentials = self.credentials.read()?;
        if credentials.is_none() {
            return Err(format!("no token was given; give one by {SOURCES}").into());
        }
        let endpoint = Endpoint::new(
            &self.url,
            credentials,
            flag,
            &scenario.user_agent,
            // What this machine trusts, so that a company's own authority counts.
            RootCerts::PlatformVerifier,
        )?
        .accepting(&scenario.accept);
        let head = Head {
            provider: self.provider.name(),
            flag,
            url: endpoint.url("/"),
        };
        let steps = scenario.connection.len() + scenario.user.len() * usize::from(self.users);
        let progress = progress::bar("", steps);
        let prefix = format!("scim-simulate-{}-", Uuid::now_v7().simple());
        let is_over = Arc::new(AtomicBool::new(false));
        tokio::spawn(ending(end_signal()?, Arc::clone(&is_over), prefix.clone()));
        let users = usize::from(self.users);
        let play =
            move || Player::new(&endpoint, &scenario, &progress, &is_over).play(users, &prefix);
        let report = tokio::task::spawn_blocking(play).await?;
        if self.json {
            report.print_json(&head)?;
        } else {
            report.print(&head)?;
        }
        report.verdict()
    }

    /// Returns whether Entra's flag is used; `None` for a provider without the flag.
    fn flag(&self) -> Result<Option<bool>, Failure> {
        if self.provider == Provider::Entra {
            return Ok(Some(self.flag || (has_flag(&self.url) && !self.no_flag)));
        }
        if self.flag || self.no_flag {
            return Err("--flag and --no-flag are about Entra only".into());
        }
        Ok(None)
    }
}

/// Ends the simulation at the first signal: the step under way ends, and the users that were created are removed.
/// At the second signal they stay.
async fn ending(
    end: impl Future<Output = ()>,
    is_over: Arc<AtomicBool>,
    prefix: String,
) -> Result<(), Failure> {
    end.await;
    is_over.store(true, Ordering::Relaxed);
    complain(&"interrupted: removing the users that were created; press Ctrl-C again to leave them there".into());
    end_signal()?.await;
    complain(
        &format!("ended at once; users whose names begin with {prefix} may be left behind").into(),
    );
    std::process::exit(1)
}
