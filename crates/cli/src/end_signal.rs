//! Ctrl-C, SIGTERM, and a terminal that is closed.

use crate::Failure;
use tokio::signal::unix::{SignalKind, signal};

/// Resolves when a signal asks the program to end. Before this call, a signal ends the program at once. So call it
/// before printing anything that others wait for.
pub(crate) fn end_signal() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}
