//! How values are written on a page. What clients have sent is shown harmlessly: escaped by the template, kept apart from
//! the text around it, and without characters that nobody sees.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maud::{Markup, html};

/// Longest name that a page shows, in characters.
pub(super) const MAX_SHOWN_CHARS: usize = 256;

/// Shows a text of a client's or an operator's.
pub(super) fn foreign(text: &str) -> Markup {
    let mut shown: String = text.chars().take(MAX_SHOWN_CHARS).map(visible).collect();
    if text.chars().nth(MAX_SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    // Its direction is its own, and does not reach the text around it.
    html! { bdi { (shown) } }
}

/// Returns a character, or a visible one in place of what nobody sees. Joiners stay: scripts and emoji need them.
pub(super) fn visible(c: char) -> char {
    match c {
        // They set the direction of text.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            '\u{fffd}'
        }
        // They have no width, or end a line.
        '\u{ad}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{180e}'
        | '\u{200b}'
        | '\u{2028}'
        | '\u{2029}'
        | '\u{2060}'..='\u{2064}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// Shows a time, to the second.
pub(super) fn time(at: Timestamp) -> Markup {
    let civil = TimeZone::UTC.to_datetime(at);
    let shown = format!("{} {:.0}", civil.date(), civil.time());
    html! { time datetime=(format!("{at:.3}")) { (shown) " UTC" } }
}

/// Returns the day of a time, in UTC.
pub(super) fn day(at: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(at).date()
}

/// Returns the days from one day to another.
pub(super) fn days_between(from: Date, to: Date) -> i32 {
    from.until(to).map_or(0, |span| span.get_days())
}

/// Returns a number with a noun.
pub(super) fn counted(number: usize, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        number => format!("{} {many}", grouped(number)),
    }
}

/// Returns a number with a comma after each three digits.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_become_harmless() {
        for (text, shown) in [
            (
                "<script>alert(1)</script>",
                "&lt;script&gt;alert(1)&lt;/script&gt;",
            ),
            ("\" onmouseover=\"x", "&quot; onmouseover=&quot;x"),
            ("a\u{202e}txt.exe", "a\u{fffd}txt.exe"),
            ("a\u{200b}b\u{feff}", "a\u{fffd}b\u{fffd}"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("a\nb\u{0}c\u{1b}[2J", "a\u{fffd}b\u{fffd}c\u{fffd}[2J"),
            ("שלום", "שלום"),
            ("&amp;", "&amp;amp;"),
        ] {
            assert_eq!(foreign(text).0, format!("<bdi>{shown}</bdi>"), "{text:?}");
        }
        let long = "é".repeat(MAX_SHOWN_CHARS + 1);
        let shown = foreign(&long).0;
        assert_eq!(shown.matches('é').count(), MAX_SHOWN_CHARS);
        assert!(shown.ends_with("…</bdi>"), "{shown}");
    }

    #[test]
    fn numbers_and_times_are_easy_to_read() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
        let at: Timestamp = "2026-11-26T22:01:13.987Z".parse().unwrap();
        let expected = "<time datetime=\"2026-11-26T22:01:13.987Z\">2026-11-26 22:01:13 UTC</time>";
        assert_eq!(time(at).0, expected);
        assert_eq!(days_between(day(at), "2027-11-26".parse().unwrap()), 365);
    }

    #[test]
    fn what_nobody_sees_is_shown_and_what_scripts_need_stays() {
        for hidden in "\0\u{ad}\u{61c}\u{115f}\u{180e}\u{200b}\u{202e}\u{3164}\u{feff}\u{ffa0}\u{fffa}\u{e0041}".chars() {
            assert_eq!(visible(hidden), '\u{fffd}', "{hidden:?}");
        }
        for seen in "aéß中ع\u{200d}\u{200c}😀".chars() {
            assert_eq!(visible(seen), seen);
        }
    }
}
