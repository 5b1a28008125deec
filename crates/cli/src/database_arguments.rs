//! The PostgreSQL database that a command works on. Its URL may have a password, so it is never shown.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use postgres::DatabaseUrl;
use zeroize::Zeroizing;

use crate::Failure;

/// Variable with the URL.
const URL_VARIABLE: &str = "SCIM_DATABASE_URL";
/// Variable with the path of a file that has the URL.
const FILE_VARIABLE: &str = "SCIM_DATABASE_URL_FILE";
/// Longest URL, in bytes.
const MAX_BYTES: u64 = 8 * 1024;

/// Where the database is.
#[derive(Args, Clone)]
pub(crate) struct DatabaseArguments {
    /// Use a PostgreSQL database: its URL, by default that in SCIM_DATABASE_URL. All users of this
    /// machine can read arguments: a URL with a password belongs into a file or the variable
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Use the PostgreSQL database whose URL is in this file, by default that in
    /// SCIM_DATABASE_URL_FILE
    #[arg(long, value_name = "FILE", conflicts_with = "database_url")]
    database_url_file: Option<PathBuf>,
}

impl DatabaseArguments {
    /// Returns the URL of the options, `None` if there is none.
    pub(crate) fn given(&self) -> Result<Option<DatabaseUrl>, Failure> {
        match (&self.database_url, &self.database_url_file) {
            (Some(url), _) => Ok(Some(url.parse()?)),
            (None, Some(file)) => read_url(file).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Returns the URL of the options, or else of the environment; `None` if there is none.
    pub(crate) fn url(&self) -> Result<Option<DatabaseUrl>, Failure> {
        if let Some(url) = self.given()? {
            return Ok(Some(url));
        }
        match (variable(URL_VARIABLE), variable(FILE_VARIABLE)) {
            (Some(_), Some(_)) => {
                Err(format!("{URL_VARIABLE} and {FILE_VARIABLE} are both set; keep one").into())
            }
            (Some(url), None) => Ok(Some(url.parse()?)),
            (None, Some(file)) => read_url(Path::new(&*file)).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Returns the file that has the URL: that of the options, or else of the environment; `None` if the URL is given
    /// otherwise.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        match (&self.database_url, &self.database_url_file) {
            (Some(_), _) => None,
            (None, Some(file)) => Some(file.clone()),
            (None, None) => variable(FILE_VARIABLE).map(|file| PathBuf::from(file.as_str())),
        }
    }

    /// Returns the URL, which must be given.
    pub(crate) fn required(&self) -> Result<DatabaseUrl, Failure> {
        self.url()?.ok_or_else(|| {
            format!("name the database: --database-url-file FILE, {FILE_VARIABLE}, {URL_VARIABLE} or --database-url URL").into()
        })
    }
}

/// Reads a variable. An empty one is as good as absent.
fn variable(name: &str) -> Option<Zeroizing<String>> {
    let value = std::env::var(name).ok()?;
    (!value.trim().is_empty()).then(|| Zeroizing::new(value))
}

/// Reads a URL from a file.
pub(crate) fn read_url(file: &Path) -> Result<DatabaseUrl, Failure> {
    let mut text = Zeroizing::new(String::new());
    File::open(file)
        .and_then(|open| open.take(MAX_BYTES).read_to_string(&mut text))
        .map_err(|error| format!("{} cannot be read: {}", file.display(), error.kind()))?;
    Ok(text.parse()?)
}
