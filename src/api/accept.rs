//! Content negotiation by `Accept` (RFC 9110 §12.5.1): which of two media types a response has.

/// SCIM's own media type (RFC 7644 §3.1).
pub const MEDIA_TYPE: &str = "application/scim+json";
/// The other media type that clients may send and accept (RFC 7644 §3.8).
pub const JSON: &str = "application/json";

/// A media type that responses are offered in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// [`MEDIA_TYPE`]
    Scim,
    /// [`JSON`]
    Json,
}

impl MediaType {
    /// Returns its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scim => MEDIA_TYPE,
            Self::Json => JSON,
        }
    }
}

/// How exactly a media range names a media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Specificity {
    Any,
    AnySubtype,
    Exact,
}

/// Returns the media type that an `Accept` header prefers; `None` if it accepts neither. Without a header both are
/// accepted. For each type the most specific range that includes it decides its quality. The type of the higher
/// quality is preferred, and SCIM's own if both have the same.
#[must_use]
pub fn preferred(accept: &str) -> Option<MediaType> {
    if accept.trim().is_empty() {
        return Some(MediaType::Scim);
    }
    let scim = quality_of(MediaType::Scim, accept);
    let json = quality_of(MediaType::Json, accept);
    if json > scim {
        Some(MediaType::Json)
    } else {
        (scim > 0.0).then_some(MediaType::Scim)
    }
}

/// Returns the quality that the header gives to a media type, from 0 (not accepted) to 1. If ranges of the same
/// specificity disagree, the best one counts.
fn quality_of(media_type: MediaType, accept: &str) -> f32 {
    let mut decisive = None;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let Some(specificity) = specificity(name, media_type) else {
            continue;
        };
        let quality = parts.find_map(quality).unwrap_or(1.0);
        let is_decisive = decisive.is_none_or(|(known, best)| {
            known < specificity || (known == specificity && best < quality)
        });
        if is_decisive {
            decisive = Some((specificity, quality));
        }
    }
    decisive.map_or(0.0, |(_, quality)| quality)
}

fn specificity(range: &str, media_type: MediaType) -> Option<Specificity> {
    match range {
        "*/*" => Some(Specificity::Any),
        range if range.eq_ignore_ascii_case("application/*") => Some(Specificity::AnySubtype),
        range if range.eq_ignore_ascii_case(media_type.as_str()) => Some(Specificity::Exact),
        _ => None,
    }
}

/// Reads the parameter `q`. One that is not a number counts as 1: a client that cannot write it still accepts
/// the range.
fn quality(parameter: &str) -> Option<f32> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let quality: f32 = value.trim().parse().unwrap_or(1.0);
    Some(if quality.is_nan() {
        1.0
    } else {
        quality.clamp(0.0, 1.0)
    })
}
