//! `doctor`: checks a deployed instance from outside, and says for each failure what to change.

mod certificate;
mod checks;
mod connection;
mod load;
mod oauth;
mod reading;
mod report;
mod step;
mod tls;
mod transport;

use std::path::PathBuf;

use clap::Args;
use ureq::tls::{PemItem, RootCerts, parse_pem};

use crate::probe::credentials::CredentialArguments;
use crate::probe::endpoint::{Endpoint, USER_AGENT};
use crate::{Failure, progress};
use checks::Examination;
use report::DoctorReport;
use step::Step;

#[derive(Args)]
pub(crate) struct Doctor {
    /// The tenant URL, as it would be given to the provider
    #[arg(long, value_name = "URL")]
    url: String,
    #[command(flatten)]
    credentials: CredentialArguments,
    /// Trust the authorities whose certificates are in this file (PEM), and no others
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Measure what rate the instance sustains, for three seconds over four connections
    #[arg(long)]
    load: bool,
    /// Confirm --load against an instance that is not on this machine
    #[arg(long, requires = "load")]
    yes: bool,
    /// Print the report as JSON, for scripts
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        let credentials = self.credentials.read()?;
        let endpoint = Endpoint::new(&self.url, credentials, None, USER_AGENT, self.roots()?)?;
        if self.load && !self.yes && !endpoint.is_loopback() {
            return Err("--load keeps an instance as busy as it gets, which its users may notice and its owner pays for; this one is not on this machine. Add --yes if that is meant. Nothing was sent.".into());
        }
        let progress = progress::bar("", Step::ALL.len());
        let connection = connection::open(&endpoint).await;
        let with_load = self.load;
        let examine = move || {
            let url = endpoint.shown(&endpoint.url("/"));
            let checks = Examination::new(endpoint, connection, with_load).run(&progress);
            progress.finish_and_clear();
            DoctorReport { url, checks }
        };
        let report = tokio::task::spawn_blocking(examine).await?;
        if self.json {
            report.print_json()?;
        } else {
            report.print()?;
        }
        report.verdict()
    }

    /// Returns the authorities that may have signed the instance's certificate.
    fn roots(&self) -> Result<RootCerts, Failure> {
        let Some(file) = &self.ca_file else {
            // What this machine trusts, so that a company's own authority counts.
            return Ok(RootCerts::PlatformVerifier);
        };
        let cannot_be_read = |error: String| format!("{} cannot be read: {error}", file.display());
        let pem = std::fs::read(file).map_err(|error| cannot_be_read(error.to_string()))?;
        let mut certificates = Vec::new();
        for item in parse_pem(&pem) {
            match item.map_err(|error| cannot_be_read(error.to_string()))? {
                PemItem::Certificate(certificate) => certificates.push(certificate),
                _ => return Err(cannot_be_read("it holds more than certificates".into()).into()),
            }
        }
        if certificates.is_empty() {
            return Err(cannot_be_read("there is no certificate in PEM form in it".into()).into());
        }
        Ok(RootCerts::new_with_certs(&certificates))
    }
}
