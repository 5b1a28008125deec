//! Reports changes to other programs: records of the table's stream in, SCIM events (RFC 9967) on an
//! EventBridge bus out. The only file that knows EventBridge and SQS.
//!
//! Each event arrives at least once and in any order; its `version` shows which is newer. It is the
//! set of claims of a Security Event Token, not signed: IAM controls which programs may write to the bus.
//!
//! Lambda redelivers what the bus does not take, and what comes after it waits. A record that cannot be understood
//! would wait for ever, so it goes to a dead-letter queue at once.

use std::collections::HashSet;

use aws_config::SdkConfig;
use aws_lambda_events::dynamodb::EventRecord;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_smithy_types::DateTime;
use scim::event::{Before, Change, Content, Event};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws::cause_of;
use crate::config::EventConfig;
use crate::directory::USER;
use crate::store::dynamodb::stream::{UserBefore, UserTransition, user_of};

/// `source` of the events on the bus.
pub const SOURCE: &str = "paradigm.scim";
/// Entries that one PutEvents may have.
const BATCH_SIZE: usize = 10;
/// Bytes that one PutEvents may have, less a reserve for what is counted beside the details.
const BATCH_BYTES: usize = 240 * 1024;

/// Error codes of events that the bus will never take.
const REFUSED_FOR_GOOD: [&str; 2] = ["InvalidArgument", "MalformedDetail"];

/// Publishes the changes that stream records have.
#[derive(Debug)]
pub struct Publisher {
    /// To EventBridge.
    pub event_bridge: aws_sdk_eventbridge::Client,
    /// Name or ARN of the bus.
    pub bus: String,
    /// To SQS.
    pub sqs: aws_sdk_sqs::Client,
    /// URL of the queue for records that cannot be understood.
    pub dead_letter_queue: String,
    /// How much of a change an event has.
    pub content: Content,
    /// URL of the service with the base path.
    pub base_url: String,
}

/// An event for the bus, and the record that it comes from.
struct Outgoing {
    sequence_number: String,
    bytes: usize,
    entry: PutEventsRequestEntry,
}

impl Publisher {
    /// Makes a publisher that uses EventBridge and SQS where the SDK's configuration points to.
    #[must_use]
    pub fn new(sdk_config: &SdkConfig, events: EventConfig, base_url: String) -> Self {
        Self {
            event_bridge: aws_sdk_eventbridge::Client::new(sdk_config),
            bus: events.bus,
            sqs: aws_sdk_sqs::Client::new(sdk_config),
            dead_letter_queue: events.dead_letter_queue,
            content: events.content,
            base_url,
        }
    }

    /// Makes sure that there is a bus: EventBridge takes events for a bus that does not exist, and delivers them
    /// nowhere.
    ///
    /// # Errors
    /// The bus does not exist, or may not be used.
    pub async fn find_bus(&self) -> Result<(), String> {
        let bus = self.event_bridge.describe_event_bus().name(&self.bus);
        bus.send()
            .await
            .map_err(|error| format!("the event bus cannot be used: {}", cause_of(&error)))?;
        Ok(())
    }

    /// Publishes what records say, oldest first. Returns the sequence numbers of those that must be redelivered.
    pub async fn publish(&self, records: &[Value]) -> Vec<String> {
        let mut failed = HashSet::new();
        let mut outgoing = Vec::new();
        for record in records {
            match self.outgoing(record) {
                Ok(entries) => outgoing.extend(entries),
                Err(cause) => {
                    if !self.send_to_dead_letter_queue(record, &cause).await {
                        failed.insert(sequence_number(record));
                    }
                }
            }
        }
        for batch in batches(outgoing) {
            for (sequence_number, refusal) in self.put(batch).await {
                // What the bus will never take must not keep it from what comes after.
                let is_for_good =
                    refusal.is_some_and(|code| REFUSED_FOR_GOOD.contains(&code.as_str()));
                let is_it = |record: &&Value| self::sequence_number(record) == sequence_number;
                let record = records.iter().find(is_it).filter(|_| is_for_good);
                let is_sent = match record {
                    Some(record) => {
                        self.send_to_dead_letter_queue(record, "the bus refuses it for good")
                            .await
                    }
                    None => false,
                };
                if !is_sent {
                    failed.insert(sequence_number);
                }
            }
        }
        let numbers = records.iter().map(sequence_number);
        numbers.filter(|number| failed.contains(number)).collect()
    }

