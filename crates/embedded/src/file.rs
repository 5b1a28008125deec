//! The file of the embedded store: keeps it private, checks it after an unclean stop, and converts its errors.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use dynoxide::DynoxideError;

use paradigm_scim::store::StoreError;
use paradigm_scim::store::error::DiskError;

/// Only the owner reads or writes: the file holds personal data.
const PRIVATE: u32 = 0o600;
/// Suffixes of the files beside the database: SQLite's log of writes that are not yet in the database, and its index.
const WRITE_AHEAD_LOG: &str = "-wal";
const SHARED_MEMORY: &str = "-shm";
/// Suffix of the file that every process locks as long as it uses the database.
const LOCK: &str = "-lock";

/// A process's use of a database file; the kernel ends it with the process, however that stops.
#[derive(Clone)]
pub(crate) struct InUse {
    /// Locked, never read.
    _lock: Arc<File>,
}

/// Makes a database file ready to be opened: creates it if it is not there, makes it private, and checks it if the last
/// process that used it did not stop cleanly.
///
/// SQLite deletes its write-ahead log when the last connection closes. A log that is there while no process holds the
/// lock comes from an unclean stop.
///
/// # Errors
/// [`StoreError::Refused`] if the file is damaged or cannot be read or created.
pub(crate) fn prepare(database: &Path) -> Result<InUse, StoreError> {
    let beside = |ending| private(&beside(database, ending));
    let lock = create(&self::beside(database, LOCK))?;
    match lock.try_lock() {
        Ok(()) => {
            create(database)?;
            beside(WRITE_AHEAD_LOG)?;
            beside(SHARED_MEMORY)?;
            if has_unfinished_writes(database) {
                check(database)?;
            }
        }
        // Another process uses the file, and has prepared it.
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(cannot("locked", database, &error)),
    }
    // Waits while another process prepares the file.
    lock.lock_shared()
        .map_err(|error| cannot("locked", database, &error))?;
    Ok(InUse {
        _lock: Arc::new(lock),
    })
}

fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = database.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Opens a file that only its owner may use, and creates it if it is not there, with any umask.
fn create(path: &Path) -> Result<File, StoreError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(PRIVATE)
        .open(path)
        .map_err(|error| cannot("opened", path, &error))?;
    private(path)?;
    Ok(file)
}

/// Makes a file private that is there: an earlier release followed the umask. SQLite gives the files beside a database
/// the database's mode.
fn private(path: &Path) -> Result<(), StoreError> {
    let Ok(metadata) = path.symlink_metadata() else {
        return Ok(());
    };
    if !metadata.is_file() || metadata.permissions().mode() & 0o777 == PRIVATE {
        return Ok(());
    }
    std::fs::set_permissions(path, Permissions::from_mode(PRIVATE))
        .map_err(|error| cannot("made private", path, &error))
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> StoreError {
    if error.kind() == io::ErrorKind::StorageFull {
        return StoreError::Unwritable(DiskError::Full);
    }
    StoreError::Refused(format!("{} cannot be {what}: {error}", path.display()))
}

fn has_unfinished_writes(database: &Path) -> bool {
    beside(database, WRITE_AHEAD_LOG)
        .metadata()
        .is_ok_and(|log| log.len() > 0)
}

/// Reads the whole file and checks its structure.
fn check(database: &Path) -> Result<(), StoreError> {
    tracing::info!("the embedded store was not stopped cleanly; its file is being checked");
    let check = || -> Result<String, rusqlite::Error> {
        let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
    };
    let found = match check() {
        Ok(found) if found == "ok" => return Ok(()),
        Ok(found) => found,
        Err(error) => match failure_of(&error) {
            Some(reason) => return Err(StoreError::Unwritable(reason)),
            None => error.to_string(),
        },
    };
    Err(damaged(&format!("{}: {found}", database.display())))
}

/// Returns the refusal of a damaged file.
pub(crate) fn damaged(what: &str) -> StoreError {
    StoreError::Refused(format!(
        "the embedded store is damaged and was left as it is; put a copy in its place, or move it away and begin with an empty one ({what})"
    ))
}

/// Returns why a file could not be written.
pub(crate) fn failure(error: &DynoxideError) -> Option<DiskError> {
    match error {
        DynoxideError::SqliteError(error) => failure_of(error),
        // The engine keeps no more of these than SQLite's text.
        DynoxideError::InternalServerError(text) => failure_in(text),
        _ => None,
    }
}

fn failure_of(error: &rusqlite::Error) -> Option<DiskError> {
    match error.sqlite_error_code()? {
        ErrorCode::DiskFull => Some(DiskError::Full),
        ErrorCode::SystemIoFailure => Some(DiskError::Failed),
        _ => None,
    }
}

fn failure_in(text: &str) -> Option<DiskError> {
    if text.contains("database or disk is full") {
        Some(DiskError::Full)
    } else if text.contains("disk I/O error") {
        Some(DiskError::Failed)
    } else {
        None
    }
}

/// Returns whether a file is no database, or a broken one.
pub(crate) fn is_damage(error: &DynoxideError) -> bool {
    match error {
        DynoxideError::SqliteError(error) => matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        ),
        DynoxideError::InternalServerError(text) => {
            text.contains("malformed") || text.contains("not a valid SQLite database")
        }
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// SQLite's own error, of a database that may not grow.
    #[test]
    fn a_full_database_is_recognised_by_its_code_and_by_its_text() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE t (v); PRAGMA max_page_count = 2")
            .unwrap();
        let error = connection
            .execute("INSERT INTO t VALUES (zeroblob(100000))", [])
            .unwrap_err();
        let text = DynoxideError::InternalServerError(format!("backend: {error}"));
        assert_eq!(failure(&text), Some(DiskError::Full));
        assert_eq!(
            failure(&DynoxideError::SqliteError(error)),
            Some(DiskError::Full)
        );
    }
}
