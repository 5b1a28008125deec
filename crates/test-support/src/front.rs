//! A server of the tests' own, before `serve` or instead of it, that responds as each test wants.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use crate::http::send;

/// A request that arrived.
pub struct Request {
    pub method: String,
    pub target: String,
    /// Empty if there was none.
    pub token: String,
    body: String,
}

/// The response to send.
pub struct Response {
    status: u16,
    headers: String,
    body: String,
}

impl Request {
    /// Returns the response of the server at a base URL.
    pub fn sent_to(&self, base_url: &str) -> (u16, Value) {
        let url = format!("{base_url}{}", self.target);
        send(&url, &self.method, &self.token, &self.body)
    }

    /// Reads a request; `None` for a connection on which nothing was sent.
    fn read(stream: impl Read) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut lines = Vec::new();
        while !lines.last().is_some_and(String::is_empty) {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            lines.push(line.trim_end().to_owned());
        }
        let header = |wanted: &str| {
            lines.iter().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_wanted = name.eq_ignore_ascii_case(wanted);
                is_wanted.then(|| value.trim().to_owned())
            })
        };
        let length = header("content-length").map(|length| length.parse().unwrap());
        let token = header("authorization").unwrap_or_default();
        let mut body = vec![0; length.unwrap_or_default()];
        reader.read_exact(&mut body).ok()?;
        let mut words = lines[0].split(' ').map(str::to_owned);
        Some(Self {
            method: words.next()?,
            target: words.next()?,
            token: token.replace("Bearer ", ""),
            body: String::from_utf8(body).unwrap(),
        })
    }
}

impl Response {
    pub fn new(status: u16, media_type: &str, body: &str) -> Self {
        Self {
            status,
            headers: format!("content-type: {media_type}\r\n"),
            body: body.to_owned(),
        }
    }

    pub fn scim(status: u16, body: &Value) -> Self {
        Self::new(status, "application/scim+json", &body.to_string())
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }
}

/// Responds to requests, one on each connection, until the tests end.
pub fn start(
    tls: Option<ServerConfig>,
    respond: impl Fn(&Request) -> Response + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let tls = tls.map(Arc::new);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            match &tls {
                None => talk(stream, &respond),
                Some(config) => {
                    let connection = ServerConnection::new(Arc::clone(config)).unwrap();
                    talk(StreamOwned::new(connection, stream), &respond);
                }
            }
        }
    });
    address
}

fn talk(mut stream: impl Read + Write, respond: &impl Fn(&Request) -> Response) {
    let Some(request) = Request::read(&mut stream) else {
        return;
    };
    let Response {
        status,
        headers,
        body,
    } = respond(&request);
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    );
    // The client may have gone away.
    let _ = stream.write_all(text.as_bytes());
    let _ = stream.flush();
}
