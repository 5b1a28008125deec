//! How large a value is as JSON.

use std::io::{self, Write};

use serde::Serialize;

/// Returns the length in bytes of a value as compact JSON, without writing it anywhere. A value that
/// cannot be JSON counts as longer than any limit.
pub fn json_bytes(value: &(impl Serialize + ?Sized)) -> usize {
    let mut length = Length(0);
    match serde_json::to_writer(&mut length, value) {
        Ok(()) => length.0,
        Err(_) => usize::MAX,
    }
}

/// Counts what is written.
struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_length_is_that_of_the_text() {
        let value = json!({"a": ["é\"", 1.5, null, {}]});
        assert_eq!(json_bytes(&value), value.to_string().len());
    }
}
