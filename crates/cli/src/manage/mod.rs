//! Commands that manage companies, users and API keys.

pub(crate) mod audit;
pub(crate) mod check;
pub(crate) mod company;
pub(crate) mod copy;
pub(crate) mod database;
mod directory;
pub(crate) mod erase;
mod expiry;
mod import;
pub(crate) mod key;
pub(crate) mod user;
