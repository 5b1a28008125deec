//! The engine on DynamoDB, through the AWS SDK.

mod create_table;
mod encoding;
mod error;
mod expressions;
mod metering;
mod read;
#[cfg(feature = "lambda")]
pub mod stream;
mod write;

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use futures_util::future::BoxFuture;

use super::layout::{Item, Key};
use super::table::{
    Attributes, CommitError, IndexEntry, IndexPage, IndexRange, Page, PartitionRange,
    ReadinessCheck, Table, read_and_write,
};
use super::transaction::{Transaction, Update};
use super::{Store, StoreError};
use metering::Metering;

/// Name of the index: sparse, KEYS_ONLY.
const INDEX: &str = "ByCompany";

/// A table of DynamoDB.
#[derive(Debug, Clone)]
pub struct DynamoDb {
    client: Client,
    table: String,
}

impl DynamoDb {
    /// Makes an engine on the table of that name, where the configuration points to.
    #[must_use]
    pub fn new(config: &SdkConfig, table: &str) -> Self {
        let mut builder = Builder::from(config).interceptor(Metering);
        if config.credentials_provider().is_none() {
            // The embedded store does not check who sends a request, so requests need no signature.
            builder.set_allow_no_auth();
        }
        Self {
            client: Client::from_conf(builder.build()),
            table: table.to_owned(),
        }
    }
}

impl Store {
    /// Makes a store on the table of DynamoDB of that name, where the configuration points to.
    #[must_use]
    pub fn new(config: &SdkConfig, table: &str) -> Self {
        Self::on(Arc::new(DynamoDb::new(config, table)))
    }
}

impl Table for DynamoDb {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>> {
        Box::pin(self.get_item(key))
    }

    fn get_many(&self, keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>> {
        Box::pin(self.batch_get_item(keys))
    }

    fn read_partition<'a>(
        &'a self,
        range: PartitionRange<'a>,
        after: Option<Key>,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(self.query_partition(range, after))
    }

    fn read_index<'a>(
        &'a self,
        range: IndexRange<'a>,
        after: Option<IndexEntry>,
    ) -> BoxFuture<'a, Result<IndexPage, StoreError>> {
        Box::pin(self.query_index(range, after))
    }

    fn commit<'a>(
        &'a self,
        transaction: &'a Transaction,
    ) -> BoxFuture<'a, Result<(), CommitError>> {
        Box::pin(self.transact_write_items(transaction))
    }

    fn update(&self, update: Update) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(self.update_item(update))
    }

    /// Everything that can be read is safe.
    fn confirm(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn scan(
        &self,
        attributes: Attributes,
        after: Option<Key>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(self.scan_table(attributes, after, limit))
    }

    fn approximate_items(&self) -> BoxFuture<'_, Option<u64>> {
        Box::pin(self.describe_item_count())
    }

    fn readiness(&self) -> BoxFuture<'_, Vec<ReadinessCheck>> {
        Box::pin(read_and_write(self))
    }
}
