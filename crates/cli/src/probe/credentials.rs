//! What a command authenticates by: a token, or OAuth 2.0 client credentials. No secret is ever on the command line, which
//! every user of the machine can read and shells keep.

use std::env::VarError;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::Failure;

/// Variable with the token.
const TOKEN_VARIABLE: &str = "SCIM_TOKEN";
/// Where the token may be, for those who have given none.
pub(crate) const SOURCES: &str = "--token-file FILE, --token-file - for standard input, or SCIM_TOKEN; or authenticate by --client-id ID --client-secret-file FILE";
/// The name that stands for standard input.
const STANDARD_INPUT: &str = "-";
/// Longest file with a token or secret, in bytes.
const MAX_BYTES: usize = 8 * 1024;

/// What requests are authenticated by.
pub(crate) enum Credentials {
    /// A token that is sent as it is.
    Token(String),
    /// A client that gets access tokens.
    Client(ClientCredentials),
}

/// The credentials of an OAuth client.
pub(crate) struct ClientCredentials {
    pub(crate) id: String,
    pub(crate) secret: String,
    /// The URL that issues access tokens, if not the one below the tenant URL.
    pub(crate) token_url: Option<String>,
}

#[derive(Args)]
pub(crate) struct CredentialArguments {
    /// File with the secret token, '-' for standard input; by default the token is in SCIM_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Get access tokens by OAuth 2.0 client credentials, as the client with this id: that of an API key
    #[arg(
        long,
        value_name = "ID",
        requires = "client_secret_file",
        conflicts_with = "token_file"
    )]
    client_id: Option<String>,
    /// File with the secret of that client, '-' for standard input
    #[arg(long, value_name = "FILE", requires = "client_id")]
    client_secret_file: Option<PathBuf>,
    /// URL that issues access tokens, by default /oauth2/token below the tenant URL
    #[arg(long, value_name = "URL", requires = "client_id")]
    token_url: Option<String>,
}

impl CredentialArguments {
    /// Reads the credentials; `None` if there are none.
    ///
    /// # Errors
    /// The file or standard input cannot be read, is too large, or is not text.
    pub(crate) fn read(&self) -> Result<Option<Credentials>, Failure> {
        if let (Some(id), Some(file)) = (&self.client_id, &self.client_secret_file) {
            return Ok(Some(Credentials::Client(ClientCredentials {
                id: id.clone(),
                secret: read(file)?.trim().to_owned(),
                token_url: self.token_url.clone(),
            })));
        }
        if let Some(file) = &self.token_file {
            return read(file).map(Credentials::Token).map(Some);
        }
        match std::env::var(TOKEN_VARIABLE) {
            Ok(token) => Ok(Some(Credentials::Token(token))),
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
        return Err(format!("the file {file} has more than {MAX_BYTES} bytes").into());
    }
    String::from_utf8(bytes)
        .map_err(|_| format!("the file {} is not UTF-8 text", file.display()).into())
}

fn unreadable(file: &Path, error: &io::Error) -> Failure {
    format!("the file {} cannot be read: {error}", file.display()).into()
}
