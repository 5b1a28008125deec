//! The chart of changes per day.

use jiff::civil::Date;
use maud::{Markup, html};
use paradigm_scim::store::BoundedCount;

use super::page::table;
use super::text::grouped;

/// Size of the drawing.
const WIDTH: usize = 480;
const HEIGHT: usize = 160;
/// Space for the greatest number above the bars, and for days below them.
const ABOVE: usize = 20;
const BELOW: usize = 20;
/// Space for the day below the last bar.
const RIGHT: usize = 12;

/// Draws a bar for each day, and lists the numbers for those who do not see bars.
pub(super) fn changes_per_day(days: &[(Date, BoundedCount)]) -> Markup {
    let most = days.iter().map(|(_, counted)| counted.least).max();
    let most = most.unwrap_or_default();
    let total: usize = days.iter().map(|(_, counted)| counted.least).sum();
    let is_exact = days.iter().all(|(_, counted)| counted.is_exact);
    let total = shown(BoundedCount {
        least: total,
        is_exact,
    });
    let rows = html! {
        @for (day, counted) in days.iter().rev() {
            tr { th scope="row" { (day) } td.number { (shown(*counted)) } }
        }
    };
    html! {
        p { (total) " changes in " (days.len()) " days." }
        (drawing(days, most, &total))
        details {
            summary { "Changes per day as a table" }
            (table("Changes per day", &["Day (UTC)", "Changes"], &rows))
        }
    }
}

fn drawing(days: &[(Date, BoundedCount)], most: usize, total: &str) -> Markup {
    let room = HEIGHT - ABOVE - BELOW;
    let step = WIDTH / days.len().max(1);
    let label = format!(
        "Bar chart: {total} changes in {} days, at most {} on one day",
        days.len(),
        grouped(most)
    );
    html! {
        svg.chart viewBox=(format!("0 0 {} {HEIGHT}", WIDTH + RIGHT)) role="img" aria-label=(label) {
            @for (index, (day, counted)) in days.iter().enumerate() {
                @let x = index * step;
                // A day with changes has a bar that can be seen.
                @let height = (counted.least * room).div_ceil(most.max(1));
                @if height > 0 {
                    rect.bar x=(x + 2) y=(ABOVE + room - height) width=(step.saturating_sub(4)) height=(height) rx="1" {
                        title { (day) ": " (shown(*counted)) }
                    }
                }
                @if index % 7 == 0 {
                    text x=(x + 2) y=(HEIGHT - 5) { (format!("{}", day.strftime("%m-%d"))) }
                }
            }
            line.axis x1="0" x2=(WIDTH) y1=(ABOVE + room) y2=(ABOVE + room) {}
            @if most > 0 { text x="2" y="12" { "most: " (grouped(most)) } }
        }
    }
}

/// Returns a number, and whether it is only the least that there are.
pub(super) fn shown(counted: BoundedCount) -> String {
    match counted.is_exact {
        true => grouped(counted.least),
        false => format!("{} or more", grouped(counted.least)),
    }
}
