//! Reads. Each is one statement, and all are shown by `EXPLAIN` to use an index.

use paradigm_scim::store::StoreError;
use paradigm_scim::store::layout::{Item, Key};
use paradigm_scim::store::table::{
    Attributes, IndexEntry, IndexPage, IndexRange, Page, PartitionRange,
};
use tokio_postgres::types::ToSql;

use crate::connection::Parameters;
use crate::encoding::{column, decode_key, decode_row};
use crate::engine::{Effect, PostgreSql};
use crate::text::{escape, unescape};

/// Most items of one page of a partition.
const PARTITION_PAGE: i64 = 200;
/// Most entries of one page of the index.
const INDEX_PAGE: usize = 10_000;
/// Sort keys of audit records begin so; they are in a table of their own.
const AUDIT: &str = "AUDIT#";

const GET: &str = "SELECT pk, sk, body::text, document, index_pk, index_sk FROM paradigm_scim.item WHERE pk = $1 AND sk = $2";
const GET_AUDIT: &str = "SELECT pk, sk, body::text, document, index_pk, index_sk FROM paradigm_scim.audit WHERE pk = $1 AND sk = $2";
const GET_MANY: &str = "SELECT pk, sk, body::text, document, index_pk, index_sk
    FROM unnest($1::text[], $2::text[]) AS key (pk, sk) JOIN paradigm_scim.item USING (pk, sk)
    UNION ALL
    SELECT pk, sk, body::text, document, index_pk, index_sk
    FROM unnest($3::text[], $4::text[]) AS key (pk, sk) JOIN paradigm_scim.audit USING (pk, sk)";
const PARTITION: &str = "SELECT pk, sk, body::text, document, index_pk, index_sk
    FROM paradigm_scim.every_item WHERE pk = $1 AND sk > $2 ORDER BY sk LIMIT $3";
const PARTITION_BETWEEN: &str = "SELECT pk, sk, body::text, document, index_pk, index_sk
    FROM paradigm_scim.every_item WHERE pk = $1 AND sk > $2 AND sk BETWEEN $4 AND $5
    ORDER BY sk LIMIT $3";
// One comparison each. With two, the server begins to read at one of them and passes over all entries up to the other.
const INDEX_ABOVE: &str = "SELECT index_sk, pk, sk FROM paradigm_scim.every_item
    WHERE index_pk = $1 AND index_sk > $2 ORDER BY index_sk, pk, sk LIMIT $3";
const INDEX_AFTER: &str = "SELECT index_sk, pk, sk FROM paradigm_scim.every_item
    WHERE index_pk = $1 AND (index_sk, pk, sk) > ($2, $3, $4)
    ORDER BY index_sk, pk, sk LIMIT $5";
const SCAN: &str = "SELECT pk, sk, body::text, document, index_pk, index_sk
    FROM paradigm_scim.every_item WHERE (pk, sk) > ($1, $2) ORDER BY pk, sk LIMIT $3";
const SCAN_SOME: &str = "SELECT pk, sk,
        (SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(body) WHERE key = ANY ($4))::text AS body,
        CASE WHEN 'document' = ANY ($4) THEN document END AS document,
        CASE WHEN 'ByCompanyPK' = ANY ($4) THEN index_pk END AS index_pk,
        CASE WHEN 'ByCompanySK' = ANY ($4) THEN index_sk END AS index_sk
    FROM paradigm_scim.every_item WHERE (pk, sk) > ($1, $2) ORDER BY pk, sk LIMIT $3";
const ESTIMATE: &str = "SELECT sum(reltuples)::bigint AS items FROM pg_class
    WHERE oid IN ('paradigm_scim.item'::regclass, 'paradigm_scim.audit'::regclass) AND reltuples >= 0";

fn owned(text: &str) -> String {
    escape(text).into_owned()
}

fn boxed(text: &str) -> Box<dyn ToSql + Send + Sync> {
    Box::new(owned(text))
}

impl PostgreSql {
    pub(crate) async fn select(&self, key: Key) -> Result<Option<Item>, StoreError> {
        let sql = if key.sk.starts_with(AUDIT) {
            GET_AUDIT
        } else {
            GET
        };
        let parameters: Parameters = vec![boxed(&key.pk), boxed(&key.sk)];
        let rows = self.run(sql, parameters, Effect::None).await?;
        rows.first().map(decode_row).transpose()
    }

