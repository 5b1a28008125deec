//! Where the database is: a URL as libpq has it, with what this program makes of `sslmode`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, LoadBalanceHosts, SslMode, TargetSessionAttrs};
use uuid::Uuid;

/// How long connecting to one host may take, until it is known to take writes. The next host is tried after it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long sent data may stay unacknowledged before the system closes the socket.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(10);
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;

/// How connections are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// Not at all.
    Disable,
    /// If the server offers it; its certificate is not verified.
    Prefer,
    /// Always; the certificate is not verified.
    Require,
    /// Always, with a certificate of a trusted authority for the host's name.
    VerifyFull,
}

/// Where the database is, and how to sign in. It has a password, so nothing of it is ever shown.
#[derive(Clone)]
pub struct DatabaseUrl {
    pub(crate) config: Config,
    pub(crate) encryption: Encryption,
    /// A file of the trusted authorities in PEM, instead of those of the system.
    pub(crate) authorities: Option<PathBuf>,
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl")
    }
}

/// The reason why a text is no URL of a database. It has nothing of the text, which may have a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidUrl {
    /// It does not begin with `postgres://` or `postgresql://`.
    Scheme,
    /// It cannot be parsed, or has an unknown option.
    Syntax,
    /// `sslmode` is unknown.
    SslMode,
    /// It has no host.
    Host,
    /// It sets `options`, which are state of a session.
    Options,
}

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the database URL must begin with postgres://",
            Self::Syntax => {
                "the database URL is not valid: write postgres://USER:PASSWORD@HOST:PORT/DATABASE?OPTION=VALUE, with special characters percent-encoded and only options that docs/postgres.md lists"
            }
            Self::SslMode => {
                "sslmode in the database URL must be disable, prefer, require or verify-full"
            }
            Self::Host => "the database URL has no host",
            Self::Options => {
                "the database URL must not have 'options': set them for the role, by ALTER ROLE"
            }
        })
    }
}

impl std::error::Error for InvalidUrl {}

impl FromStr for DatabaseUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let text = text.trim();
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(InvalidUrl::Scheme);
        }
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        let mut encryption = None;
        let mut authorities = None;
        let mut rest = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=').ok_or(InvalidUrl::Syntax)? {
                ("sslmode", mode) => encryption = Some(parse_mode(mode)?),
                ("sslrootcert", path) => authorities = Some(decode(path)?.into()),
                ("options", _) => return Err(InvalidUrl::Options),
                _ => rest.push(pair),
            }
        }
        let has_target = rest
            .iter()
            .any(|pair| pair.starts_with("target_session_attrs="));
        let plain = match rest.is_empty() {
            true => address.to_owned(),
            false => format!("{address}?{}", rest.join("&")),
        };
        // The error may have parts of the password.
        let mut config: Config = plain.parse().map_err(|_| InvalidUrl::Syntax)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(InvalidUrl::Host);
        }
        if !has_matching_hosts(&config) {
            return Err(InvalidUrl::Syntax);
        }
        let encryption = encryption.unwrap_or_else(|| default_encryption(&config));
        config.ssl_mode(match encryption {
            Encryption::Disable => SslMode::Disable,
            Encryption::Prefer => SslMode::Prefer,
            Encryption::Require | Encryption::VerifyFull => SslMode::Require,
        });
        set_defaults(&mut config, has_target);
        Ok(Self {
            config,
            encryption,
            authorities,
        })
    }
}

impl DatabaseUrl {
    /// Returns the configuration of each host by itself, in the order in which they are tried. The client library would
    /// wait without limit for a host that accepts the connection and never responds.
    pub(crate) fn hosts(&self) -> Vec<Config> {
        let config = &self.config;
        let count = config.get_hosts().len().max(config.get_hostaddrs().len());
        let mut hosts: Vec<Config> = (0..count).map(|host| only_host(config, host)).collect();
        if config.get_load_balance_hosts() == LoadBalanceHosts::Random {
            let [.., random] = Uuid::now_v7().into_bytes();
            hosts.rotate_left(usize::from(random) % count.max(1));
        }
        hosts
    }
}

