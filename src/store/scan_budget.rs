//! A company's scan budget. A scan reads the users of a company one after another, for a filter or sort that no
//! lookup serves. Each scan first draws what it is estimated to read from an item that there is for each company
//! and minute, so that one company cannot take the capacity that all companies share, however many processes serve
//! its requests.

use jiff::{SignedDuration, Timestamp};

use super::layout::attributes::UNITS;
use super::layout::{TTL, Value, keys};
use super::transaction::{Condition, Update};
use super::users::{MAX_SCANNED_USERS, StoredUser};
use super::{Store, StoreError};
use crate::directory::CompanyId;

/// Read units that the scans of one company may take in a minute, as estimated: 1,000 a second on average. That is
/// 2.5 % of the 40,000 a second that DynamoDB gives to a table by default.
pub const SCAN_UNITS_PER_MINUTE: usize = 60_000;

/// Users whose index entries one read unit pays for, at least: an entry has up to 200 bytes, and half a unit reads
/// 4 kB of them.
const INDEX_ENTRIES_PER_UNIT: usize = 40;
/// What one read unit reads of an item, in bytes.
const UNIT_BYTES: usize = 4 * 1024;
/// What an item of a user usually has beside the document, in bytes.
const OTHER_BYTES: usize = 512;
/// How long the item is kept after its minute. It must outlast the differences between clocks.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(1);

/// Returns the read units that a scan of so many users is estimated to take: one for each user of up to 4 kB, and the
/// index entries.
const fn estimated_units(users: usize) -> usize {
    users + users.div_ceil(INDEX_ENTRIES_PER_UNIT)
}

/// A scan that has begun.
#[derive(Debug)]
pub struct Scan {
    company: CompanyId,
    minute: Minute,
    /// The users that it has drawn for, at one unit each.
    users: usize,
}

impl Store {
    /// Draws a scan of all users of a company from its budget.
    ///
    /// # Errors
    /// [`StoreError::TooManyUsers`] beyond [`MAX_SCANNED_USERS`], without drawing anything;
    /// [`StoreError::ScanBudgetSpent`] if the rest of the minute's budget is too small.
    pub async fn begin_scan(&self, company: CompanyId, now: Timestamp) -> Result<Scan, StoreError> {
        let users = self.count_users(company).await?;
        if users > MAX_SCANNED_USERS {
            return Err(StoreError::TooManyUsers);
        }
        self.draw(company, users, now).await
    }

    /// Draws a scan of at most so many users of a company from its budget.
    ///
    /// # Errors
    /// [`StoreError::ScanBudgetSpent`] if the rest of the minute's budget is too small.
    pub async fn begin_scan_of_page(
        &self,
        company: CompanyId,
        at_most: usize,
        now: Timestamp,
    ) -> Result<Scan, StoreError> {
        let users = self.count_users(company).await?;
        self.draw(company, users.min(at_most), now).await
    }

    async fn draw(
        &self,
        company: CompanyId,
        users: usize,
        now: Timestamp,
    ) -> Result<Scan, StoreError> {
        let scan = Scan {
            company,
            minute: Minute::of(now),
            users,
        };
        let units = estimated_units(users);
        let too_many = SCAN_UNITS_PER_MINUTE + 1 - units;
        let condition = Condition::AbsentOrLess(UNITS, Value::number(too_many));
        match self.table.update(scan.drawing(units, condition)).await? {
            true => Ok(scan),
            false => Err(StoreError::ScanBudgetSpent {
                retry_after: scan.minute.seconds_left(now),
            }),
        }
    }

    /// Draws what a scan has read beyond its estimate, because users were larger than 4 kB: the rest of
    /// the minute may then have less than nothing. No request fails for it.
    pub async fn end_scan(&self, scan: Scan, read_units: usize) {
        let beyond = read_units.saturating_sub(scan.users);
        if beyond == 0 {
            return;
        }
        let drawing = scan.drawing(beyond, Condition::Always);
        if let Err(error) = self.table.update(drawing).await {
            tracing::warn!(%error, beyond, "what a scan has read could not be drawn from its budget");
        }
    }
}

impl Scan {
    /// Draws so many units.
    fn drawing(&self, units: usize, condition: Condition) -> Update {
        let key = keys::scan_budget(self.company, self.minute.begins);
        let units = i64::try_from(units).unwrap_or(i64::MAX);
        Update {
            set: vec![(TTL, Value::number(self.minute.drops_at()))],
            condition,
            ..Update::add(key, UNITS, units)
        }
    }
}

/// Returns the read units of these items of users.
#[must_use]
pub fn read_units(batch: &[StoredUser]) -> usize {
    let units = |stored: &StoredUser| (stored.document_bytes() + OTHER_BYTES).div_ceil(UNIT_BYTES);
    batch.iter().map(units).sum()
}

/// A minute of the wall clock.
#[derive(Debug)]
struct Minute {
    begins: Timestamp,
}

impl Minute {
    fn of(now: Timestamp) -> Self {
        let into_minute = now.as_second().rem_euclid(60);
        let begins = Timestamp::from_second(now.as_second() - into_minute);
        Self {
            begins: begins.unwrap_or(now),
        }
    }

    /// Returns the whole seconds until it ends, at least 1.
    fn seconds_left(&self, now: Timestamp) -> u32 {
        let elapsed = now.duration_since(self.begins).as_secs();
        u32::try_from(60 - elapsed).unwrap_or(60).clamp(1, 60)
    }

    /// Returns the seconds since 1970 after which DynamoDB drops the minute's item.
    fn drops_at(&self) -> i64 {
        self.begins.as_second() + KEPT_FOR.as_secs()
    }
}

// The largest scan fits into the budget, so that none is refused for ever.
const _: () = assert!(estimated_units(MAX_SCANNED_USERS) <= SCAN_UNITS_PER_MINUTE);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_scan_gets_the_seconds_until_its_minute_ends() {
        for (now, begins, seconds) in [
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", 60),
            ("2026-01-01T00:00:00.999Z", "2026-01-01T00:00:00Z", 60),
            ("2026-01-01T00:00:59.999Z", "2026-01-01T00:00:00Z", 1),
            ("2026-01-01T23:59:30Z", "2026-01-01T23:59:00Z", 30),
            ("1969-12-31T23:59:30Z", "1969-12-31T23:59:00Z", 30),
        ] {
            let now: Timestamp = now.parse().unwrap();
            let minute = Minute::of(now);
            assert_eq!(minute.begins, begins.parse().unwrap());
            assert_eq!(minute.seconds_left(now), seconds, "{now}");
        }
    }

    #[test]
    fn a_scan_is_estimated_by_its_users() {
        assert_eq!(estimated_units(0), 0);
        assert_eq!(estimated_units(1), 2);
        assert_eq!(estimated_units(10_000), 10_250);
    }
}
