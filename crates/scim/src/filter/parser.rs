//! The grammar of RFC 7644 §3.4.2.2 (figure 1), by recursive descent: `or` binds weakest, then
//! `and`, then `not`.

use serde_json::Value;

use super::error::{
    FilterError, MAX_FILTER_COMPARISONS, MAX_FILTER_DEPTH, MAX_FILTER_LENGTH, position,
};
use super::lexer::{Token, tokens};
use super::tree::{Filter, Operator, ValuePath};
use super::typing::{check, string_value, value_of_complex};
use crate::compare::Constant;
use crate::name::{Name, NameError, is_attribute_name, resolve};
use crate::schema::{Attribute, AttributePath, ResourceType, Type};

/// What the names in a filter refer to.
#[derive(Debug, Clone, Copy)]
pub enum Scope {
    /// The attributes of a resource.
    Resource(&'static ResourceType),
    /// The attributes of resources of any type: one that this type does not declare has no value
    /// (RFC 7644 §3.4.2.1).
    AnyResource(&'static ResourceType),
    /// The sub-attributes of one value of a complex attribute, inside brackets.
    Element(&'static Attribute),
    /// Nothing is known; only the grammar is checked.
    Unknown,
}

/// Parses a filter (RFC 7644 §3.4.2.2) and resolves its names in `scope`.
///
/// ```
/// # use scim::schema::{ENTERPRISE_USER, ResourceType, USER_SCHEMA};
/// # static USER: ResourceType = ResourceType {
/// #     name: "User", endpoint: "/Users", description: "User account",
/// #     schema: &USER_SCHEMA, extensions: &[&ENTERPRISE_USER],
/// # };
/// use scim::filter::{FilterError, Scope, parse};
/// use scim::work::Work;
/// use serde_json::json;
///
/// let filter = parse("name.familyName sw \"Love\" and title pr", Scope::Resource(&USER))?;
/// let user = json!({"name": {"familyName": "Lovelace"}, "title": "Countess"});
/// let user = user.as_object().cloned().unwrap_or_default();
/// assert_eq!(filter.matches(&user, &mut Work::of_query()), Ok(true));
///
/// let error = parse("title = \"Countess\"", Scope::Resource(&USER));
/// assert!(matches!(error, Err(FilterError::Syntax { position: 7, .. })));
/// # Ok::<(), FilterError>(())
/// ```
///
/// # Errors
/// [`FilterError`] if the filter breaks the grammar, names an unknown attribute, compares one in a wrong way, or
/// exceeds a limit.
pub fn parse(text: &str, scope: Scope) -> Result<Filter, FilterError> {
    if text.len() > MAX_FILTER_LENGTH {
        return Err(FilterError::TooLong);
    }
    let mut parser = Parser::new(text)?;
    let filter = parser.disjunction(scope)?;
    parser.expect_end("'and', 'or' or the end was expected")?;
    match (parser.unknown, scope) {
        (Some(_), Scope::AnyResource(_)) | (None, _) => Ok(filter),
        (Some(unknown), _) => Err(unknown.into()),
    }
}

/// Parses `attribute[filter]` or `attribute[filter].sub-attribute` (RFC 7644 §3.5.2).
///
/// # Errors
/// [`FilterError::UnknownAttribute`] only if the grammar holds; any other [`FilterError`] as for [`parse`].
pub(crate) fn parse_value_path(
    text: &str,
    resource_type: &'static ResourceType,
) -> Result<ValuePath, FilterError> {
    let scope = Scope::Resource(resource_type);
    let mut parser = Parser::new(text)?;
    let path = parser.attribute(scope)?;
    let values = parser.value_path(scope, path)?;
    parser.expect_end("only '.' and a sub-attribute may follow ']'")?;
    match parser.unknown {
        None => Ok(values),
        Some(unknown) => Err(unknown.into()),
    }
}

/// Stands for an attribute that no schema declares until the grammar has been checked to the end.
static UNKNOWN: Attribute = Attribute::unknown();

/// The first attribute of a filter that no schema declares.
#[derive(Clone, Copy)]
struct Unknown {
    /// Where it stands, counted from 1.
    position: usize,
    /// The complex attribute that it would be a sub-attribute of.
    parent: Option<&'static Attribute>,
}

impl From<Unknown> for FilterError {
    fn from(unknown: Unknown) -> Self {
        Self::UnknownAttribute {
            position: unknown.position,
            parent: unknown.parent,
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<(Token<'t>, usize)>,
    next: usize,
    depth: usize,
    comparisons: usize,
    unknown: Option<Unknown>,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Result<Self, FilterError> {
        Ok(Self {
            text,
            tokens: tokens(text)?,
            next: 0,
            depth: 0,
            comparisons: 0,
            unknown: None,
        })
    }

    fn peek(&self) -> Option<&Token<'t>> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    /// Returns the position of the next token, counted from 1.
    fn position(&self) -> usize {
        let offset = self
            .tokens
            .get(self.next)
            .map_or(self.text.len(), |&(_, offset)| offset);
        position(self.text, offset)
    }

    fn syntax(&self, message: &'static str) -> FilterError {
        FilterError::Syntax {
            message,
            position: self.position(),
        }
    }

    fn expect(&mut self, token: &Token<'_>, message: &'static str) -> Result<(), FilterError> {
        if self.peek() == Some(token) {
            self.next += 1;
            Ok(())
        } else {
            Err(self.syntax(message))
        }
    }

    fn expect_end(&self, message: &'static str) -> Result<(), FilterError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.syntax(message)),
        }
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let found =
            matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        if found {
            self.next += 1;
        }
        found
    }

    /// Runs a nested part one level deeper.
    fn nested<T>(
        &mut self,
        part: impl FnOnce(&mut Self) -> Result<T, FilterError>,
    ) -> Result<T, FilterError> {
        if self.depth == MAX_FILTER_DEPTH {
            return Err(FilterError::TooDeep);
        }
        self.depth += 1;
        let result = part(self);
        self.depth -= 1;
        result
    }

    fn disjunction(&mut self, scope: Scope) -> Result<Filter, FilterError> {
        let first = self.conjunction(scope)?;
        let mut parts = vec![first];
        while self.take_keyword("or") {
            parts.push(self.conjunction(scope)?);
        }
        Ok(one_or(parts, Filter::Or))
    }

    fn conjunction(&mut self, scope: Scope) -> Result<Filter, FilterError> {
        let first = self.term(scope)?;
        let mut parts = vec![first];
        while self.take_keyword("and") {
            parts.push(self.term(scope)?);
        }
        Ok(one_or(parts, Filter::And))
    }

    fn term(&mut self, scope: Scope) -> Result<Filter, FilterError> {
        let followed_by_open = matches!(self.tokens.get(self.next + 1), Some((Token::Open, _)));
        match self.peek() {
            Some(Token::Open) => self.group(scope),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("not") && followed_by_open => {
                self.next += 1;
                let negated = self.group(scope)?;
                Ok(Filter::Not(Box::new(negated)))
            }
            Some(Token::Word(_)) => self.expression(scope),
            _ => Err(self.syntax("an attribute, 'not' or '(' was expected")),
        }
    }

    fn group(&mut self, scope: Scope) -> Result<Filter, FilterError> {
        self.expect(&Token::Open, "'(' was expected")?;
        let inner = self.nested(|parser| parser.disjunction(scope))?;
        self.expect(&Token::Close, "')' was expected")?;
        Ok(inner)
    }

    /// Parses `attribute pr`, `attribute operator value` or `attribute[filter]`.
    fn expression(&mut self, scope: Scope) -> Result<Filter, FilterError> {
        let path = self.attribute(scope)?;
        if self.peek() != Some(&Token::OpenBracket) {
            return self.condition(path);
        }
        let values = self.nested(|parser| parser.value_path(scope, path))?;
        let filter = match values.sub_attribute {
            None => values.filter,
            Some(_) => {
                let condition = self.condition(values.target())?;
                condition_behind_brackets(values.filter, condition)
            }
        };
        Ok(Filter::Values {
            path: values.path,
            filter: Box::new(filter),
        })
    }

    /// Parses what follows an attribute: `pr`, or an operator and a value.
    fn condition(&mut self, path: AttributePath) -> Result<Filter, FilterError> {
        if self.comparisons == MAX_FILTER_COMPARISONS {
            return Err(FilterError::TooManyComparisons);
        }
        self.comparisons += 1;
        if self.take_keyword("pr") {
            return Ok(Filter::Present(path));
        }
        let operator = self.operator()?;
        self.comparison(path, operator)
    }

    fn attribute(&mut self, scope: Scope) -> Result<AttributePath, FilterError> {
        let Some(&Token::Word(word)) = self.peek() else {
            return Err(self.syntax("an attribute was expected"));
        };
        let path = match scope {
            Scope::Resource(resource_type) | Scope::AnyResource(resource_type) => {
                match resolve(word, resource_type) {
                    Ok(Name::Attribute(path)) => path,
                    Err(NameError::UnknownAttribute) => self.unknown_attribute(None),
                    Err(NameError::UnknownSubAttribute(attribute)) => {
                        self.unknown_attribute(Some(attribute))
                    }
                    Ok(Name::Schema(_)) | Err(_) => {
                        return Err(self.syntax("an attribute was expected"));
                    }
                }
            }
            Scope::Element(_) | Scope::Unknown if !is_attribute_name(word) => {
                return Err(self.syntax("an attribute was expected"));
            }
            Scope::Element(attribute) => match attribute.sub_attribute(word) {
                Some(sub_attribute) => AttributePath {
                    extension: None,
                    attribute,
                    sub_attribute: Some(sub_attribute),
                },
                None => self.unknown_attribute(Some(attribute)),
            },
            Scope::Unknown => self.unknown_attribute(None),
        };
        self.next += 1;
        Ok(path)
    }

    fn unknown_attribute(&mut self, parent: Option<&'static Attribute>) -> AttributePath {
        let position = self.position();
        self.unknown.get_or_insert(Unknown { position, parent });
        AttributePath {
            extension: None,
            attribute: &UNKNOWN,
            sub_attribute: None,
        }
    }

    fn operator(&mut self) -> Result<Operator, FilterError> {
        let operator = match self.peek() {
            Some(Token::Word(word)) => Operator::parse(word),
            _ => None,
        };
        let operator = operator.ok_or_else(|| {
            self.syntax("an operator (eq, ne, co, sw, ew, gt, ge, lt, le, pr) was expected")
        })?;
        self.next += 1;
        Ok(operator)
    }

    /// Parses what follows an attribute that has brackets: the filter in them, and perhaps a sub-attribute behind
    /// them.
    fn value_path(&mut self, scope: Scope, path: AttributePath) -> Result<ValuePath, FilterError> {
        let is_unknown = path.attribute.is(&UNKNOWN);
        let nestable = matches!(scope, Scope::Resource(_) | Scope::AnyResource(_))
            && path.sub_attribute.is_none()
            && (is_unknown || path.attribute.kind == Type::Complex);
        if !nestable {
            return Err(self.syntax("only a complex attribute takes a filter in brackets"));
        }
        self.expect(&Token::OpenBracket, "'[' was expected")?;
        let element = if is_unknown {
            Scope::Unknown
        } else {
            Scope::Element(path.attribute)
        };
        let filter = self.disjunction(element)?;
        self.expect(&Token::CloseBracket, "']' was expected")?;
        Ok(ValuePath {
            path,
            filter,
            sub_attribute: self.behind_brackets(path.attribute)?,
        })
    }

    /// Parses `.sub-attribute`, if it follows.
    fn behind_brackets(
        &mut self,
        attribute: &'static Attribute,
    ) -> Result<Option<&'static Attribute>, FilterError> {
        let Some(&Token::Word(word)) = self.peek() else {
            return Ok(None);
        };
        let Some(name) = word.strip_prefix('.') else {
            return Ok(None);
        };
        if !is_attribute_name(name) {
            return Err(self.syntax("a sub-attribute was expected"));
        }
        let sub_attribute = match attribute.sub_attribute(name) {
            Some(sub_attribute) => sub_attribute,
            None => self.unknown_attribute(Some(attribute)).attribute,
        };
        self.next += 1;
        Ok(Some(sub_attribute))
    }

    fn comparison(
        &mut self,
        path: AttributePath,
        operator: Operator,
    ) -> Result<Filter, FilterError> {
        let path = value_of_complex(path)?;
        let attribute = path.leaf();
        let value = match self.peek() {
            Some(Token::String(text)) => string_value(attribute, text),
            Some(&Token::Word("null")) => Value::Null,
            Some(&Token::Word(word)) => unquoted_text(word)
                .map(|text| string_value(attribute, text))
                .ok_or_else(|| self.syntax("a value was expected"))?,
            _ => return Err(self.syntax("a value was expected")),
        };
        check(attribute, operator, &value)?;
        self.next += 1;
        Ok(Filter::Compare {
            path,
            operator,
            value: Constant::new(attribute, value),
        })
    }
}

fn one_or(mut parts: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            join(parts)
        }
        None => join(parts),
    }
}

/// `userName eq akadmin`: text in a filter without its quotes, where it is one word. Single quotes
/// are no quotes.
///
/// Sent by: authentik in 2025 (goauthentik/authentik#16455); examples of Microsoft's tutorial.
fn unquoted_text(word: &str) -> Option<&str> {
    (!word.starts_with('\'')).then_some(word)
}

/// `emails[type eq "work"].value eq "…"`: a comparison behind the brackets, which the grammar of
/// RFC 7644 does not have. It means one value that meets both, so it joins the filter inside.
///
/// Sent by: Entra, when it matches users by an email (Microsoft's page "Troubleshoot user
/// provisioning validation"; no capture is known).
fn condition_behind_brackets(inside: Filter, condition: Filter) -> Filter {
    Filter::And(vec![inside, condition])
}