/// Returns a configuration with one of the hosts.
fn only_host(config: &Config, position: usize) -> Config {
    let mut only = Config::new();
    match config.get_hosts().get(position) {
        Some(Host::Tcp(host)) => _ = only.host(host),
        Some(Host::Unix(folder)) => _ = only.host_path(folder),
        None => {}
    }
    if let Some(address) = config.get_hostaddrs().get(position) {
        only.hostaddr(*address);
    }
    let ports = config.get_ports();
    if let Some(port) = ports.get(position).or_else(|| ports.first()) {
        only.port(*port);
    }
    if let Some(user) = config.get_user() {
        only.user(user);
    }
    if let Some(password) = config.get_password() {
        only.password(password);
    }
    if let Some(name) = config.get_dbname() {
        only.dbname(name);
    }
    if let Some(name) = config.get_application_name() {
        only.application_name(name);
    }
    if let Some(timeout) = config.get_connect_timeout() {
        only.connect_timeout(*timeout);
    }
    if let Some(timeout) = config.get_tcp_user_timeout() {
        only.tcp_user_timeout(*timeout);
    }
    if let Some(interval) = config.get_keepalives_interval() {
        only.keepalives_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        only.keepalives_retries(retries);
    }
    only.keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .channel_binding(config.get_channel_binding())
        .target_session_attrs(config.get_target_session_attrs())
        .load_balance_hosts(config.get_load_balance_hosts());
    only
}

/// Returns whether there is one port for all hosts or one for each, and an address for each host that has a name.
fn has_matching_hosts(config: &Config) -> bool {
    let (hosts, addresses) = (config.get_hosts().len(), config.get_hostaddrs().len());
    let count = hosts.max(addresses);
    let is_whole = |number: usize| number == 0 || number == count;
    is_whole(hosts)
        && is_whole(addresses)
        && (config.get_ports().len() <= 1 || is_whole(config.get_ports().len()))
}

fn parse_mode(mode: &str) -> Result<Encryption, InvalidUrl> {
    Ok(match mode {
        "disable" => Encryption::Disable,
        "prefer" => Encryption::Prefer,
        "require" => Encryption::Require,
        "verify-full" => Encryption::VerifyFull,
        _ => return Err(InvalidUrl::SslMode),
    })
}

/// Returns what holds without `sslmode`: the safest, except on sockets of this machine, which have no TLS.
fn default_encryption(config: &Config) -> Encryption {
    let is_local = |host: &Host| matches!(host, Host::Unix(_));
    if config.get_hostaddrs().is_empty() && config.get_hosts().iter().all(is_local) {
        Encryption::Disable
    } else {
        Encryption::VerifyFull
    }
}

fn set_defaults(config: &mut Config, has_target: bool) {
    if !has_target {
        // All reads are consistent, so they go to the primary.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    if config.get_application_name().is_none() {
        config.application_name("paradigm-scim");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(TCP_USER_TIMEOUT);
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_idle(KEEPALIVE_IDLE);
        config.keepalives_interval(KEEPALIVE_INTERVAL);
        config.keepalives_retries(KEEPALIVE_RETRIES);
    }
}

