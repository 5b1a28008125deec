//! The way to the instance: its address, and a connection to it.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::report::CheckResult;
use crate::probe::endpoint::{CONNECTING_TAKES, Endpoint};

/// A connection on which nothing was sent yet.
pub(super) struct Connection {
    pub(super) stream: std::net::TcpStream,
    pub(super) address: SocketAddr,
    pub(super) took: Duration,
}

/// Finds the instance's address and connects to it, or to the first of several that takes it.
///
/// # Errors
/// The result of the check that found no way to connect.
pub(super) async fn open(endpoint: &Endpoint) -> Result<Connection, CheckResult> {
    if endpoint.is_behind_proxy() {
        return Err(CheckResult::needless(
            "requests go through a proxy of this environment, which hides the connection behind it",
        ));
    }
    let host = endpoint.host();
    let addresses = timeout(CONNECTING_TAKES, lookup_host((host, endpoint.port())))
        .await
        .map_err(|_| {
            CheckResult::failed(
                format!("the name {host} was not resolved within {}", in_seconds()),
                "Check whether this machine reaches its name servers.",
            )
        })?
        .map_err(|error| {
            CheckResult::failed(
                format!("no address is known for {host}: {error}"),
                "Correct the host in the Tenant URL, or make a DNS record for it.",
            )
        })?;
    let mut last = CheckResult::failed(
        format!("no address is known for {host}"),
        "Make a DNS record (A or AAAA) for it.",
    );
    for address in addresses {
        let started = Instant::now();
        let connected = match timeout(CONNECTING_TAKES, TcpStream::connect(address)).await {
            Ok(connected) => connected.and_then(blocking),
            Err(_) => Err(ErrorKind::TimedOut.into()),
        };
        last = match connected {
            Ok(stream) => {
                return Ok(Connection {
                    stream,
                    address,
                    took: started.elapsed(),
                });
            }
            Err(error) => in_the_way(address, &error),
        };
    }
    Err(last)
}

/// Makes the connection blocking, with timeouts.
fn blocking(stream: TcpStream) -> std::io::Result<std::net::TcpStream> {
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(CONNECTING_TAKES))?;
    stream.set_write_timeout(Some(CONNECTING_TAKES))?;
    Ok(stream)
}

fn in_the_way(address: SocketAddr, error: &std::io::Error) -> CheckResult {
    match error.kind() {
        ErrorKind::ConnectionRefused => CheckResult::failed(
            format!("{address} refuses the connection"),
            "Start the instance, or correct host and port in the Tenant URL.",
        ),
        ErrorKind::TimedOut => CheckResult::failed(
            format!("{address} did not respond within {}", in_seconds()),
            "Open the firewall or security group before it for this machine and the provider.",
        ),
        _ => CheckResult::failed(
            format!("no connection to {address}: {error}"),
            "Check whether this machine has a route to it.",
        ),
    }
}

fn in_seconds() -> String {
    format!("{} s", CONNECTING_TAKES.as_secs())
}
