//! DynamoDB's API over HTTP, with the demo data that events are about.

use std::net::TcpListener;
use std::path::Path;
use std::thread::JoinHandle;

use embedded::{Embedded, demo};
use paradigm_scim::config::DEFAULT_TABLE;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// A server on a thread of its own, which ends when this is dropped.
pub struct DynamoDb {
    pub url: String,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl DynamoDb {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (end, ended) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let database = Embedded::in_memory().unwrap();
                with_demo_data(&database).await;
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let ended = async {
                    let _ = ended.await;
                };
                database.serve(listener, ended).await.unwrap();
            });
        });
        Self {
            url,
            end: Some(end),
            thread: Some(thread),
        }
    }

    /// Returns what a handler on this store has in its environment.
    pub fn environment(&self) -> [(&'static str, &str); 5] {
        [
            ("SCIM_DYNAMODB_ENDPOINT_URL", self.url.as_str()),
            ("AWS_REGION", "eu-west-3"),
            ("AWS_ACCESS_KEY_ID", "demo"),
            ("AWS_SECRET_ACCESS_KEY", "demo"),
            ("SCIM_INSTANCE_ACTIVATION", "True"),
        ]
    }
}

impl Drop for DynamoDb {
    fn drop(&mut self) {
        drop(self.end.take());
        let _ = self.thread.take().unwrap().join();
    }
}

/// Returns an embedded database in a file, with the demo data.
pub async fn demo_file(path: &Path) -> Embedded {
    let database = Embedded::in_file(path).unwrap();
    with_demo_data(&database).await;
    database
}

async fn with_demo_data(database: &Embedded) {
    let store = database.store(DEFAULT_TABLE).await.unwrap();
    demo::create_fixed(&store).await.unwrap();
}
