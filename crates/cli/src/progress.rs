//! The progress of a command: a bar on standard error, if that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// Shows how many of a known number of items are done, after `doing`: a word or two, or nothing.
pub(crate) fn bar(doing: &'static str, items: usize) -> ProgressBar {
    let bar = ProgressBar::new(items.try_into().unwrap_or(u64::MAX));
    styled(bar, "{prefix}{bar:40} {pos}/{len} {msg}", doing)
}

/// Shows how many of an unknown number of items are done, after `doing`.
pub(crate) fn spinner(doing: &'static str) -> ProgressBar {
    styled(ProgressBar::new_spinner(), "{prefix}{spinner} {pos}", doing)
}

fn styled(progress: ProgressBar, template: &str, doing: &'static str) -> ProgressBar {
    if let Ok(style) = ProgressStyle::with_template(template) {
        progress.set_style(style);
    }
    match doing {
        "" => progress,
        doing => progress.with_prefix(format!("{doing} ")),
    }
}
