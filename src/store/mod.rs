//! The directory in one DynamoDB table: the access paths. Nothing else names the SDK.

mod api_keys;
mod audit;
mod backoff;
pub mod check;
mod companies;
pub mod error;
#[cfg(feature = "lambda")]
pub mod handler_config;
#[cfg(feature = "lambda")]
mod https;
pub mod item;
mod keys;
mod scan_budget;
pub mod sdk_config;
#[cfg(feature = "lambda")]
pub mod stream;
mod table;
pub mod usage;
mod users;
mod write;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};

use jiff::SignedDuration;

use crate::config::AUDIT_RETENTION_VARIABLE;
use crate::directory::KeyId;
use crate::directory::audit::{DEFAULT_RETENTION_DAYS, RETENTION_DAYS};
use backoff::Backoff;
use item::Item;
use keys::Key;
use usage::Metering;

pub use audit::AuditEntry;
pub use error::{MAX_LOOK_UP_MATCHES, StoreError, cause_of};
pub use keys::LookUp;
pub use scan_budget::{SCAN_UNITS_PER_MINUTE, Scan, read_units};
pub use users::{MAX_SCANNED_USERS, Next, StoredUser, UserChange};

/// Items that one BatchGetItem may ask for.
const BATCH_SIZE: usize = 100;
/// How long keys that DynamoDB leaves unprocessed are asked for again.
const BATCH_PATIENCE: Duration = Duration::from_secs(5);

fn audit_retention(days: u32) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(days))
}

/// How long the environment says that audit records are kept.
///
/// # Errors
/// What is wrong with what it says.
pub fn configured_audit_retention() -> Result<SignedDuration, String> {
    let Some(days) = std::env::var_os(AUDIT_RETENTION_VARIABLE) else {
        return Ok(audit_retention(DEFAULT_RETENTION_DAYS));
    };
    days.to_str()
        .and_then(|days| days.parse().ok())
        .filter(|days| RETENTION_DAYS.contains(days))
        .map(audit_retention)
        .ok_or_else(|| {
            let (least, most) = (RETENTION_DAYS.start(), RETENTION_DAYS.end());
            format!("{AUDIT_RETENTION_VARIABLE} is no number of days from {least} to {most}")
        })
}

/// The table, through the SDK.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    table: String,
    /// How long audit records are kept.
    audit_retention: SignedDuration,
}

impl Store {
    /// A store on the table of that name, where the configuration points to.
    #[must_use]
    pub fn new(config: &SdkConfig, table: &str) -> Self {
        let mut builder = Builder::from(config).interceptor(Metering);
        if config.credentials_provider().is_none() {
            // The embedded store asks nobody who they are, so nothing need be signed.
            builder.set_allow_no_auth();
        }
        Self {
            client: Client::from_conf(builder.build()),
            table: table.to_owned(),
            audit_retention: audit_retention(DEFAULT_RETENTION_DAYS),
        }
    }

    /// Opens the connection to DynamoDB before the first request needs it, by a read that every
    /// handler of users may make. It does not matter how the read ends.
    pub async fn connect(&self) {
        if let Err(error) = self.find_key(KeyId::new(0)).await {
            tracing::warn!(%error, "the connection to the store could not be opened ahead");
        }
    }

