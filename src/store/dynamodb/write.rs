//! Writes: TransactWriteItems and UpdateItem.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    ConditionCheck, Delete, Put, TransactWriteItem, Update as SdkUpdate,
};

use super::DynamoDb;
use super::encoding::{encode, encode_key};
use super::error::{from_sdk, from_transaction, incomplete};
use super::expressions::Placeholders;
use crate::store::StoreError;
use crate::store::table::CommitError;
use crate::store::transaction::{Action, Transaction, Update};

impl DynamoDb {
    pub(super) async fn transact_write_items(
        &self,
        transaction: &Transaction,
    ) -> Result<(), CommitError> {
        let actions = transaction.actions.iter();
        let actions = actions
            .map(|action| self.transact_item(action))
            .collect::<Result<_, _>>()
            .map_err(incomplete)?;
        self.client
            .transact_write_items()
            .set_transact_items(Some(actions))
            .client_request_token(&transaction.id)
            .send()
            .await
            .map_err(from_transaction)?;
        Ok(())
    }

    fn transact_item(&self, action: &Action) -> Result<TransactWriteItem, BuildError> {
        let mut placeholders = Placeholders::default();
        let item = TransactWriteItem::builder();
        Ok(match action {
            Action::Put {
                item: put,
                condition,
            } => {
                let put = Put::builder()
                    .table_name(&self.table)
                    .set_item(Some(encode(put)))
                    .set_condition_expression(placeholders.condition(condition))
                    .set_expression_attribute_names(placeholders.take_names())
                    .set_expression_attribute_values(placeholders.take_values());
                item.put(put.build()?)
            }
            Action::Delete { key, condition } => {
                let delete = Delete::builder()
                    .table_name(&self.table)
                    .set_key(Some(encode_key(key.clone())))
                    .set_condition_expression(placeholders.condition(condition))
                    .set_expression_attribute_names(placeholders.take_names())
                    .set_expression_attribute_values(placeholders.take_values());
                item.delete(delete.build()?)
            }
            Action::Update(update) => {
                let update = SdkUpdate::builder()
                    .table_name(&self.table)
                    .set_key(Some(encode_key(update.key.clone())))
                    .update_expression(placeholders.update(update))
                    .set_condition_expression(placeholders.condition(&update.condition))
                    .set_expression_attribute_names(placeholders.take_names())
                    .set_expression_attribute_values(placeholders.take_values());
                item.update(update.build()?)
            }
            Action::Check { key, condition } => {
                let check = ConditionCheck::builder()
                    .table_name(&self.table)
                    .set_key(Some(encode_key(key.clone())))
                    .set_condition_expression(placeholders.condition(condition))
                    .set_expression_attribute_names(placeholders.take_names())
                    .set_expression_attribute_values(placeholders.take_values());
                item.condition_check(check.build()?)
            }
        }
        .build())
    }

    pub(super) async fn update_item(&self, update: Update) -> Result<bool, StoreError> {
        let mut placeholders = Placeholders::default();
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .update_expression(placeholders.update(&update))
            .set_condition_expression(placeholders.condition(&update.condition))
            .set_expression_attribute_names(placeholders.take_names())
            .set_expression_attribute_values(placeholders.take_values())
            .set_key(Some(encode_key(update.key)))
            .send()
            .await;
        match result {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(false)
            }
            Err(error) => Err(from_sdk(error)),
        }
    }
}
