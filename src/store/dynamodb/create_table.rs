//! Creates the table for the embedded store and for tests. On AWS the template creates it.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};

use super::error::{from_sdk, incomplete};
use super::{DynamoDb, INDEX};
use crate::store::StoreError;
use crate::store::layout::{INDEX_PK, INDEX_SK, PK, SK};

impl DynamoDb {
    /// Makes the table and its index, unless it is there.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn ensure_table(&self) -> Result<(), StoreError> {
        let index = GlobalSecondaryIndex::builder()
            .index_name(INDEX)
            .set_key_schema(Some(key_schema(INDEX_PK, INDEX_SK).map_err(incomplete)?))
            .projection(
                Projection::builder()
                    .projection_type(ProjectionType::KeysOnly)
                    .build(),
            )
            .build()
            .map_err(incomplete)?;
        let definitions = [PK, SK, INDEX_PK, INDEX_SK]
            .into_iter()
            .map(|name| {
                AttributeDefinition::builder()
                    .attribute_name(name)
                    .attribute_type(ScalarAttributeType::S)
                    .build()
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(incomplete)?;
        let result = self
            .client
            .create_table()
            .table_name(&self.table)
            .set_key_schema(Some(key_schema(PK, SK).map_err(incomplete)?))
            .set_attribute_definitions(Some(definitions))
            .global_secondary_indexes(index)
            .billing_mode(BillingMode::PayPerRequest)
            .send()
            .await;
        match result {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(
                    error.as_service_error(),
                    Some(CreateTableError::ResourceInUseException(_))
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(from_sdk(error)),
        }
    }
}

fn key_schema(partition: &str, sort: &str) -> Result<Vec<KeySchemaElement>, BuildError> {
    [(partition, KeyType::Hash), (sort, KeyType::Range)]
        .into_iter()
        .map(|(name, key_type)| {
            KeySchemaElement::builder()
                .attribute_name(name)
                .key_type(key_type)
                .build()
        })
        .collect()
}
