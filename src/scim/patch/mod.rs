//! PATCH (RFC 7644 §3.5.2): a PatchOp message in, the changed document out. Operations apply one
//! after another to a copy, so a message applies as a whole or not at all.

mod apply;
mod parse;

use serde_json::{Map, Value};

use super::dialect;
use super::path::{AttributePath, ValuePath};
use super::resource::Document;
use super::schema::{ResourceType, Schema};
use super::{ScimError, rule};

/// Most operations in one message.
pub const MAX_OPERATIONS: usize = 200;

/// A parsed PatchOp message.
#[derive(Debug)]
pub struct PatchOp {
    steps: Vec<Step>,
}

/// One change of one attribute; an operation without a path makes several.
#[derive(Debug)]
struct Step {
    /// Index of the operation in the message.
    operation: usize,
    change: Change,
}

#[derive(Debug)]
enum Change {
    Add(Target, Value),
    Replace(Target, Value),
    Remove(Target),
    RemoveExtension(&'static Schema),
    /// `remove` of certain values, listed in `value` instead of a filter.
    RemoveListed(AttributePath, Vec<Value>),
    /// An `id` in an operation without a path; it must be the user's own.
    AssertId(Value),
}

#[derive(Debug)]
enum Target {
    Attribute(AttributePath),
    Values(ValuePath),
}

impl Change {
    /// An error about the attribute that is changed, with the whole path for the log.
    fn named_in(&self, error: ScimError) -> ScimError {
        match self {
            Self::Add(target, _) | Self::Replace(target, _) | Self::Remove(target) => {
                match target {
                    Target::Attribute(path) => path.named_in(error),
                    Target::Values(values) => AttributePath {
                        sub_attribute: values.sub_attribute,
                        ..values.path
                    }
                    .named_in(error),
                }
            }
            Self::RemoveListed(path, _) => path.named_in(error),
            Self::RemoveExtension(_) | Self::AssertId(_) => error,
        }
    }
}

impl PatchOp {
    /// Parses a message.
    ///
    /// # Errors
    /// `invalidSyntax`, `invalidPath`, `noTarget` or `mutability`, naming the operation.
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
                "'Operations' must contain at least one operation.",
            )
            .rule(rule::PATCH_OPERATIONS));
        }
        if operations.len() > MAX_OPERATIONS {
            return Err(ScimError::invalid_syntax(format!(
                "'Operations' may contain at most {MAX_OPERATIONS} operations; send several requests."
            ))
            .rule(rule::PATCH_OPERATIONS_NUMBER));
        }
        let mut steps = Vec::with_capacity(operations.len());
        for (index, operation) in operations.into_iter().enumerate() {
            let changes = parse::operation(operation, resource_type)
                .map_err(|error| error.in_operation(index))?;
            steps.extend(changes.into_iter().map(|change| Step {
                operation: index,
                change,
            }));
        }
        Ok(Self { steps })
    }

    /// Applies the message to the resource with this id.
    ///
    /// # Errors
    /// `invalidValue`, `noTarget` or `mutability`, naming the operation. The document is untouched.
    pub fn apply(
        &self,
        id: &str,
        document: &Document,
        resource_type: &ResourceType,
    ) -> Result<Document, ScimError> {
        let mut patched = document.clone();
        for step in &self.steps {
            apply::step(&step.change, id, &mut patched)
                .map_err(|error| step.change.named_in(error).in_operation(step.operation))?;
        }
        patched.check_required(resource_type)?;
        Ok(patched)
    }
}
