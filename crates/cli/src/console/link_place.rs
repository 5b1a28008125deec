//! Where the link to the console goes: to the terminal, or into a file that only its owner reads. Logs keep what is
//! printed elsewhere, so it never goes there.

use std::fs::OpenOptions;
use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::Failure;
use crate::output::line;

/// Only the owner reads and writes.
const PRIVATE: u32 = 0o600;

/// Where the link goes.
pub(crate) enum LinkPlace {
    Terminal,
    File(PathBuf),
}

impl LinkPlace {
    /// Returns a file if it is named, else the terminal.
    ///
    /// # Errors
    /// There is neither: standard output is a service manager's journal, a container's log or a file.
    pub(crate) fn new(file: Option<&Path>, option: &str) -> Result<Self, Failure> {
        match file {
            Some(file) => Ok(Self::File(file.to_owned())),
            // The first process of a container may have a terminal whose output goes into a log.
            None if std::io::stdout().is_terminal() && std::process::id() != 1 => {
                Ok(Self::Terminal)
            }
            None => Err(format!(
                "standard output is not a terminal, so the link to the console would go into a log; name a file for it with {option} FILE"
            )
            .into()),
        }
    }

    /// Shows a link, and says how long it works.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn show(&self, origin: &str, link: &str, minutes: u64) -> Result<(), Failure> {
        match self {
            Self::Terminal => line(&format!(
                "Console: {link} (works once, for {minutes} minutes)"
            )),
            Self::File(file) => {
                write_private(file, link).map_err(|error| {
                    format!("the link cannot be written to {}: {error}", file.display())
                })?;
                line(&format!(
                    "Console: {origin}; the link is in {} (works once, for {minutes} minutes)",
                    file.display()
                ))
            }
        }
    }
}

/// Replaces a file as a whole, so that it is private from its first byte on.
fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    let mut new = file.as_os_str().to_owned();
    new.push(format!(".{}.new", std::process::id()));
    let new = PathBuf::from(new);
    // What an earlier process with this id has left.
    let _ = std::fs::remove_file(&new);
    let mut open = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(&new)?;
    writeln!(open, "{text}")?;
    std::fs::rename(&new, file)
}
