//! Entity tags (RFC 7644 §3.14) and their comparison (RFC 9110 §8.8.3, §13.1).

/// Returns the weak entity tag of a version: two resources of one version have the same attributes, not
/// necessarily the same bytes.
#[must_use]
pub fn of_version(version: u64) -> String {
    weak(&version.to_string())
}

/// Returns the weak entity tag of an opaque text, which has no quotes and commas.
#[must_use]
pub fn weak(opaque: &str) -> String {
    format!("W/\"{opaque}\"")
}

/// Returns whether an `If-Match` or `If-None-Match` header names this version; see [`names`].
#[must_use]
pub fn names_version(header: &str, version: u64) -> bool {
    names(header, &version.to_string())
}

/// Returns whether an `If-Match` or `If-None-Match` header names the entity tag of this opaque text: `*`, or a list in
/// which some tag is equal by weak comparison. Microsoft's and other clients leave the quotes out at times.
#[must_use]
pub fn names(header: &str, current: &str) -> bool {
    header.split(',').map(str::trim).any(|tag| {
        let opaque = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || opaque.trim_matches('"') == current
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_matches_by_weak_comparison() {
        for header in ["*", "W/\"3\"", "\"3\"", "3", "W/\"1\", W/\"3\""] {
            assert!(names_version(header, 3), "{header}");
        }
        for header in ["", "W/\"33\"", "\"\"", "W/\"1\",\"2\""] {
            assert!(!names_version(header, 3), "{header}");
        }
    }
}
