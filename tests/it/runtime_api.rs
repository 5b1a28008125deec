//! A stand-in for Lambda's Runtime API: one invocation for a handler that runs as a process.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

const PREFIX: &str = "/2018-06-01/runtime";
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of an invocation.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The handler's answer.
    Answered(Value),
    /// The handler reported an error, or ended.
    Failed(String),
}

/// A handler that has asked for its first event, and what it is served by.
pub(crate) struct Lambda {
    process: Child,
    listener: TcpListener,
    /// The request for the next event that is not answered yet.
    waiting: TcpStream,
}

impl Lambda {
    /// Starts a handler and waits until it asks for an event.
    pub(crate) async fn start(program: &str, environment: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut process = Command::new(program)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", &address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "test")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "test")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "test")
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let accepted = tokio::select! {
            accepted = tokio::time::timeout(PATIENCE, listener.accept()) => accepted.unwrap(),
            status = process.wait() => panic!("{program} ended: {status:?}"),
        };
        let (mut waiting, _) = accepted.unwrap();
        let (line, _) = read_request(&mut waiting).await.unwrap();
        assert_eq!(line, format!("GET {PREFIX}/invocation/next HTTP/1.1"));
        Self {
            process,
            listener,
            waiting,
        }
    }

    /// Hands out one event, ends the handler, and tells what it answered and what it logged.
    pub(crate) async fn invoke(mut self, event: &Value) -> (Outcome, String) {
        let body = event.to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nlambda-runtime-aws-request-id: request-1\r\nlambda-runtime-deadline-ms: 32503680000000\r\nlambda-runtime-invoked-function-arn: arn:aws:lambda:local:0:function:test\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.waiting.write_all(head.as_bytes()).await.unwrap();
        self.waiting.write_all(body.as_bytes()).await.unwrap();
        let outcome = tokio::time::timeout(PATIENCE, self.outcome())
            .await
            .unwrap();
        self.process.kill().await.unwrap();
        let mut log = String::new();
        for pipe in [
            self.process
                .stdout
                .take()
                .map(|pipe| Box::new(pipe) as Box<dyn tokio::io::AsyncRead + Unpin>),
            self.process
                .stderr
                .take()
                .map(|pipe| Box::new(pipe) as Box<dyn tokio::io::AsyncRead + Unpin>),
        ] {
            pipe.unwrap().read_to_string(&mut log).await.unwrap();
        }
        (outcome, log)
    }

    /// Reads from the connection kept open, and from new ones, until the invocation is settled.
    async fn outcome(&mut self) -> Outcome {
        loop {
            let (mut stream, request) = tokio::select! {
                request = read_request(&mut self.waiting) => match request {
                    Some(request) => (None, request),
                    None => return Outcome::Failed("the handler closed its connection".to_owned()),
                },
                accepted = self.listener.accept() => {
                    let (mut stream, _) = accepted.unwrap();
                    let Some(request) = read_request(&mut stream).await else { continue };
                    (Some(stream), request)
                }
                status = self.process.wait() => return Outcome::Failed(format!("ended: {status:?}")),
            };
            let accepted = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
            let answered = stream.as_mut().unwrap_or(&mut self.waiting);
            answered.write_all(accepted).await.unwrap();
            let (line, body) = request;
            if line.starts_with(&format!("POST {PREFIX}/invocation/request-1/response ")) {
                return Outcome::Answered(serde_json::from_slice(&body).unwrap_or(json!(null)));
            }
            if line.contains("/error ") {
                return Outcome::Failed(String::from_utf8_lossy(&body).into_owned());
            }
        }
    }
}

/// Request line and body; `None` if the connection ends first.
pub(crate) async fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if line.trim_end().is_empty() {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let header = |name: &str| {
        lines.iter().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    let mut body = Vec::new();
    if let Some(length) = header("content-length") {
        body.resize(length.parse().ok()?, 0);
        reader.read_exact(&mut body).await.ok()?;
    } else if header("transfer-encoding").is_some() {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).await.ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).await.ok()?;
            if size == 0 {
                break;
            }
            body.extend(&chunk[..size]);
        }
    }
    Some((lines.first()?.clone(), body))
}
