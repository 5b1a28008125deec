//! Where the program listens.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::Failure;

/// The scheme of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Finds the addresses that a host name or address with a port stands for.
///
/// # Errors
/// The name is unknown, or the port is missing.
pub(crate) async fn resolve(listen: &str) -> Result<Vec<SocketAddr>, Failure> {
    let found = tokio::net::lookup_host(listen).await;
    let addresses: Vec<_> = found
        .map_err(|error| format!("cannot listen on {listen}: {error}; --listen takes HOST:PORT"))?
        .collect();
    Ok(addresses)
}

/// Takes the first of the addresses that is free.
///
/// # Errors
/// No address is free, or none is an address of this machine.
pub(crate) async fn listen(addresses: &[SocketAddr]) -> Result<TcpListener, Failure> {
    let named: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
    TcpListener::bind(addresses)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", named.join(" or ")).into())
}

/// Returns whether only this machine reaches the address.
pub(crate) fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}
