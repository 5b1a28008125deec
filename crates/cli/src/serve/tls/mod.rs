//! TLS of the listener: the certificate, which can be replaced while connections are open, and handshakes.

mod files;
mod unfinished;

use std::fmt;
use std::io;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::Failure;

pub(crate) use files::Files;
use files::Loaded;
use unfinished::Unfinished;

/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The remaining time from which on a certificate should have been renewed.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Why a handshake was not completed.
#[derive(Debug)]
pub(crate) enum HandshakeFailure {
    /// The client broke off, does not speak TLS, or wants another version or protocol.
    Failed(io::Error),
    TimedOut,
    /// It was the oldest of too many that were not completed.
    Displaced,
}

impl fmt::Display for HandshakeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "{error}"),
            Self::TimedOut => f.write_str("not completed in time"),
            Self::Displaced => f.write_str("too many newer ones"),
        }
    }
}

impl HandshakeFailure {
    /// Returns the name of the outcome in metrics.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Failed(_) => "failed",
            Self::TimedOut => "timed_out",
            Self::Displaced => "displaced",
        }
    }
}

/// The certificate of the listener, and the handshakes that are made with it.
pub(crate) struct Tls {
    files: Files,
    current: RwLock<Loaded>,
    unfinished: Unfinished,
}

impl Tls {
    /// Reads the certificate and its key.
    ///
    /// # Errors
    /// A file cannot be read or has nothing that can be used, or the key is another certificate's.
    pub(crate) fn new(files: Files) -> Result<Self, Failure> {
        let loaded = files.load()?;
        warn_of_expiry(&files, loaded.expires);
        Ok(Self {
            files,
            current: RwLock::new(loaded),
            unfinished: Unfinished::default(),
        })
    }

    /// Reads the files again, for new connections. If they cannot be used, the certificate stays as it is.
    pub(crate) fn reload(&self) {
        match self.files.load() {
            Ok(loaded) => {
                let expires = loaded.expires;
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = loaded;
                let expires_at = expires.map(|expires| expires.to_string());
                tracing::info!(
                    expires_at,
                    "new connections get the certificate that was read"
                );
                warn_of_expiry(&self.files, expires);
            }
            Err(error) => {
                tracing::error!(%error, "the new certificate cannot be used, and the one before stays in use");
            }
        }
    }

    /// Returns when the certificate, or one in its chain, expires.
    pub(crate) fn expires(&self) -> Option<Timestamp> {
        self.loaded().expires
    }

    /// Completes the handshake of a new connection with the certificate of this moment.
    ///
    /// # Errors
    /// The client does not complete it, in time or at all, or is the slowest of too many.
    pub(crate) async fn accept<S>(&self, stream: S) -> Result<TlsStream<S>, HandshakeFailure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let displaced = self.unfinished.begin();
        let config = self.loaded().config;
        let handshake = TlsAcceptor::from(config).accept(stream);
        tokio::select! {
            biased;
            completed = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake) => match completed {
                Ok(completed) => completed.map_err(HandshakeFailure::Failed),
                Err(_) => Err(HandshakeFailure::TimedOut),
            },
            () = displaced.wait() => Err(HandshakeFailure::Displaced),
        }
    }

    fn loaded(&self) -> Loaded {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Warns of a certificate that has expired, or will soon.
fn warn_of_expiry(files: &Files, expires: Option<Timestamp>) {
    let Some(expires) = expires else {
        return;
    };
    let file = files.certificate.display();
    let left = expires.duration_since(Timestamp::now());
    if left.is_negative() {
        tracing::warn!(%file, expires_at = %expires, "the certificate has expired, and clients refuse it: renew it");
    } else if left < RENEW_BEFORE {
        let days_left = left.as_hours() / 24;
        tracing::warn!(%file, expires_at = %expires, days_left, "the certificate expires soon: renew it");
    }
}
