//! PatchOp (RFC 7644 §3.5.2): operations apply one after another to a copy, so that a message applies as a whole or not
//! at all.

use serde_json::{Map, Value};

use crate::patch::{Edit, Effect, MAX_VALUE_BYTES, Parser, Target, apply_change, unmatched};
use crate::resource::Document;
use crate::schema::ResourceType;
use crate::size::json_bytes;
use crate::work::Work;
use crate::{ScimError, dialect, rule};

/// Most operations in one message.
pub const MAX_PATCH_OPERATIONS: usize = 200;

/// Most comparisons in the filters of all paths of one message, `pr` included.
pub const MAX_PATCH_COMPARISONS: usize = 500;

/// URN of the PatchOp message.
pub const PATCH_OP_URN: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A parsed PatchOp message.
#[derive(Debug)]
pub struct PatchOp {
    steps: Vec<Step>,
    undeclared: usize,
}

/// The result of applying a message to a document.
#[derive(Debug)]
pub struct Patched {
    /// The changed document.
    pub document: Document,
    /// The changes that were skipped, because a singular attribute does not match the filter in their path.
    pub skipped: Vec<Skipped>,
}

/// A change that was skipped, because the filter in its path does not match the attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    /// Index of the operation in the message.
    pub operation: usize,
    /// The attribute's name in its schema.
    pub attribute: &'static str,
}

/// One edit of an operation; one without a path makes several.
#[derive(Debug)]
struct Step {
    /// Index of the operation in the message.
    operation: usize,
    edit: Edit,
}

impl PatchOp {
    /// Parses a message and rewrites what identity providers send instead of RFC form.
    ///
    /// ```
    /// # use scim::schema::{ENTERPRISE_USER, ResourceType, USER_SCHEMA};
    /// # static USER: ResourceType = ResourceType {
    /// #     name: "User", endpoint: "/Users", description: "User account",
    /// #     schema: &USER_SCHEMA, extensions: &[&ENTERPRISE_USER],
    /// # };
    /// use scim::messages::PatchOp;
    /// use scim::resource::Document;
    /// use scim::work::Work;
    /// use serde_json::json;
    ///
    /// let message = json!({"Operations": [{"op": "Add", "path": "manager", "value": "26118915"}]});
    /// let message = message.as_object().cloned().unwrap_or_default();
    /// let patch = PatchOp::parse(message, &USER)?;
    ///
    /// let user = Document::default();
    /// let error = patch.apply("1", &user, &USER, &mut Work::of_patch()).map(|_| ());
    /// // A user must have a userName; the document is untouched.
    /// assert_eq!(error.map_err(|error| error.status), Err(400));
    /// # Ok::<(), scim::ScimError>(())
    /// ```
    ///
    /// # Errors
    /// `invalidSyntax` for a message or operation of the wrong form, `invalidPath` for a path that no schema declares,
    /// `noTarget` for `remove` without a path, `mutability` for a read-only attribute. Each names the operation.
    pub fn parse(
        mut message: Map<String, Value>,
        resource_type: &'static ResourceType,
    ) -> Result<Self, ScimError> {
        dialect::patch_message(&mut message);
        let Some(Value::Array(operations)) = message.shift_remove("Operations") else {
            return Err(ScimError::invalid_syntax(
                "A PATCH body needs an 'Operations' array (RFC 7644 section 3.5.2).",
            )
            .rule(rule::PATCH_OPERATIONS));
        };
        if operations.is_empty() {
            return Err(ScimError::invalid_syntax(
                "'Operations' is empty; send at least one operation.",
            )
            .rule(rule::PATCH_OPERATIONS));
        }
        if operations.len() > MAX_PATCH_OPERATIONS {
            return Err(ScimError::invalid_syntax(format!(
                "'Operations' may contain at most {MAX_PATCH_OPERATIONS} operations; send several requests."
            ))
            .rule(rule::PATCH_OPERATIONS_NUMBER));
        }
        let mut steps = Vec::with_capacity(operations.len());
        let mut parser = Parser {
            resource_type,
            undeclared: 0,
        };
        let mut comparisons = 0;
        for (index, operation) in operations.into_iter().enumerate() {
            let edits = parser
                .operation(operation)
                .and_then(|edits| {
                    check_edits(&edits, &mut comparisons)?;
                    Ok(edits)
                })
                .map_err(|error| error.in_operation(index))?;
            steps.extend(edits.into_iter().map(|edit| Step {
                operation: index,
                edit,
            }));
        }
        Ok(Self {
            steps,
            undeclared: parser.undeclared,
        })
    }

    /// Returns how many attributes and sub-attributes of the message were left out, because no schema
    /// declares them.
    #[must_use]
    pub fn undeclared(&self) -> usize {
        self.undeclared
    }

    /// Returns the number of changes that the operations make; one without a path may make several.
    #[must_use]
    pub fn changes(&self) -> usize {
        self.steps.len()
    }

    /// Applies the message to the resource with this id, within a work budget.
    ///
    /// # Errors
    /// `invalidValue` for a value that breaks the schema, `noTarget` for a filter that selects no value, `mutability`
    /// for another `id`. Each names the operation. A budget that is used up is `invalidValue`. The document is
    /// untouched.
    pub fn apply(
        &self,
        id: &str,
        document: &Document,
        resource_type: &ResourceType,
        work: &mut Work,
    ) -> Result<Patched, ScimError> {
        let mut patched = document.clone();
        let mut skipped = Vec::new();
        for Step { operation, edit } in &self.steps {
            let named = |error: ScimError| edit.change.named_in(error).in_operation(*operation);
            let skipped_attribute = unmatched(edit, &patched, work);
            if let Some(skipped_attribute) =
                skipped_attribute.map_err(|exhausted| named(exhausted.into()))?
            {
                skipped.push(Skipped {
                    operation: *operation,
                    attribute: skipped_attribute.name,
                });
                continue;
            }
            apply_change(&edit.change, id, &mut patched, work).map_err(named)?;
        }
        patched.check_required(resource_type)?;
        Ok(Patched {
            document: patched,
            skipped,
        })
    }
}

/// Checks the static limits of an operation's edits; `comparisons` counts those of the message.
///
/// # Errors
/// `invalidPath` for more than [`MAX_PATCH_COMPARISONS`], `invalidValue` beyond [`MAX_VALUE_BYTES`].
fn check_edits(edits: &[Edit], comparisons: &mut usize) -> Result<(), ScimError> {
    for edit in edits {
        if let Some(condition) = &edit.condition {
            *comparisons += condition.filter.comparisons();
        }
        let (target, value) = match &edit.change {
            Effect::Add(target, value) | Effect::Replace(target, value) => (target, Some(value)),
            Effect::Remove(target) => (target, None),
            _ => continue,
        };
        if let Target::Values(values) = target {
            *comparisons += values.filter.comparisons();
        }
        if *comparisons > MAX_PATCH_COMPARISONS {
            return Err(ScimError::invalid_path(format!(
                "The paths of a request may have at most {MAX_PATCH_COMPARISONS} comparisons together; send several requests."
            ))
            .rule(rule::PATCH_COMPARISONS));
        }
        if value.is_some_and(|value| json_bytes(value) > MAX_VALUE_BYTES) {
            return Err(ScimError::invalid_value(format!(
                "The value of '{}' may have at most {MAX_VALUE_BYTES} bytes as JSON.",
                target.attribute().name
            ))
            .rule(rule::PATCH_VALUE_SIZE)
            .about(target.attribute().name));
        }
    }
    Ok(())
}
