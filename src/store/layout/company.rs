//! Items of companies.

use super::attributes::{CREATED, CURSOR_SECRET, NAME, STATUS};
use super::item::{Item, ItemBuilder, Reader, Value};
use super::keys;
use crate::directory::{Company, CompanyId, CompanyStatus, CursorSecret};
use crate::store::StoreError;

pub(crate) fn from_company(company: &Company) -> Item {
    ItemBuilder::new(keys::company(company.id))
        .indexed(keys::COMPANIES.to_owned(), company.id)
        .with(NAME, Value::string(&company.name))
        .with(STATUS, Value::string(company.status.as_str()))
        .with(
            CURSOR_SECRET,
            Value::Bytes(company.cursor_secret.0.to_vec()),
        )
        .with(CREATED, Value::string(company.created))
        .build()
}

pub(crate) fn to_company(id: CompanyId, item: &Item) -> Result<Company, StoreError> {
    let reader = Reader(item);
    Ok(Company {
        id,
        name: reader.string(NAME)?.to_owned(),
        status: reader.parsed(STATUS, CompanyStatus::parse)?,
        cursor_secret: CursorSecret(reader.bytes32(CURSOR_SECRET)?),
        created: reader.timestamp(CREATED)?,
    })
}