    /// Reports a record that cannot be understood to the dead-letter queue: where it is, not what it
    /// holds. Returns whether that worked.
    async fn send_to_dead_letter_queue(&self, record: &Value, cause: &str) -> bool {
        let sequence_number = sequence_number(record);
        tracing::error!(sequence_number, cause, "a stream record was not understood");
        let keys = record.pointer("/dynamodb/Keys");
        let key = keys.and_then(|keys| serde_dynamo::Item::deserialize(keys).ok());
        let is_of_user = key.is_some_and(|key| user_of(key.into()).is_some());
        let letter = json!({
            "cause": cause,
            "sequenceNumber": sequence_number,
            "stream": record.get("eventSourceARN"),
            // The key of another item may hold the hash of a name, which can be guessed.
            "keys": keys.filter(|_| is_of_user),
        });
        let message = self.sqs.send_message().queue_url(&self.dead_letter_queue);
        let result = message.message_body(letter.to_string()).send().await;
        if let Err(error) = &result {
            let cause = cause_of(error);
            tracing::warn!(cause, "the dead-letter queue did not take a record");
        }
        result.is_ok()
    }

    fn outgoing(&self, record: &Value) -> Result<Vec<Outgoing>, String> {
        let sequence_number = sequence_number(record);
        // What serde says of a record may quote it, so it is left out.
        let record =
            EventRecord::deserialize(record).map_err(|_| "it is no record of a table's stream")?;
        let issued_at = record.change.approximate_creation_date_time.timestamp();
        let image = |image: serde_dynamo::Item| (!image.is_empty()).then(|| image.into());
        let transition = UserTransition::from_images(
            record.change.keys.into(),
            image(record.change.old_image),
            image(record.change.new_image),
        )
        .map_err(|error| error.to_string())?;
        let Some(transition) = transition else {
            return Ok(Vec::new());
        };
        let id = transition.user.to_string();
        let meta = transition.after.as_ref().map(|user| user.meta());
        let after = transition.after.as_ref().zip(meta.as_ref());
        let change = Change {
            resource_type: &USER,
            id: &id,
            before: match &transition.before {
                UserBefore::Nothing => Before::Nothing,
                UserBefore::Known(user) => Before::Known(&user.document),
                UserBefore::Unknown => Before::Unknown,
            },
            after: after.map(|(user, meta)| (&user.document, meta)),
            version: transition.version,
            transaction: &transition.write_id,
            issued_at,
        };
        let detail_of = |event: Event, content| {
            let mut claims = change.claims(event, content, &self.base_url);
            claims.insert("company".to_owned(), transition.company.to_string().into());
            Value::Object(claims).to_string()
        };
        let events = change.events().into_iter();
        let entries = events.map(|event| {
            let (mut content, mut detail) = (self.content, detail_of(event, self.content));
            // Larger than we write, but other programs may: the receiver can read the user.
            if detail.len() > BATCH_BYTES {
                content = Content::Notice;
                detail = detail_of(event, content);
            }
            Outgoing {
                sequence_number: sequence_number.clone(),
                bytes: detail.len(),
                entry: PutEventsRequestEntry::builder()
                    .source(SOURCE)
                    .detail_type(event.uri(content))
                    .detail(detail)
                    .time(DateTime::from_secs(issued_at))
                    .event_bus_name(&self.bus)
                    .build(),
            }
        });
        Ok(entries.collect())
    }

    /// Sends one batch; returns the records of those that the bus did not take, with its error code.
    async fn put(&self, batch: Vec<Outgoing>) -> Vec<(String, Option<String>)> {
        let (numbers, entries): (Vec<String>, Vec<PutEventsRequestEntry>) = batch
            .into_iter()
            .map(|outgoing| (outgoing.sequence_number, outgoing.entry))
            .unzip();
        let request = self.event_bridge.put_events().set_entries(Some(entries));
        let results = match request.send().await {
            Ok(output) => output.entries.unwrap_or_default(),
            Err(error) => {
                let cause = cause_of(&error);
                tracing::warn!(cause, "the event bus did not take events");
                return numbers.into_iter().map(|number| (number, None)).collect();
            }
        };
        let mut results = results.into_iter();
        numbers
            .into_iter()
            .filter_map(|sequence_number| {
                let result = results.next();
                if result
                    .as_ref()
                    .is_some_and(|result| result.event_id.is_some())
                {
                    return None;
                }
                let code = result.and_then(|result| result.error_code);
                tracing::warn!(sequence_number, code, "the event bus refused an event");
                Some((sequence_number, code))
            })
            .collect()
    }
}

/// Identifies a record in its shard. Without it a failure cannot be reported for one record, and an empty
/// one makes Lambda deliver the whole batch again.
fn sequence_number(record: &Value) -> String {
    let number = record.pointer("/dynamodb/SequenceNumber");
    number
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// Splits events into what one PutEvents may hold.
fn batches(outgoing: Vec<Outgoing>) -> Vec<Vec<Outgoing>> {
    let mut batches: Vec<Vec<Outgoing>> = Vec::new();
    let mut bytes = 0;
    for next in outgoing {
        bytes += next.bytes;
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH_SIZE && bytes <= BATCH_BYTES => batch.push(next),
            _ => {
                bytes = next.bytes;
                batches.push(vec![next]);
            }
        }
    }
    batches
}
