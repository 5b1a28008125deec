//! Ctrl-C, SIGTERM, and a terminal that is closed.

use crate::Failure;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask the program to end. Before they are made, such a signal ends the program at once. So make them
/// before printing anything that others wait for.
pub(crate) struct EndSignals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` if SIGHUP means something else.
    hang_up: Option<Signal>,
}

impl EndSignals {
    /// Returns the signals, of which SIGHUP is one: a terminal that is closed.
    ///
    /// # Errors
    /// The system does not let the program handle signals.
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {
            hang_up: Some(signal(SignalKind::hangup())?),
            ..Self::without_hang_up()?
        })
    }

    /// Returns the signals without SIGHUP.
    ///
    /// # Errors
    /// The system does not let the program handle signals.
    pub(crate) fn without_hang_up() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: None,
        })
    }

    /// Waits for the next of them.
    pub(crate) async fn next(&mut self) {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hang_up => {}
        }
    }
}

/// Resolves when a signal asks the program to end.
///
/// # Errors
/// The system does not let the program handle signals.
pub(crate) fn end_signal() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let mut signals = EndSignals::new()?;
    Ok(async move { signals.next().await })
}
