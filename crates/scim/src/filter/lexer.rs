//! Tokens of a filter. Every token knows where it began.

use super::error::{FilterError, position};

/// A piece of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// `(`
    Open,
    /// `)`
    Close,
    /// `[`
    OpenBracket,
    /// `]`
    CloseBracket,
    /// A JSON string, unescaped.
    String(String),
    /// A name, operator, keyword, number, or a value without quotes.
    Word(&'t str),
}

/// Splits a filter into tokens with their byte offsets.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token<'_>, usize)>, FilterError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let offset = text.len() - rest.len();
        let Some(first) = rest.chars().next() else {
            return Ok(tokens);
        };
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '[' => (Token::OpenBracket, 1),
            ']' => (Token::CloseBracket, 1),
            '"' => string(text, offset)?,
            _ => {
                let length = rest
                    .find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | '"'))
                    .unwrap_or(rest.len());
                (Token::Word(rest.get(..length).unwrap_or(rest)), length)
            }
        };
        tokens.push((token, offset));
        rest = rest.get(length..).unwrap_or_default();
    }
}

fn string(text: &str, offset: usize) -> Result<(Token<'_>, usize), FilterError> {
    let rest = text.get(offset..).unwrap_or_default();
    let syntax = |message| FilterError::Syntax {
        message,
        position: position(text, offset),
    };
    let mut escaped = false;
    let end = rest
        .char_indices()
        .skip(1)
        .find(|&(_, c)| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        })
        .map(|(end, _)| end + 1)
        .ok_or_else(|| syntax("a string is not closed"))?;
    let literal = rest.get(..end).unwrap_or(rest);
    let unescaped =
        serde_json::from_str(literal).map_err(|_| syntax("a string is not a valid JSON string"))?;
    Ok((Token::String(unescaped), end))
}
