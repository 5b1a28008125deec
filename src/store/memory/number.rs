//! Decimal numbers as DynamoDB has them.

use std::cmp::Ordering;
use std::fmt;

/// Most significant digits of a number.
const MAX_DIGITS: u32 = 38;
/// Most zeros that a number of this size has, before or after the decimal point. DynamoDB has numbers up to 10^126.
const MAX_EXPONENT: i32 = 130;

/// A decimal number of up to 38 significant digits: a coefficient times a power of ten. There is one for each number,
/// however its text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    /// Not a multiple of ten, except 0.
    coefficient: i128,
    /// 0 if the coefficient is.
    exponent: i32,
}

impl Number {
    /// Reads a number, such as `-0.10` or `1e2`; `None` if the text is none, or has too many digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (sign, mantissa) = match mantissa.as_bytes().first()? {
            b'-' => (-1, mantissa.get(1..)?),
            b'+' => (1, mantissa.get(1..)?),
            _ => (1, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let significant = digits.trim_end_matches('0');
        let dropped = digits.len() - significant.len();
        let significant = significant.trim_start_matches('0');
        if significant.is_empty() {
            return Some(Self::from(0));
        }
        let point = i32::try_from(dropped).ok()? - i32::try_from(fraction.len()).ok()?;
        Self::normal(
            sign * significant.parse::<i128>().ok()?,
            exponent.checked_add(point)?,
        )
    }

    /// Returns the sum; `None` if it has too many digits.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        if self.coefficient == 0 {
            return Some(other);
        }
        if other.coefficient == 0 {
            return Some(self);
        }
        let exponent = self.exponent.min(other.exponent);
        let sum = self
            .scaled(exponent)?
            .checked_add(other.scaled(exponent)?)?;
        Self::normal(sum, exponent)
    }

    /// Returns the number without the zeros at the end of its coefficient; `None` if it has too many digits.
    fn normal(mut coefficient: i128, mut exponent: i32) -> Option<Self> {
        if coefficient == 0 {
            return Some(Self::from(0));
        }
        while coefficient % 10 == 0 {
            coefficient /= 10;
            exponent += 1;
        }
        let is_stored = digits(coefficient) <= MAX_DIGITS && exponent.abs() <= MAX_EXPONENT;
        is_stored.then_some(Self {
            coefficient,
            exponent,
        })
    }

    /// Returns the coefficient for a lower exponent.
    fn scaled(self, exponent: i32) -> Option<i128> {
        let zeros = u32::try_from(self.exponent - exponent).ok()?;
        self.coefficient.checked_mul(10_i128.checked_pow(zeros)?)
    }

    /// Returns the power of ten of the first digit.
    fn magnitude(self) -> i64 {
        i64::from(digits(self.coefficient)) + i64::from(self.exponent)
    }
}

/// Returns how many digits a coefficient has.
fn digits(coefficient: i128) -> u32 {
    coefficient
        .unsigned_abs()
        .checked_ilog10()
        .map_or(1, |log| log + 1)
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        let mut coefficient = i128::from(number);
        let mut exponent = 0;
        while coefficient != 0 && coefficient % 10 == 0 {
            coefficient /= 10;
            exponent += 1;
        }
        Self {
            coefficient,
            exponent,
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let (sign, other_sign) = (self.coefficient.signum(), other.coefficient.signum());
        if sign != other_sign || sign == 0 {
            return sign.cmp(&other_sign);
        }
        let by_size = self.magnitude().cmp(&other.magnitude()).then_with(|| {
            // Of one size, the one with the lower exponent has no fewer digits, so the other one can be scaled.
            let exponent = self.exponent.min(other.exponent);
            let size = |number: &Self| number.scaled(exponent).map(i128::unsigned_abs);
            size(self).cmp(&size(other))
        });
        if sign < 0 { by_size.reverse() } else { by_size }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Without an exponent, and without zeros that say nothing.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.coefficient < 0 { "-" } else { "" };
        let digits = self.coefficient.unsigned_abs().to_string();
        match usize::try_from(self.exponent) {
            Ok(zeros) => write!(f, "{sign}{digits}{}", "0".repeat(zeros)),
            Err(_) => {
                let decimals = usize::try_from(self.exponent.unsigned_abs()).unwrap_or_default();
                let digits = format!("{digits:0>width$}", width = decimals + 1);
                let (whole, fraction) = digits.split_at(digits.len() - decimals);
                write!(f, "{sign}{whole}.{fraction}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn one_number_has_many_texts() {
        let most = "9".repeat(38);
        for (texts, normal) in [
            (["0", "-0", "0.00", "0e9"], "0"),
            (["1", "+1", "001.0", "10e-1"], "1"),
            (["-100", "-1e2", "-1.00E+2", "-0.1e3"], "-100"),
            (["0.05", ".05", "5e-2", "0.050"], "0.05"),
            ([most.as_str(); 4], &most),
        ] {
            for text in texts {
                assert_eq!(number(text).to_string(), normal, "{text}");
                assert_eq!(number(text), number(normal), "{text}");
            }
        }
        let too_long = format!("{most}1");
        for text in [
            "", "-", ".", "e1", "1e", "1x", "0x1", "1 ", "NaN", "1e999", &too_long,
        ] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_ordered_by_size() {
        let ascending = [
            "-1e100",
            "-12",
            "-2",
            "-1.5",
            "-0.001",
            "0",
            "1e-100",
            "0.1",
            "0.11",
            "1",
            "1.5",
            "2",
            "10",
            "11",
            "99999999999999999999999999999999999999",
            "1e38",
            "1e125",
        ];
        for (a, first) in ascending.iter().enumerate() {
            for (b, second) in ascending.iter().enumerate() {
                assert_eq!(
                    number(first).cmp(&number(second)),
                    a.cmp(&b),
                    "{first} {second}"
                );
            }
        }
    }

    #[test]
    fn a_sum_is_exact_or_none() {
        for (a, b, sum) in [
            ("1", "2", Some("3")),
            ("5", "-5", Some("0")),
            ("0.75", "-1", Some("-0.25")),
            ("7", "93", Some("100")),
            ("1e30", "1", Some("1000000000000000000000000000001")),
            ("1e60", "0", Some(&format!("1{}", "0".repeat(60)) as &str)),
            ("1e60", "1", None),
            ("99999999999999999999999999999999999999", "0.1", None),
        ] {
            let found = number(a).plus(number(b)).map(|sum| sum.to_string());
            assert_eq!(found.as_deref(), sum, "{a} + {b}");
        }
    }
}
