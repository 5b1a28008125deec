//! Checks of a server's certificate.

use jiff::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, Error};
use serde_json::json;

use super::report::CheckResult;
use crate::certificate_expiry::{expires, timestamp};

/// Days before it expires from which on it must be renewed.
const DAYS_TO_RENEW: i64 = 30;

const RENEW: &str = "Renew it, and let what made it renew it in time (ACM does so by itself while its DNS record is there).";
const RENAME: &str = "Give the Tenant URL the name that the certificate is made for, or have one that is made for this name.";
const REPLACE: &str =
    "Have a certificate of a public authority, made for servers and for this name.";

/// The certificate of a server.
#[derive(Debug)]
pub(super) struct Certificate {
    /// Whether it is trusted and made for the host.
    verdict: Result<(), Error>,
    /// The time at which it expires, if it names one.
    expires: Option<Timestamp>,
}

impl Certificate {
    pub(super) fn new(
        certificate: &CertificateDer<'_>,
        verdict: Result<(), Error>,
        provider: &CryptoProvider,
    ) -> Self {
        Self {
            verdict,
            expires: expires(certificate, provider),
        }
    }

    /// Returns the result of its check, for this host.
    pub(super) fn finding(&self, host: &str) -> CheckResult {
        let days = self
            .expires
            .map(|expires| expires.duration_since(Timestamp::now()).as_hours() / 24);
        let until = self.expires.map(until).unwrap_or_default();
        let finding = match (&self.verdict, days) {
            (Ok(()), Some(days)) if days < DAYS_TO_RENEW => CheckResult::warned(
                format!("trusted, made for {host}, but valid only for {days} days,{until}"),
                RENEW,
            ),
            (Ok(()), _) => CheckResult::passed(format!("trusted, made for {host}, valid{until}")),
            (Err(error), _) => distrusted(error, host),
        };
        let expires = self.expires.map(|expires| expires.to_string());
        finding.measuring(json!({"expires": expires, "daysLeft": days}))
    }
}

/// Returns why a certificate, or one in its chain, is not trusted.
fn distrusted(error: &Error, host: &str) -> CheckResult {
    use CertificateError as Flaw;
    let flaw = match error {
        Error::InvalidCertificate(flaw) => flaw,
        error => return CheckResult::failed(format!("it cannot be verified: {error}"), REPLACE),
    };
    match flaw {
        Flaw::Expired => CheckResult::failed("it has expired", RENEW),
        Flaw::ExpiredContext { not_after, .. } => CheckResult::failed(
            format!(
                "it has expired: valid{}",
                timestamp(*not_after).map(until).unwrap_or_default()
            ),
            RENEW,
        ),
        Flaw::NotValidYet | Flaw::NotValidYetContext { .. } => CheckResult::failed(
            "it is not valid yet",
            "Set this machine's clock, or have a certificate that is valid by now.",
        ),
        // The other flaws are those of an issuer with the name of a trusted one.
        Flaw::UnknownIssuer
        | Flaw::BadSignature
        | Flaw::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => CheckResult::failed(
            "its issuer is unknown: no authority that this machine trusts has signed it",
            "Let the server send the whole chain, from its own certificate to the last intermediate one, of a public authority, as Entra demands. If a private one is meant, give its certificate with --ca-file.",
        ),
        Flaw::NotValidForName => CheckResult::failed(format!("it is not made for {host}"), RENAME),
        Flaw::NotValidForNameContext { presented, .. } => {
            let names: Vec<&str> = presented.iter().map(|name| bare(name)).collect();
            CheckResult::failed(
                format!("it is made for {}, not for {host}", names.join(", ")),
                RENAME,
            )
        }
        // For a flaw without a name of its own, rustls passes on the name in webpki's source.
        Flaw::Other(other) if other.to_string() == "CaUsedAsEndEntity" => CheckResult::failed(
            "it is that of an authority, not of a server; one that signs itself, as openssl req -x509 makes it, is mostly so",
            REPLACE,
        ),
        flaw => CheckResult::failed(format!("it is not trusted: {flaw}"), REPLACE),
    }
}

/// Returns a name, of what rustls writes as `DnsName("localhost")`.
fn bare(name: &str) -> &str {
    let mut parts = name.split(['(', ')', '"']);
    parts.rfind(|part| !part.is_empty()).unwrap_or(name)
}

fn until(time: Timestamp) -> String {
    format!(" until {}", time.strftime("%Y-%m-%d"))
}
