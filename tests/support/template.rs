//! `template.yaml`, as it is written.

use std::path::Path;

use yaml_rust2::{Yaml, YamlLoader};

/// Reads the template.
pub fn template() -> Yaml {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("template.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    YamlLoader::load_from_str(&text).unwrap().remove(0)
}
