//! When a new API key expires.

use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use paradigm_scim::config::{API_KEY_DAYS_VARIABLE, Config};

use crate::Failure;

/// When a key expires, as an operator says it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expiry {
    Never,
    /// At a time.
    At(Timestamp),
    /// So long after the key is made.
    After(Span),
}

impl FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self::Never);
        }
        if let Ok(time) = text.parse() {
            return Ok(Self::At(time));
        }
        // jiff would read the date of a time without an offset too.
        let date = text.parse::<Date>().ok();
        if let Some(date) = date.filter(|_| !text.contains(['T', 't', ' '])) {
            let midnight = date.to_zoned_datetime(TimeZone::UTC);
            return midnight
                .map(|midnight| Self::At(midnight.timestamp()))
                .map_err(|error| error.to_string());
        }
        let span = text.parse::<Span>().ok().filter(|span| span.is_positive());
        span.map(Self::After).ok_or_else(|| {
            "give a date such as 2027-12-31, a time such as 2027-12-31T12:00:00Z, a duration such as 180d, or 'never'"
                .to_owned()
        })
    }
}

impl Expiry {
    /// Returns what the operator says, or else the environment.
    ///
    /// # Errors
    /// Neither says when a key expires, or the variable cannot be used.
    pub(crate) fn or_default(given: Option<Self>) -> Result<Self, Failure> {
        if let Some(given) = given {
            return Ok(given);
        }
        match Config::from_env().api_key_days? {
            Some(days) => Ok(Self::After(Span::new().days(days))),
            None => Err(format!(
                "say when the key expires: --expires 180d, a date such as --expires 2027-12-31, or --expires never; {API_KEY_DAYS_VARIABLE} sets a default, in days"
            )
            .into()),
        }
    }

    /// Returns when a key expires that is made at a time; `None` if never.
    ///
    /// # Errors
    /// The time is beyond the calendar.
    pub(crate) fn of_key_made(self, now: Timestamp) -> Result<Option<Timestamp>, Failure> {
        Ok(match self {
            Self::Never => None,
            Self::At(time) => Some(time),
            Self::After(span) => {
                let now = now.to_zoned_datetime(TimeZone::UTC);
                Some(now.checked_add(span)?.timestamp())
            }
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_date_a_time_a_duration_or_never() {
        let now = "2026-01-31T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("never", Some(None)),
            ("2027-12-31", Some(Some("2027-12-31T00:00:00Z"))),
            ("2027-12-31T12:00:00Z", Some(Some("2027-12-31T12:00:00Z"))),
            (
                "2027-12-31T12:00:00+02:00",
                Some(Some("2027-12-31T10:00:00Z")),
            ),
            ("180d", Some(Some("2026-07-30T12:00:00Z"))),
            ("26w", Some(Some("2026-08-01T12:00:00Z"))),
            ("1mo", Some(Some("2026-02-28T12:00:00Z"))),
            ("90 days", Some(Some("2026-05-01T12:00:00Z"))),
            ("P1Y", Some(Some("2027-01-31T12:00:00Z"))),
            ("72h", Some(Some("2026-02-03T12:00:00Z"))),
            ("2027-12-31T12:00:00", None),
            ("-180d", None),
            ("0d", None),
            ("180", None),
            ("Never", None),
            ("", None),
        ] {
            let read = text.parse::<Expiry>();
            let found = read.ok().map(|expiry| expiry.of_key_made(now).unwrap());
            let expected = expected.map(|time| time.map(|time: &str| time.parse().unwrap()));
            assert_eq!(found, expected, "{text}");
        }
    }
}
