//! Reads: GetItem, BatchGetItem, Query, Scan, DescribeTable.

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};

use super::encoding::{
    SdkItem, decode, decode_all, decode_entry, decode_key, encode_entry, encode_key,
};
use super::error::{from_sdk, incomplete};
use super::expressions::Placeholders;
use super::{DynamoDb, INDEX};
use crate::store::StoreError;
use crate::store::backoff::Backoff;
use crate::store::layout::{INDEX_PK, INDEX_SK, Item, Key, PK, SK};
use crate::store::table::{Attributes, IndexEntry, IndexPage, IndexRange, Page, PartitionRange};

/// How long keys that DynamoDB leaves unprocessed are requested again.
const UNPROCESSED_TIMEOUT: Duration = Duration::from_secs(5);

fn string(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn request_limit(limit: usize) -> i32 {
    i32::try_from(limit).unwrap_or(i32::MAX)
}

impl DynamoDb {
    pub(super) async fn get_item(&self, key: Key) -> Result<Option<Item>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(encode_key(key)))
            .consistent_read(true)
            .send()
            .await
            .map_err(from_sdk)?;
        output.item.map(decode).transpose()
    }

    pub(super) async fn batch_get_item(&self, keys: Vec<Key>) -> Result<Vec<Item>, StoreError> {
        let mut keys: Vec<SdkItem> = keys.into_iter().map(encode_key).collect();
        let mut items = Vec::with_capacity(keys.len());
        let mut backoff = Backoff::new(UNPROCESSED_TIMEOUT);
        while !keys.is_empty() {
            let request = KeysAndAttributes::builder()
                .set_keys(Some(keys))
                .consistent_read(true)
                .build()
                .map_err(incomplete)?;
            let output = self
                .client
                .batch_get_item()
                .request_items(&self.table, request)
                .send()
                .await
                .map_err(from_sdk)?;
            for (_, found) in output.responses.into_iter().flatten() {
                items.extend(decode_all(Some(found))?);
            }
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

    pub(super) async fn query_partition(
        &self,
        range: PartitionRange<'_>,
        after: Option<Key>,
    ) -> Result<Page, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", string(range.pk));
        let query = match range.between {
            None => query.key_condition_expression("#pk = :pk"),
            Some((first, last)) => query
                .key_condition_expression("#pk = :pk AND #sk BETWEEN :first AND :last")
                .expression_attribute_names("#sk", SK)
                .expression_attribute_values(":first", string(first))
                .expression_attribute_values(":last", string(last)),
        };
        let output = query
            .set_exclusive_start_key(after.map(encode_key))
            .send()
            .await
            .map_err(from_sdk)?;
        Ok(Page {
            items: decode_all(output.items)?,
            next: output.last_evaluated_key.map(decode_key).transpose()?,
        })
    }

    pub(super) async fn query_index(
        &self,
        range: IndexRange<'_>,
        after: Option<IndexEntry>,
    ) -> Result<IndexPage, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .expression_attribute_names("#partition", INDEX_PK)
            .expression_attribute_values(":partition", string(range.partition));
        let query = match range.above {
            None => query.key_condition_expression("#partition = :partition"),
            Some(above) => query
                .key_condition_expression("#partition = :partition AND #sort > :above")
                .expression_attribute_names("#sort", INDEX_SK)
                .expression_attribute_values(":above", string(above)),
        };
        let start = after.map(|entry| encode_entry(range.partition, entry));
        let output = query
            .set_exclusive_start_key(start)
            .set_limit(range.limit.map(request_limit))
            .send()
            .await
            .map_err(from_sdk)?;
        let entries = output.items.unwrap_or_default();
        Ok(IndexPage {
            entries: entries
                .into_iter()
                .map(decode_entry)
                .collect::<Result<_, _>>()?,
            next: output.last_evaluated_key.map(decode_entry).transpose()?,
        })
    }

    pub(super) async fn scan_table(
        &self,
        attributes: Attributes,
        after: Option<Key>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let scan = self
            .client
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .limit(request_limit(limit))
            .set_exclusive_start_key(after.map(encode_key));
        let scan = match attributes {
            Attributes::All => scan,
            Attributes::KeysAnd(names) => {
                let mut placeholders = Placeholders::default();
                let names = [PK, SK].iter().chain(names);
                let names: Vec<String> = names.map(|name| placeholders.name(name)).collect();
                scan.projection_expression(names.join(", "))
                    .set_expression_attribute_names(placeholders.take_names())
            }
        };
        let output = scan.send().await.map_err(from_sdk)?;
        Ok(Page {
            items: decode_all(output.items)?,
            next: output.last_evaluated_key.map(decode_key).transpose()?,
        })
    }

    pub(super) async fn describe_item_count(&self) -> Option<u64> {
        let describe = self.client.describe_table().table_name(&self.table);
        let table = describe.send().await.ok()?.table?;
        table.item_count?.try_into().ok()
    }
}
