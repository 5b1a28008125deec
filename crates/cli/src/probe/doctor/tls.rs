//! A TLS handshake of its own, because an HTTP client shows neither version nor certificate.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, Error,
    PeerIncompatible, ProtocolVersion, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;
use ureq::tls::RootCerts;

use super::certificate::Certificate;
use crate::Failure;

/// What a handshake has shown.
pub(super) struct Handshake {
    pub(super) version: &'static str,
    pub(super) certificate: Certificate,
}

/// Why there was no handshake.
pub(super) enum NoHandshake {
    /// The server knows older versions only.
    TooOld,
    /// The server does not speak TLS, or does not respond at all.
    NotTls,
    /// This machine has no trusted authorities.
    NoAuthorities(Error),
    Other(Failure),
}

/// Shakes hands and ends the connection, also if the certificate is not valid.
pub(super) fn shake_hands(
    stream: &mut TcpStream,
    host: &str,
    roots: &RootCerts,
) -> Result<Handshake, NoHandshake> {
    let provider = Arc::new(ring::default_provider());
    let witness = Arc::new(Witness {
        verifier: verifier(roots, &provider)?,
        provider: Arc::clone(&provider),
        seen: OnceLock::new(),
    });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::<Witness>::clone(&witness))
        .with_no_client_auth();
    let host = ServerName::try_from(host.to_owned()).map_err(|error| other(error.into()))?;
    let mut connection = ClientConnection::new(Arc::new(config), host)?;
    if let Err(error) = connection.complete_io(stream) {
        return Err(match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => NoHandshake::NotTls,
            _ => match error.downcast::<Error>() {
                Ok(error) => error.into(),
                Err(error) => other(error.into()),
            },
        });
    }
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => return Err(NoHandshake::TooOld),
    };
    connection.send_close_notify();
    // The server may have hung up already.
    let _ = connection.write_tls(stream);
    // The connection holds the witness too.
    drop(connection);
    let seen = Arc::into_inner(witness).and_then(|witness| witness.seen.into_inner());
    let certificate = seen.ok_or_else(|| other("the server showed no certificate".into()))?;
    Ok(Handshake {
        version,
        certificate,
    })
}

impl From<Error> for NoHandshake {
    fn from(error: Error) -> Self {
        match error {
            Error::AlertReceived(AlertDescription::ProtocolVersion)
            | Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
                Self::TooOld
            }
            Error::InvalidMessage(_) => Self::NotTls,
            error => Self::Other(error.into()),
        }
    }
}

fn other(failure: Failure) -> NoHandshake {
    NoHandshake::Other(failure)
}

/// Returns the verifier of certificates, the same as for HTTP requests.
fn verifier(
    roots: &RootCerts,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, NoHandshake> {
    let RootCerts::Specific(certificates) = roots else {
        let verifier = Verifier::new(Arc::clone(provider)).map_err(NoHandshake::NoAuthorities)?;
        return Ok(Arc::new(verifier));
    };
    let mut store = RootCertStore::empty();
    let certificates = certificates.iter().map(|root| root.der().to_vec().into());
    store.add_parsable_certificates(certificates);
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
            .build()
            .map_err(|error| other(error.into()))?;
    Ok(verifier)
}

/// Keeps what a verifier says of a certificate and lets the handshake go on, so that all of it is
/// seen. Nothing is ever sent over the connection that comes of it.
#[derive(Debug)]
struct Witness {
    verifier: Arc<dyn ServerCertVerifier>,
    provider: Arc<CryptoProvider>,
    seen: OnceLock<Certificate>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict =
            self.verifier
                .verify_server_cert(certificate, intermediates, host, ocsp_response, now);
        let verdict = verdict.map(|_| ());
        self.seen
            .get_or_init(|| Certificate::new(certificate, verdict, &self.provider));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