fn decode(text: &str) -> Result<String, InvalidUrl> {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| InvalidUrl::Syntax)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_url_means_what_libpq_makes_of_it_and_is_verified_unless_it_says_otherwise() {
        for (url, encryption) in [
            (
                "postgres://scim:secret@db.example.com/scim",
                Encryption::VerifyFull,
            ),
            ("postgresql://db/scim?sslmode=require", Encryption::Require),
            ("postgres://db/scim?sslmode=prefer", Encryption::Prefer),
            (
                "postgres://db/scim?sslmode=disable&connect_timeout=1",
                Encryption::Disable,
            ),
            (
                "postgres:///scim?host=/var/run/postgresql",
                Encryption::Disable,
            ),
            (
                "postgres://%2Fvar%2Frun%2Fpostgresql/scim",
                Encryption::Disable,
            ),
        ] {
            let parsed: DatabaseUrl = url.parse().unwrap();
            assert_eq!(parsed.encryption, encryption, "{url}");
            assert_eq!(
                parsed.config.get_target_session_attrs(),
                TargetSessionAttrs::ReadWrite,
                "{url}"
            );
            assert_eq!(parsed.config.get_dbname(), Some("scim"), "{url}");
        }
        let url = "postgres://a:1,b:2/scim?target_session_attrs=any&sslrootcert=%2Fetc%2Fca.pem";
        let parsed: DatabaseUrl = url.parse().unwrap();
        assert_eq!(parsed.config.get_hosts().len(), 2);
        assert_eq!(parsed.config.get_ports(), [1, 2]);
        assert_eq!(
            parsed.config.get_target_session_attrs(),
            TargetSessionAttrs::Any
        );
        assert_eq!(parsed.authorities, Some("/etc/ca.pem".into()));
    }

    #[test]
    fn each_host_is_tried_by_itself_with_all_that_the_url_says() {
        let text = "postgres://scim:secret@a:1,b:2/scim?connect_timeout=7&tcp_user_timeout=8&keepalives=0&keepalives_idle=9&keepalives_interval=10&keepalives_retries=11&application_name=name&channel_binding=require&sslmode=require&sslnegotiation=direct&target_session_attrs=read-only";
        let url: DatabaseUrl = text.parse().unwrap();
        let hosts = url.hosts();
        assert_eq!(hosts.len(), 2);
        for (only, (name, port)) in hosts.into_iter().zip([("a", 1), ("b", 2)]) {
            let expected: DatabaseUrl = text
                .replace("a:1,b:2", &format!("{name}:{port}"))
                .parse()
                .unwrap();
            assert_eq!(only, expected.config, "{name}");
        }
        let url: DatabaseUrl =
            "postgres://a,b/d?hostaddr=127.0.0.1,127.0.0.2&load_balance_hosts=random"
                .parse()
                .unwrap();
        let mut addresses: Vec<String> = url
            .hosts()
            .iter()
            .map(|host| format!("{:?} {:?}", host.get_hosts(), host.get_hostaddrs()))
            .collect();
        addresses.sort();
        assert_eq!(
            addresses,
            [r#"[Tcp("a")] [127.0.0.1]"#, r#"[Tcp("b")] [127.0.0.2]"#]
        );
        for unclear in [
            "postgres://a:1,b:2,c/d?port=1,2",
            "postgres://a,b/d?hostaddr=127.0.0.1",
        ] {
            assert_eq!(
                unclear.parse::<DatabaseUrl>().unwrap_err(),
                InvalidUrl::Syntax,
                "{unclear}"
            );
        }
    }

    #[test]
    fn no_error_and_no_debug_output_has_anything_of_the_password() {
        for (url, expected) in [
            ("marker", InvalidUrl::Scheme),
            ("mysql://u:marker@h/d", InvalidUrl::Scheme),
            (
                "postgres://u:marker@h/d?sslmode=marker",
                InvalidUrl::SslMode,
            ),
            (
                "postgres://u:marker@h/d?sslmode=verify-ca",
                InvalidUrl::SslMode,
            ),
            ("postgres://u:marker@h/d?marker=1", InvalidUrl::Syntax),
            ("postgres://u:marker@h:marker/d", InvalidUrl::Syntax),
            ("postgres://u:mar?marker@h/d", InvalidUrl::Syntax),
            (
                "postgres://u:marker@h/d?options=-cmarker",
                InvalidUrl::Options,
            ),
            ("postgres:///d?user=marker", InvalidUrl::Host),
        ] {
            let error = url.parse::<DatabaseUrl>().unwrap_err();
            assert_eq!(error, expected, "{url}");
            assert!(!error.to_string().contains("marker"), "{error}");
        }
        let url: DatabaseUrl = "postgres://marker:marker@marker/marker".parse().unwrap();
        assert!(!format!("{url:?}").contains("marker"));
    }
}
