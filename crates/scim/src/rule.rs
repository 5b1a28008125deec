//! The rules of the protocol by name: what an operator searches the log for when a request was refused.

/// The name of the rule that a refused request broke.
///
/// It goes to the log, where operators search for it, so a released name keeps its meaning. `docs/refusals.md` lists
/// all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule(&'static str);

impl Rule {
    /// Returns a rule of this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// Returns the name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// Declares rules as constants, and `ALL` with each of them.
#[macro_export]
macro_rules! rules {
    ($($(#[$about:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$about])* pub const $name: $crate::Rule = $crate::Rule::new($text);)*

        /// Every rule that this module declares.
        pub const ALL: &[$crate::Rule] = &[$($name),*];
    };
}
rules! {
    /// A filter follows the grammar of RFC 7644 §3.4.2.2.
    FILTER_SYNTAX = "filter-syntax";
    /// A filter names attributes that a schema declares.
    FILTER_UNKNOWN_ATTRIBUTE = "filter-unknown-attribute";
    /// Operator and value of a comparison fit the attribute.
    FILTER_COMPARISON = "filter-comparison";
    /// A filter has a limited length.
    FILTER_LENGTH = "filter-length";
    /// A filter has a limited number of comparisons.
    FILTER_COMPARISONS = "filter-comparisons";
    /// A filter is nested to a limited depth.
    FILTER_NESTING = "filter-nesting";

    /// `sortBy` names an attribute that has an order.
    SORT_ATTRIBUTE = "sort-attribute";
    /// `sortOrder` is one of two words.
    SORT_ORDER = "sort-order";
    /// `startIndex` and `count` are integers.
    PAGE_NUMBER = "page-number";
    /// `startIndex` and `cursor` exclude each other.
    PAGE_METHOD = "page-method";
    /// A cursor is one of this query's.
    CURSOR_INVALID = "cursor-invalid";
    /// A cursor is used in time.
    CURSOR_EXPIRED = "cursor-expired";
    /// A parameter is given once.
    PARAMETER_REPEATED = "parameter-repeated";
    /// A parameter of a SearchRequest message has its type.
    PARAMETER_TYPE = "parameter-type";
    /// `attributes` and `excludedAttributes` exclude each other.
    PROJECTION_BOTH = "projection-both";
    /// `attributes` and `excludedAttributes` have a limited number of names.
    PROJECTION_NAMES = "projection-names";

    /// `schemas` of a resource has the core schema.
    SCHEMAS = "schemas";
    /// A value has its attribute's type.
    ATTRIBUTE_TYPE = "attribute-type";
    /// A required attribute has a value.
    ATTRIBUTE_REQUIRED = "attribute-required";
    /// An attribute with a default is not cleared.
    ATTRIBUTE_CLEARED = "attribute-cleared";
    /// An attribute is given once.
    ATTRIBUTE_REPEATED = "attribute-repeated";
    /// Multi-valued attributes are sent as arrays of objects.
    ATTRIBUTE_SPLIT = "attribute-split";
    /// A multi-valued attribute has a limited number of values.
    VALUES_NUMBER = "values-number";
    /// At most one value is primary.
    VALUES_PRIMARY = "values-primary";
    /// A read-only attribute is not written.
    ATTRIBUTE_READ_ONLY = "attribute-read-only";
    /// An `id` in a body is the resource's own.
    ID_MISMATCH = "id-mismatch";

    /// A PatchOp message has an array of operations.
    PATCH_OPERATIONS = "patch-operations";
    /// A PatchOp message has a limited number of operations.
    PATCH_OPERATIONS_NUMBER = "patch-operations-number";
    /// An operation of a PATCH is an object with `add`, `replace` or `remove` as `op`.
    PATCH_OPERATION = "patch-operation";
    /// `path` follows the grammar of RFC 7644 §3.5.2.
    PATCH_PATH = "patch-path";
    /// `value` is there, in the form that `op` and `path` need.
    PATCH_VALUE = "patch-value";
    /// The paths of a PATCH have a limited number of comparisons together.
    PATCH_COMPARISONS = "patch-comparisons";
    /// The value of an operation has a limited size, all copies together.
    PATCH_VALUE_SIZE = "patch-value-size";
    /// A PATCH computes a limited amount.
    PATCH_WORK = "patch-work";
    /// `remove` has a `path`.
    PATCH_REMOVE_WITHOUT_PATH = "patch-remove-without-path";
    /// `remove` takes no required attribute away.
    PATCH_REMOVE_REQUIRED = "patch-remove-required";
    /// The filter in `path` selects a value.
    PATCH_NO_TARGET = "patch-no-target";

    /// A BulkRequest message has an array of operations.
    BULK_OPERATIONS = "bulk-operations";
    /// A BulkRequest message has a limited number of operations.
    BULK_OPERATIONS_NUMBER = "bulk-operations-number";
    /// `failOnErrors` is a positive integer.
    BULK_FAIL_ON_ERRORS = "bulk-fail-on-errors";
    /// A bulk operation has its members, each of the right type.
    BULK_OPERATION = "bulk-operation";
    /// A `bulkId` is there where it must be, unique, short, and without `/`.
    BULK_ID = "bulk-id";
    /// A reference names a resource that the request has created.
    BULK_REFERENCE = "bulk-reference";
    /// Operations do not wait for each other.
    BULK_CIRCLE = "bulk-circle";

    /// The server has no defect.
    INTERNAL = "internal";
}
