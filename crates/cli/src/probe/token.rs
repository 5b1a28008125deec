//! The token that a command sends. It is never on the command line, which every user of the machine can read and
//! shells keep.

use std::env::VarError;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::Failure;

/// Variable with the token.
const TOKEN_VARIABLE: &str = "SCIM_TOKEN";
/// Where the token may be, for those who have given none.
pub(crate) const SOURCES: &str =
    "--token-file FILE, --token-file - for standard input, or SCIM_TOKEN";
/// The name that stands for standard input.
const STANDARD_INPUT: &str = "-";
/// Longest file with a token, in bytes.
const MAX_BYTES: usize = 8 * 1024;

#[derive(Args)]
pub(crate) struct TokenArguments {
    /// File with the secret token, '-' for standard input; by default the token is in SCIM_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl TokenArguments {
    /// Reads the token; `None` if there is none.
    ///
    /// # Errors
    /// The file or standard input cannot be read, is too large, or is not text.
    pub(crate) fn read(&self) -> Result<Option<String>, Failure> {
        if let Some(file) = &self.token_file {
            return read(file).map(Some);
        }
        match std::env::var(TOKEN_VARIABLE) {
            Ok(token) => Ok(Some(token)),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => {
                Err(format!("{TOKEN_VARIABLE} is not UTF-8 text").into())
            }
        }
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    let reader: Box<dyn Read> = if file == Path::new(STANDARD_INPUT) {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(file).map_err(|error| unreadable(file, &error))?)
    };
    let mut bytes = Vec::new();
    reader
        .take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(file, &error))?;
    if bytes.len() > MAX_BYTES {
        let file = file.display();
        return Err(format!("the token file {file} has more than {MAX_BYTES} bytes").into());
    }
    String::from_utf8(bytes)
        .map_err(|_| format!("the token file {} is not UTF-8 text", file.display()).into())
}

fn unreadable(file: &Path, error: &io::Error) -> Failure {
    format!("the token file {} cannot be read: {error}", file.display()).into()
}
