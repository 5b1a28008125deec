//! A stand-in for Lambda's Runtime API: invocations for a handler that runs as a process.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const PREFIX: &str = "/2018-06-01/runtime";
const TIMEOUT: Duration = Duration::from_secs(60);

/// The result of an invocation.
#[derive(Debug)]
pub enum Outcome {
    /// The handler's response.
    Responded(Value),
    /// The handler reported an error, or ended.
    Failed(String),
}

/// A request of the handler's, and where its response goes.
struct Requested {
    line: String,
    body: Vec<u8>,
    response: oneshot::Sender<String>,
}

/// A handler that waits for an event.
pub struct Lambda {
    process: Child,
    requested: mpsc::UnboundedReceiver<Requested>,
    /// Takes the response to the request for the next event; `None` if the handler has ended.
    waiting: Option<oneshot::Sender<String>>,
    /// All that it writes; read all the time, so that it can go on.
    output: [JoinHandle<String>; 2],
}

impl Lambda {
    /// Starts a handler and waits until it requests an event.
    pub async fn start(program: &str, environment: &[(&str, &str)]) -> Self {
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
        let output = [
            tokio::spawn(read_to_end(process.stdout.take().unwrap())),
            tokio::spawn(read_to_end(process.stderr.take().unwrap())),
        ];
        let (asking, requested) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, asking.clone()));
            }
        });
        let mut lambda = Self {
            process,
            requested,
            waiting: None,
            output,
        };
        let first = lambda.next().await;
        let first = first.unwrap_or_else(|reason| panic!("{program}: {reason}"));
        assert_eq!(first.line, format!("GET {PREFIX}/invocation/next HTTP/1.1"));
        lambda.waiting = Some(first.response);
        lambda
    }

    /// Returns the handler's next request, or why there is none.
    async fn next(&mut self) -> Result<Requested, String> {
        let next = async {
            tokio::select! {
                requested = self.requested.recv() => Ok(requested.unwrap()),
                status = self.process.wait() => Err(format!("ended: {status:?}")),
            }
        };
        timeout(TIMEOUT, next).await.unwrap()
    }

    /// Hands out one event, and waits until it is settled and the handler requests another one.
    pub async fn handle(&mut self, event: &Value) -> Outcome {
        let body = event.to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nlambda-runtime-aws-request-id: request-1\r\nlambda-runtime-deadline-ms: 32503680000000\r\nlambda-runtime-invoked-function-arn: arn:aws:lambda:local:0:function:test\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let waiting = self.waiting.take().expect("the handler has ended");
        waiting.send(head + &body).unwrap();
        let mut outcome = Outcome::Failed("it requested another event".to_owned());
        loop {
            let Requested {
                line,
                body,
                response,
            } = match self.next().await {
                Ok(requested) => requested,
                Err(reason) => return Outcome::Failed(reason),
            };
            if line.starts_with(&format!("GET {PREFIX}/invocation/next ")) {
                self.waiting = Some(response);
                return outcome;
            }
            let accepted = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
            response.send(accepted.to_owned()).unwrap();
            if line.starts_with(&format!("POST {PREFIX}/invocation/request-1/response ")) {
                outcome = Outcome::Responded(serde_json::from_slice(&body).unwrap_or(json!(null)));
            } else if line.contains("/error ") {
                outcome = Outcome::Failed(String::from_utf8_lossy(&body).into_owned());
            }
        }
    }

    /// Ends the handler, and returns what it logged.
    pub async fn end(mut self) -> String {
        self.process.kill().await.unwrap();
        let [stdout, stderr] = self.output;
        stdout.await.unwrap() + &stderr.await.unwrap()
    }

    /// Hands out one event, ends the handler, and returns its response and what it logged.
    pub async fn invoke(mut self, event: &Value) -> (Outcome, String) {
        let outcome = self.handle(event).await;
        (outcome, self.end().await)
    }
}

async fn read_to_end(mut pipe: impl AsyncRead + Unpin) -> String {
    let mut text = String::new();
    pipe.read_to_string(&mut text).await.unwrap();
    text
}

/// Passes on the requests of one connection, and their responses.
async fn serve(mut stream: TcpStream, asking: mpsc::UnboundedSender<Requested>) {
    while let Some((line, body)) = read_request(&mut stream).await {
        let (response, responded) = oneshot::channel();
        if asking
            .send(Requested {
                line,
                body,
                response,
            })
            .is_err()
        {
            return;
        }
        let Ok(response) = responded.await else {
            return;
        };
        if stream.write_all(response.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Request line and body; `None` if the connection ends first.
pub async fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
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
