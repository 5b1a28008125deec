//! Checks of the connection and of TLS.

use serde_json::json;

use super::checks::Examination;
use super::report::CheckResult;
use super::tls::{NoHandshake, shake_hands};

impl Examination {
    pub(super) fn reachable(&mut self) -> CheckResult {
        match self.connection.take() {
            Some(Ok(connection)) => {
                let (address, milliseconds) = (connection.address, connection.took.as_millis());
                self.stream = Some(connection.stream);
                CheckResult::passed(format!("{address}, in {milliseconds} ms"))
                    .measuring(json!({"address": address, "milliseconds": milliseconds}))
            }
            Some(Err(finding)) => finding,
            None => CheckResult::skipped("there was no attempt"),
        }
    }

    pub(super) fn tls_version(&mut self) -> CheckResult {
        let stream = self.stream.take();
        if !self.endpoint.is_https() {
            return match self.endpoint.is_loopback() {
                true => CheckResult::needless("plain http, which does for this machine"),
                false => CheckResult::failed(
                    "plain http: everyone on the way could read the key, so nothing was sent",
                    "Begin the Tenant URL with https://, and have TLS before the instance.",
                ),
            };
        }
        let Some(mut stream) = stream else {
            return CheckResult::needless("a proxy is in between");
        };
        let shaken = shake_hands(&mut stream, self.endpoint.host(), self.endpoint.roots());
        match shaken {
            Ok(handshake) => {
                self.certificate = Some(handshake.certificate);
                CheckResult::passed(format!("{} was agreed on", handshake.version))
                    .measuring(json!({"version": handshake.version}))
            }
            Err(NoHandshake::TooOld) => CheckResult::failed(
                "the server speaks neither TLS 1.3 nor TLS 1.2",
                "Let it speak TLS 1.2 and 1.3 (on AWS the domain name's security policy TLS_1_2), and nothing older.",
            ),
            Err(NoHandshake::NotTls) => CheckResult::failed(
                "the server at this port does not speak TLS, or not in time",
                "Correct the port in the Tenant URL, or have TLS before the instance.",
            ),
            Err(NoHandshake::NoAuthorities(error)) => CheckResult::failed(
                format!("this machine has no trusted authorities: {error}"),
                "Install the certificates of authorities here (package ca-certificates).",
            ),
            Err(NoHandshake::Other(error)) => CheckResult::failed(
                format!("there was no handshake: {error}"),
                "See the log of what ends TLS before the instance.",
            ),
        }
    }

    pub(super) fn certificate(&mut self) -> CheckResult {
        match self.certificate.take() {
            Some(certificate) => certificate.finding(self.endpoint.host()),
            None => CheckResult::needless("none was seen, for the same reason"),
        }
    }
}
