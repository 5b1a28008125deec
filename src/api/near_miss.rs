//! Near misses: paths at which there is nothing, and the path that the client most likely means.

use percent_encoding::percent_decode_str;

use super::route::ROUTES;

/// Returns the path of a route, below the base path, that a path or a part of one most likely means: `/Users/Bulk` and
/// `/v2/Bulk` mean `/Bulk`, `/user/01a2` means `/Users/{id}`.
#[must_use]
pub(super) fn nearest(path: &str) -> Option<&'static str> {
    let segments: Vec<_> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy())
        .collect();
    let mut named = segments.iter().map(|segment| meant(segment)).enumerate();
    let (index, name) = named.rfind(|(_, name)| name.is_some())?;
    let (name, is_last) = (name?, index + 1 == segments.len());
    let before = index
        .checked_sub(1)
        .and_then(|before| meant(segments.get(before)?));
    let wanted = match before {
        Some(resources) if name == ".search" => format!("/{resources}/{name}"),
        // What follows these is a name.
        Some(discovery @ ("ResourceTypes" | "Schemas")) => format!("/{discovery}/{{id}}"),
        _ if is_last => format!("/{name}"),
        _ => format!("/{name}/{{id}}"),
    };
    let found = |wanted: &str| {
        let mut paths = ROUTES.iter().map(|route| route.path);
        paths.find(|path| *path == wanted)
    };
    // Below `/oauth2` there is one path.
    let below = || {
        let start = format!("/{name}/");
        let mut paths = ROUTES.iter().map(|route| route.path);
        paths.find(|path| path.starts_with(&start))
    };
    found(&wanted)
        .or_else(|| found(&format!("/{name}")))
        .or_else(below)
}

/// Returns the first segment of a route that a segment means: the same word in any case, in the singular or plural,
/// with or without the dot or ending.
#[must_use]
pub(super) fn meant(segment: &str) -> Option<&'static str> {
    let segment = stem(segment);
    ROUTES
        .iter()
        .filter_map(|route| route.path.split('/').nth(1))
        .find(|name| !name.is_empty() && stem(name).eq_ignore_ascii_case(segment))
}

fn stem(word: &str) -> &str {
    let word = word.strip_prefix('.').unwrap_or(word);
    let word = without_ending(word, ".json");
    without_ending(word, "s")
}

/// Returns a word without an ending, in any case.
fn without_ending<'a>(word: &'a str, ending: &str) -> &'a str {
    let length = word.len().saturating_sub(ending.len());
    match word.split_at_checked(length) {
        Some((word, end)) if end.eq_ignore_ascii_case(ending) => word,
        _ => word,
    }
}
