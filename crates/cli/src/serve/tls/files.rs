//! The files with the certificate and its key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{Error, ServerConfig};
use zeroize::Zeroizing;

use crate::Failure;
use crate::certificate_expiry::expires;

/// The only protocol that is offered over TLS (RFC 7301).
const ALPN: &[u8] = b"http/1.1";

/// Where the certificate and its key are.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// The certificate with its chain.
    pub(crate) certificate: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
}

/// What the files hold.
#[derive(Debug, Clone)]
pub(super) struct Loaded {
    pub(super) config: Arc<ServerConfig>,
    /// When the first certificate of the chain expires that does.
    pub(super) expires: Option<Timestamp>,
}

impl Files {
    /// Reads both files.
    ///
    /// # Errors
    /// A file cannot be read or has nothing that can be used, or the key is another certificate's.
    pub(super) fn load(&self) -> Result<Loaded, Failure> {
        let chain = certificates(&self.certificate)?;
        let key = private_key(&self.key)?;
        let provider = Arc::new(ring::default_provider());
        let expires = chain
            .iter()
            .filter_map(|certificate| expires(certificate, &provider))
            .min();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| self.unusable(&error))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Loaded {
            config: Arc::new(config),
            expires,
        })
    }

    fn unusable(&self, error: &Error) -> Failure {
        let (certificate, key) = (self.certificate.display(), self.key.display());
        match error {
            Error::InconsistentKeys(_) => format!(
                "the private key in {key} does not belong to the first certificate in {certificate}; the server's own certificate must come first"
            ),
            error => {
                format!("the certificate in {certificate} cannot be used with {key}: {error}")
            }
        }
        .into()
    }
}

/// Reads the certificate and its chain.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let text = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match chain {
        Ok(chain) if chain.is_empty() => {
            Err(format!("there is no certificate in PEM form in {}", path.display()).into())
        }
        Ok(chain) => Ok(chain),
        Err(error) => Err(malformed(path, &error)),
    }
}

/// Reads the key: PKCS#8, PKCS#1 or SEC1.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Failure> {
    let text = read(path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => format!(
            "there is no private key in PEM form in {}; it must be PKCS#8, PKCS#1 or SEC1, without a passphrase",
            path.display()
        )
        .into(),
        error => malformed(path, &error),
    })
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let bytes = std::fs::read(path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    Ok(Zeroizing::new(bytes))
}

fn malformed(path: &Path, error: &pem::Error) -> Failure {
    format!("{} is not valid PEM: {error}", path.display()).into()
}
