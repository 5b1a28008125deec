//! SCIM events: the claims of Security Event Tokens about resources (RFC 9967, RFC 8417).

use serde_json::{Map, Value, json};

use crate::etag;
use crate::resource::{Document, Meta, render};
use crate::schema::ResourceType;

/// How much events say about a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Names of attributes only: nothing personal.
    Notice,
    /// The whole resource.
    Full,
}

/// The kind of event (RFC 9967 §2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It was created.
    Create,
    /// Attributes changed; by PUT, PATCH or otherwise.
    Put,
    /// It was deleted.
    Delete,
    /// Its user may sign in again.
    Activate,
    /// Its user may not sign in any more.
    Deactivate,
}

impl Event {
    /// Returns the event's URI.
    #[must_use]
    pub const fn uri(self, content: Content) -> &'static str {
        match (self, content) {
            (Self::Create, Content::Notice) => "urn:ietf:params:scim:event:prov:create:notice",
            (Self::Create, Content::Full) => "urn:ietf:params:scim:event:prov:create:full",
            (Self::Put, Content::Notice) => "urn:ietf:params:scim:event:prov:put:notice",
            (Self::Put, Content::Full) => "urn:ietf:params:scim:event:prov:put:full",
            (Self::Delete, _) => "urn:ietf:params:scim:event:prov:delete",
            (Self::Activate, _) => "urn:ietf:params:scim:event:prov:activate",
            (Self::Deactivate, _) => "urn:ietf:params:scim:event:prov:deactivate",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
        }
    }
}

/// The resource before it changed.
#[derive(Debug, Clone, Copy)]
pub enum Before<'c> {
    /// It did not exist.
    Nothing,
    /// It existed, with these attributes.
    Known(&'c Document),
    /// One that cannot be read. Everything in the new item counts as a change.
    Unknown,
}

/// One change of one resource, and what its events need to say.
#[derive(Debug)]
pub struct Change<'c> {
    /// The type of the resource.
    pub resource_type: &'static ResourceType,
    /// The id of the resource.
    pub id: &'c str,
    /// The resource before the change.
    pub before: Before<'c>,
    /// The resource after the change; `None` if it is deleted.
    pub after: Option<(&'c Document, &'c Meta)>,
    /// Its version after the change: consumers drop what is older than what they know.
    pub version: u64,
    /// Identifies the transaction.
    pub transaction: &'c str,
    /// Seconds since 1970.
    pub issued_at: i64,
}

impl Change<'_> {
    /// Returns the events of the change, the most important first; none if no attribute changed.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let after = self.after.map(|(document, _)| document);
        let (before, after) = match (self.before, after) {
            (Before::Known(before), Some(after)) => (before, after),
            (Before::Unknown, Some(after)) if after.is_active() => {
                return vec![Event::Activate, Event::Put];
            }
            (Before::Unknown, Some(_)) => return vec![Event::Deactivate, Event::Put],
            (Before::Nothing, Some(_)) => return vec![Event::Create],
            (Before::Known(_) | Before::Unknown, None) => return vec![Event::Delete],
            (Before::Nothing, None) => return Vec::new(),
        };
        let mut events = Vec::new();
        match (before.is_active(), after.is_active()) {
            (true, false) => events.push(Event::Deactivate),
            (false, true) => events.push(Event::Activate),
            _ => {}
        }
        if self.changed_attributes().iter().any(|name| name != ACTIVE) {
            events.push(Event::Put);
        }
        events
    }

    /// Returns the claims of the token of an event. Beside those of the RFCs it has `version` (a
    /// number, to compare) and `active`, so that a receiver that drops an older event misses nothing.
    ///
    /// `sub_id` has the `externalId` only where `content` allows personal data.
    #[must_use]
    pub fn claims(&self, event: Event, content: Content, base_url: &str) -> Map<String, Value> {
        let endpoint = self.resource_type.endpoint;
        let mut subject = Map::new();
        subject.insert("format".to_owned(), "scim".into());
        subject.insert("uri".to_owned(), format!("{endpoint}/{}", self.id).into());
        let known = match (self.after, self.before) {
            (Some((document, _)), _) | (None, Before::Known(document)) => Some(document),
            (None, _) => None,
        };
        let external_id = known.and_then(|document| document.string("externalId"));
        if let (Content::Full, Some(external_id)) = (content, external_id) {
            subject.insert("externalId".to_owned(), external_id.into());
        }
        let mut claims = Map::new();
        let mut claim = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        claim("iss", base_url.into());
        // The events are for the instance's own application.
        claim("aud", base_url.into());
        claim("iat", self.issued_at.into());
        // The same for a repetition, and for no other token: a transaction writes a user once.
        let token = format!("{}:{}:{}", self.id, self.transaction, event.name());
        claim("jti", token.into());
        claim("txn", self.transaction.into());
        claim("sub_id", subject.into());
        claim(
            "events",
            json!({event.uri(content): self.payload(event, content, base_url)}),
        );
        claim("version", self.version.into());
        let is_active = self.after.is_some_and(|(document, _)| document.is_active());
        claim(ACTIVE, is_active.into());
        claims
    }

    /// Returns the payload of an event: exactly one of `data` and `attributes`, or none.
    fn payload(&self, event: Event, content: Content, base_url: &str) -> Value {
        let (Event::Create | Event::Put, Some((document, meta))) = (event, self.after) else {
            return json!({});
        };
        let version = etag::of_version(self.version);
        match content {
            Content::Notice => json!({"version": version, "attributes": self.changed_attributes()}),
            Content::Full => {
                let resource = render(
                    self.resource_type,
                    self.id,
                    document.clone(),
                    meta,
                    base_url,
                );
                json!({"version": version, "data": resource})
            }
        }
    }

    fn changed_attributes(&self) -> Vec<String> {
        let nothing = Document::default();
        let before = match self.before {
            Before::Known(before) => before,
            Before::Nothing | Before::Unknown => &nothing,
        };
        let after = self.after.map_or(&nothing, |(document, _)| document);
        before.changed_attributes(after, self.resource_type)
    }
}

const ACTIVE: &str = "active";
