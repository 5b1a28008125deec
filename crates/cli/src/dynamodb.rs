//! `dynamodb`: the embedded DynamoDB as a server of its own, for handlers that run as processes.

use std::path::PathBuf;

use clap::Args;
use embedded::Embedded;
use paradigm_scim::config::{Config, DEFAULT_TABLE, TABLE_VARIABLE};

use crate::end_signal::end_signal;
use crate::output::line;
use crate::serve::listen::{listen, resolve};
use crate::{Failure, logging, place};
use embedded::demo;

#[derive(Args)]
pub(crate) struct DynamoDb {
    /// Host name or address, and port, to listen on
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8000")]
    listen: String,
    /// Keep the data in a file in this folder, not in memory
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Name of the table to create
    #[arg(long, value_name = "NAME", env = TABLE_VARIABLE, default_value = DEFAULT_TABLE)]
    table: String,
    /// Put demo data with fixed ids and a fixed secret token into an empty table; use it for
    /// trials only
    #[arg(long)]
    demo: bool,
}

impl DynamoDb {
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        logging::log_to_terminal(&Config::from_env());
        let database = match &self.data_dir {
            Some(folder) => place::in_folder(folder)?,
            None => Embedded::in_memory()?,
        };
        let store = database.store(&self.table).await?;
        let token = if self.demo {
            demo::create_fixed(&store).await?
        } else {
            None
        };
        let listener = listen(&resolve(&self.listen).await?).await?;
        let end = end_signal()?;
        line(&format!("DynamoDB: http://{}", listener.local_addr()?))?;
        line(&format!("Table: {}", self.table))?;
        if let Some(token) = token {
            line(&format!("Secret token: {}", *token.reveal()))?;
        }
        Ok(database.serve(listener, end).await?)
    }
}