    async fn get(&self, key: Key) -> Result<Option<Item>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(item::key(key)))
            .consistent_read(true)
            .send()
            .await
            .map_err(StoreError::from_sdk)?;
        Ok(output.item)
    }

    /// Reads up to [`BATCH_SIZE`] items, in no particular order.
    async fn batch_get(&self, keys: impl Iterator<Item = Key>) -> Result<Vec<Item>, StoreError> {
        let mut keys: Vec<Item> = keys.map(item::key).collect();
        let mut items = Vec::with_capacity(keys.len());
        let mut backoff = Backoff::new(BATCH_PATIENCE);
        while !keys.is_empty() {
            let request = KeysAndAttributes::builder()
                .set_keys(Some(keys))
                .consistent_read(true)
                .build()
                .map_err(StoreError::incomplete)?;
            let output = self
                .client
                .batch_get_item()
                .request_items(&self.table, request)
                .send()
                .await
                .map_err(StoreError::from_sdk)?;
            items.extend(
                output
                    .responses
                    .into_iter()
                    .flatten()
                    .flat_map(|(_, items)| items),
            );
            keys = output
                .unprocessed_keys
                .into_iter()
                .flatten()
                .flat_map(|(_, unprocessed)| unprocessed.keys)
                .collect();
            if !keys.is_empty() && !backoff.pause().await {
                return Err(StoreError::Busy("keys left unprocessed".to_owned()));
            }
        }
        Ok(items)
    }

    /// A consistent query for all items of a partition of the table.
    fn partition(&self, pk: String) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_values(":pk", AttributeValue::S(pk))
    }

    /// Everything a query finds, page after page.
    async fn query_all(&self, query: QueryFluentBuilder) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        let mut from = None;
        loop {
            let page = query.clone().set_exclusive_start_key(from);
            let output = page.send().await.map_err(StoreError::from_sdk)?;
            items.extend(output.items.unwrap_or_default());
            match output.last_evaluated_key {
                Some(next) => from = Some(next),
                None => return Ok(items),
            }
        }
    }

    /// The sort keys of one partition of the index, in order. They are eventually consistent.
    async fn index_page(
        &self,
        partition: &str,
        after: Option<&str>,
        from: Option<Item>,
        limit: usize,
    ) -> Result<(Vec<String>, Option<Item>), StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::INDEX)
            .expression_attribute_names("#partition", keys::INDEX_PK)
            .expression_attribute_values(":partition", item::string(partition));
        let query = match after {
            None => query.key_condition_expression("#partition = :partition"),
            Some(after) => query
                .key_condition_expression("#partition = :partition AND #sort > :after")
                .expression_attribute_names("#sort", keys::INDEX_SK)
                .expression_attribute_values(":after", item::string(after)),
        };
        let output = query
            .set_exclusive_start_key(from)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(StoreError::from_sdk)?;
        let sort_keys = output
            .items
            .unwrap_or_default()
            .iter()
            .map(|entry| {
                item::Reader(entry)
                    .string(keys::INDEX_SK)
                    .map(str::to_owned)
            })
            .collect::<Result<_, _>>()?;
        Ok((sort_keys, output.last_evaluated_key))
    }

    /// What the first `limit` entries of one partition of the index stand for, in no particular
    /// order. Their sort keys are ids.
    async fn listed<Id: Copy, T>(
        &self,
        partition: &str,
        limit: usize,
        parse: fn(&str) -> Option<Id>,
        key_of: fn(Id) -> Key,
        read: fn(Id, &Item) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let corrupt = || StoreError::Corrupt(keys::INDEX_SK);
        let ids = self
            .index_range(partition, None, 0, limit)
            .await?
            .iter()
            .map(|id| parse(id).ok_or_else(corrupt))
            .collect::<Result<Vec<Id>, _>>()?;
        let mut listed = Vec::with_capacity(ids.len());
        for batch in ids.chunks(BATCH_SIZE) {
            for found in self.batch_get(batch.iter().map(|id| key_of(*id))).await? {
                let reader = item::Reader(&found);
                let id = reader.string(keys::INDEX_SK)?;
                listed.push(read(parse(id).ok_or_else(corrupt)?, &found)?);
            }
        }
        Ok(listed)
    }

    /// Sort keys `offset..offset + limit` of one partition of the index, of those after one.
    async fn index_range(
        &self,
        partition: &str,
        after: Option<&str>,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let end = offset.saturating_add(limit);
        let mut sort_keys: Vec<String> = Vec::new();
        let mut passed = 0;
        let mut from = None;
        while passed < end {
            let (page, next) = self
                .index_page(partition, after, from, end - passed)
                .await?;
            let skipped = offset.saturating_sub(passed).min(page.len());
            passed += page.len();
            sort_keys.extend(page.into_iter().skip(skipped));
            match next {
                Some(next) => from = Some(next),
                None => break,
            }
        }
        Ok(sort_keys)
    }
}
