//! The time at which a certificate expires.

use std::time::Duration;

use jiff::Timestamp;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};

/// Returns when a certificate expires. rustls reads X.509 but shows nothing of it, except for
/// when a certificate has expired; at the end of time all of them have.
pub(crate) fn expires(
    certificate: &CertificateDer<'_>,
    provider: &CryptoProvider,
) -> Option<Timestamp> {
    let certificate = ParsedCertificate::try_from(certificate).ok()?;
    let end_of_time = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    let verified = verify_server_cert_signed_by_trust_anchor(
        &certificate,
        &RootCertStore::empty(),
        &[],
        end_of_time,
        provider.signature_verification_algorithms.all,
    );
    match verified {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            timestamp(not_after)
        }
        _ => None,
    }
}

/// Returns a time of rustls as a timestamp, if it is one of the years that those have.
pub(crate) fn timestamp(time: UnixTime) -> Option<Timestamp> {
    Timestamp::from_second(time.as_secs().try_into().ok()?).ok()
}
