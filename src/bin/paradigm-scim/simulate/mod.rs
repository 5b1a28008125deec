//! `simulate`: plays an identity provider against any SCIM endpoint, so that an operator sees what
//! Entra, Okta or authentik would get before they are connected.

mod endpoint;
mod player;
mod report;
mod scenario;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use crate::Failure;
use crate::signal::end_signal;
use endpoint::Endpoint;
use player::Player;
use scenario::Scenario;

/// The query key by which Entra is told to send RFC form.
const FLAG: &str = "aadOptscim062020";

#[derive(Args)]
pub(crate) struct Simulate {
    /// The provider to play
    provider: Provider,
    /// The tenant URL, as it would be given to the provider
    #[arg(long, value_name = "URL")]
    url: String,
    /// The secret token
    #[arg(long, value_name = "TOKEN", env = "SCIM_TOKEN", hide_env_values = true)]
    token: String,
    /// Speak as Entra with aadOptscim062020 in its tenant URL (the default if it is in --url)
    #[arg(long, conflicts_with = "no_flag")]
    flag: bool,
    /// Speak as Entra without aadOptscim062020, whatever --url says
    #[arg(long)]
    no_flag: bool,
    /// How many users to lead through their lives, one after the other
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
}

impl Simulate {
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        let flag = self.speaks_with_flag()?;
        let scenario = Scenario::of(self.provider, flag)?;
        let tenant_query = (self.provider == Provider::Entra && flag).then_some(FLAG);
        let endpoint = Endpoint::new(&self.url, &self.token, tenant_query)?;
        let progress = self.progress(&scenario);
        let is_over = Arc::new(AtomicBool::new(false));
        let end = end_signal()?;
        let users = usize::from(self.users);
        let played = {
            let is_over = Arc::clone(&is_over);
            let play = move || Player::new(&endpoint, &scenario, &progress, &is_over).play(users);
            tokio::task::spawn_blocking(play)
        };
        let ended = async {
            end.await;
            // The step under way ends, and what was made is removed.
            is_over.store(true, Ordering::Relaxed);
            std::future::pending::<()>().await;
        };
        let report = tokio::select! {
            report = played => report?,
            () = ended => return Ok(()),
        };
        if self.json {
            report.print_json()?;
        } else {
            report.print()?;
        }
        report.verdict()
    }

    fn speaks_with_flag(&self) -> Result<bool, Failure> {
        if self.provider != Provider::Entra && (self.flag || self.no_flag) {
            return Err("--flag and --no-flag are about Entra only".into());
        }
        let is_in_url = self
            .url
            .to_ascii_lowercase()
            .contains(&FLAG.to_ascii_lowercase());
        Ok(self.flag || (is_in_url && !self.no_flag))
    }

    /// On standard error, and only if that is a terminal.
    fn progress(&self, scenario: &Scenario) -> ProgressBar {
        let steps = scenario.connection.len() + scenario.user.len() * usize::from(self.users);
        let progress = ProgressBar::new(steps.try_into().unwrap_or(u64::MAX));
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}") {
            progress.set_style(style);
        }
        progress
    }
}