    pub(crate) async fn select_many(&self, keys: Vec<Key>) -> Result<Vec<Item>, StoreError> {
        let (audit, items): (Vec<Key>, Vec<Key>) =
            keys.into_iter().partition(|key| key.sk.starts_with(AUDIT));
        let arrays = |keys: Vec<Key>| -> (Vec<String>, Vec<String>) {
            keys.iter()
                .map(|key| (owned(&key.pk), owned(&key.sk)))
                .unzip()
        };
        let (item_pks, item_sks) = arrays(items);
        let (audit_pks, audit_sks) = arrays(audit);
        let parameters: Parameters = vec![
            Box::new(item_pks),
            Box::new(item_sks),
            Box::new(audit_pks),
            Box::new(audit_sks),
        ];
        let rows = self.run(GET_MANY, parameters, Effect::None).await?;
        rows.iter().map(decode_row).collect()
    }

    pub(crate) async fn select_partition(
        &self,
        range: PartitionRange<'_>,
        after: Option<Key>,
    ) -> Result<Page, StoreError> {
        // No sort key is empty.
        let after = after.map(|key| key.sk).unwrap_or_default();
        let mut parameters: Parameters =
            vec![boxed(range.pk), boxed(&after), Box::new(PARTITION_PAGE)];
        let sql = match range.between {
            None => PARTITION,
            Some((first, last)) => {
                parameters.push(boxed(first));
                parameters.push(boxed(last));
                PARTITION_BETWEEN
            }
        };
        self.select_page(sql, parameters, PARTITION_PAGE).await
    }

    /// Reads items; there may be more if there are as many as the limit.
    async fn select_page(
        &self,
        sql: &'static str,
        parameters: Parameters,
        limit: i64,
    ) -> Result<Page, StoreError> {
        let rows = self.run(sql, parameters, Effect::None).await?;
        let is_full = i64::try_from(rows.len()).is_ok_and(|length| length >= limit);
        let last = rows.last().filter(|_| is_full);
        Ok(Page {
            items: rows.iter().map(decode_row).collect::<Result<_, _>>()?,
            next: last.map(decode_key).transpose()?,
        })
    }

    pub(crate) async fn select_index(
        &self,
        range: IndexRange<'_>,
        after: Option<IndexEntry>,
    ) -> Result<IndexPage, StoreError> {
        let limit = range.limit.unwrap_or(INDEX_PAGE).min(INDEX_PAGE);
        let mut parameters: Parameters = vec![boxed(range.partition)];
        // What comes after an entry of the range is above its bound too. No sort key is empty.
        let sql = match after {
            None => {
                parameters.push(boxed(range.above.unwrap_or_default()));
                INDEX_ABOVE
            }
            Some(IndexEntry { sort, key }) => {
                parameters.push(boxed(&sort));
                parameters.push(boxed(&key.pk));
                parameters.push(boxed(&key.sk));
                INDEX_AFTER
            }
        };
        parameters.push(Box::new(i64::try_from(limit).unwrap_or(i64::MAX)));
        let rows = self.run(sql, parameters, Effect::None).await?;
        let entries: Vec<IndexEntry> = rows
            .iter()
            .map(|row| {
                Ok(IndexEntry {
                    sort: unescape(column(row, "index_sk")?)?,
                    key: decode_key(row)?,
                })
            })
            .collect::<Result<_, StoreError>>()?;
        let next = entries.last().filter(|_| entries.len() >= limit).cloned();
        Ok(IndexPage { entries, next })
    }

    pub(crate) async fn select_all(
        &self,
        attributes: Attributes,
        after: Option<Key>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (pk, sk) = after.map(|key| (key.pk, key.sk)).unwrap_or_default();
        let mut parameters: Parameters = vec![boxed(&pk), boxed(&sk), Box::new(limit)];
        let sql = match attributes {
            Attributes::All => SCAN,
            Attributes::KeysAnd(names) => {
                parameters.push(Box::new(names.to_vec()));
                SCAN_SOME
            }
        };
        self.select_page(sql, parameters, limit).await
    }

    pub(crate) async fn estimate_rows(&self) -> Option<u64> {
        let rows = self.run(ESTIMATE, Vec::new(), Effect::None).await.ok()?;
        let items: Option<i64> = rows.first()?.try_get("items").ok()?;
        items?.try_into().ok()
    }
}
