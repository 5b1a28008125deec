//! Counts calls and capacity at the SDK.

use aws_sdk_dynamodb::config::interceptors::{
    BeforeSerializationInterceptorContextMut, BeforeTransmitInterceptorContextRef,
    FinalizerInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::batch_get_item::{BatchGetItemInput, BatchGetItemOutput};
use aws_sdk_dynamodb::operation::get_item::{GetItemInput, GetItemOutput};
use aws_sdk_dynamodb::operation::put_item::{PutItemInput, PutItemOutput};
use aws_sdk_dynamodb::operation::query::{QueryInput, QueryOutput};
use aws_sdk_dynamodb::operation::scan::{ScanInput, ScanOutput};
use aws_sdk_dynamodb::operation::transact_write_items::{
    TransactWriteItemsInput, TransactWriteItemsOutput,
};
use aws_sdk_dynamodb::operation::update_item::{UpdateItemInput, UpdateItemOutput};
use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity};
use aws_smithy_runtime_api::client::interceptors::context::{Input, Output};

use crate::store::usage;

/// Requests the consumed capacity of every operation, and adds it up.
#[derive(Debug)]
pub(super) struct Metering;

impl Intercept for Metering {
    fn name(&self) -> &'static str {
        "Metering"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(wanted) = capacity_wanted(context.input_mut()) {
            *wanted = Some(ReturnConsumedCapacity::Total);
        }
        Ok(())
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        usage::record(|usage| usage.calls += 1);
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(Ok(output)) = context.output_or_error() {
            let (read_units, write_units) = consumed(output);
            usage::record(|usage| {
                usage.read_units += read_units;
                usage.write_units += write_units;
            });
        }
        Ok(())
    }
}

fn capacity_wanted(input: &mut Input) -> Option<&mut Option<ReturnConsumedCapacity>> {
    macro_rules! of {
        ($($kind:ty),*) => {
            $(if input.downcast_ref::<$kind>().is_some() {
                return Some(&mut input.downcast_mut::<$kind>()?.return_consumed_capacity);
            })*
        };
    }
    of!(
        BatchGetItemInput,
        GetItemInput,
        PutItemInput,
        QueryInput,
        ScanInput,
        TransactWriteItemsInput,
        UpdateItemInput
    );
    None
}

/// Returns the read and write capacity units.
fn consumed(output: &Output) -> (f64, f64) {
    let units = |capacity: &[ConsumedCapacity]| -> f64 {
        let units = capacity.iter().filter_map(ConsumedCapacity::capacity_units);
        units.sum()
    };
    if let Some(output) = output.downcast_ref::<GetItemOutput>() {
        (units(output.consumed_capacity.as_slice()), 0.0)
    } else if let Some(output) = output.downcast_ref::<QueryOutput>() {
        (units(output.consumed_capacity.as_slice()), 0.0)
    } else if let Some(output) = output.downcast_ref::<ScanOutput>() {
        (units(output.consumed_capacity.as_slice()), 0.0)
    } else if let Some(output) = output.downcast_ref::<BatchGetItemOutput>() {
        (units(output.consumed_capacity()), 0.0)
    } else if let Some(output) = output.downcast_ref::<TransactWriteItemsOutput>() {
        (0.0, units(output.consumed_capacity()))
    } else if let Some(output) = output.downcast_ref::<UpdateItemOutput>() {
        (0.0, units(output.consumed_capacity.as_slice()))
    } else if let Some(output) = output.downcast_ref::<PutItemOutput>() {
        (0.0, units(output.consumed_capacity.as_slice()))
    } else {
        (0.0, 0.0)
    }
}
