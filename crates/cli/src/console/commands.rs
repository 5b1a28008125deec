//! The commands that the pages show: they have ids only, and the arguments that lead to the console's own store.

use std::path::Path;

use maud::{Markup, html};

use crate::Failure;
use crate::place::Place;
use crate::store_arguments::StoreArguments;

/// Makes commands for one store.
pub(crate) struct Commands {
    /// The store, in words.
    store: String,
    /// The arguments that lead there.
    arguments: Vec<String>,
    /// Whether commands reach the store.
    is_reached: bool,
}

impl Commands {
    /// Returns the commands for a store. The URL of a database may have a password, so it is never shown.
    pub(crate) fn of(store: &StoreArguments) -> Result<Self, Failure> {
        let (name, arguments) = match store.place()? {
            Place::Embedded(folder) => {
                let folder = std::path::absolute(folder)?.display().to_string();
                let name = format!("embedded store in {folder}");
                (name, vec!["--data-dir".to_owned(), folder])
            }
            Place::DynamoDb(url) => {
                let name = format!("table {} of DynamoDB at {url}", store.table);
                let table = store.table.clone();
                let arguments = vec![
                    "--endpoint-url".to_owned(),
                    url,
                    "--table".to_owned(),
                    table,
                ];
                (name, arguments)
            }
            Place::PostgreSql(_) => {
                let file = store.database_url_file().map(|file| {
                    let file = std::path::absolute(&file).unwrap_or(file);
                    file.display().to_string()
                });
                let file = file.unwrap_or_else(|| "FILE".to_owned());
                let arguments = vec!["--database-url-file".to_owned(), file];
                ("PostgreSQL".to_owned(), arguments)
            }
        };
        Ok(Self {
            store: name,
            arguments,
            is_reached: true,
        })
    }

    /// Returns the commands for a store in the memory of this process, which they cannot reach.
    pub(crate) fn in_memory() -> Self {
        Self {
            store: "in memory".to_owned(),
            arguments: Vec::new(),
            is_reached: false,
        }
    }

    /// Returns the store, in words.
    pub(super) fn store(&self) -> &str {
        &self.store
    }

    /// Returns whether commands reach the store.
    pub(super) fn reach_it(&self) -> bool {
        self.is_reached
    }

    /// Returns a command on the store.
    pub(super) fn line(&self, words: &[&str]) -> String {
        let arguments = self.arguments.iter().map(String::as_str);
        line(words.iter().copied().chain(arguments))
    }
}

/// Returns a command, with quotes where a shell needs them.
pub(super) fn line<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let words = std::iter::once("paradigm-scim").chain(words);
    let quoted: Vec<_> = words.map(quoted).collect();
    quoted.join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=+,%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Shows a command.
pub(super) fn shown(command: &str) -> Markup {
    html! { pre.command { code { (command) } } }
}

/// Returns a path as a word of a command.
pub(super) fn path(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_each_word_as_it_is() {
        for (word, expected) in [
            ("--data-dir", "--data-dir"),
            ("2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("", "''"),
            ("/a b", "'/a b'"),
            ("a'b", r"'a'\''b'"),
            ("$(reboot)", "'$(reboot)'"),
            ("a;b|c&d\n", "'a;b|c&d\n'"),
            ("~", "'~'"),
        ] {
            assert_eq!(quoted(word), expected, "{word}");
        }
    }
}
