//! The items in the order of their keys, and the index.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::Arc;

use crate::store::layout::{INDEX_PK, INDEX_SK, Item, Key, Value};
use crate::store::table::{IndexEntry, IndexRange, PartitionRange};

/// All items. An item is shared with the readers that still copy it.
#[derive(Debug, Default)]
pub(super) struct Items {
    by_key: BTreeMap<Key, Arc<Item>>,
    /// The entries of each partition of the index.
    index: BTreeMap<String, BTreeSet<IndexEntry>>,
}

impl Items {
    pub(super) fn get(&self, key: &Key) -> Option<&Arc<Item>> {
        self.by_key.get(key)
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Puts an item where another one or none is, or removes it. Returns what was there.
    pub(super) fn replace(&mut self, key: Key, item: Option<Arc<Item>>) -> Option<Arc<Item>> {
        let before = self.by_key.get(&key).and_then(|item| place(item));
        let after = item.as_deref().and_then(place);
        if before != after {
            let entry = |sort: &str| IndexEntry {
                sort: sort.to_owned(),
                key: key.clone(),
            };
            if let Some((partition, sort)) = before
                && let Some(entries) = self.index.get_mut(partition)
            {
                entries.remove(&entry(sort));
                if entries.is_empty() {
                    self.index.remove(partition);
                }
            }
            if let Some((partition, sort)) = after {
                let entries = self.index.entry(partition.to_owned()).or_default();
                entries.insert(entry(sort));
            }
        }
        match item {
            Some(item) => self.by_key.insert(key, item),
            None => self.by_key.remove(&key),
        }
    }

    /// Returns up to so many items of a partition, and where to read on.
    pub(super) fn partition(
        &self,
        range: PartitionRange<'_>,
        after: Option<Key>,
        size: usize,
    ) -> (Vec<Arc<Item>>, Option<Key>) {
        let (first, last) = range.between.unzip();
        let start = match after {
            Some(after) => Excluded(after),
            None => Included(Key {
                pk: range.pk.to_owned(),
                sk: first.unwrap_or_default().to_owned(),
            }),
        };
        let found = self.by_key.range((start, Unbounded));
        let found = found.take_while(|(key, _)| {
            key.pk == range.pk && last.is_none_or(|last| key.sk.as_str() <= last)
        });
        items_and_next(found, size)
    }

    /// Returns up to so many items of the table, and where to read on.
    pub(super) fn all(&self, after: Option<Key>, size: usize) -> (Vec<Arc<Item>>, Option<Key>) {
        let start = after.map_or(Unbounded, Excluded);
        items_and_next(self.by_key.range((start, Unbounded)), size)
    }

    /// Returns up to so many entries of a partition of the index, and where to read on.
    pub(super) fn index(
        &self,
        range: IndexRange<'_>,
        after: Option<IndexEntry>,
        size: usize,
    ) -> (Vec<IndexEntry>, Option<IndexEntry>) {
        let Some(entries) = self.index.get(range.partition) else {
            return (Vec::new(), None);
        };
        let start = match (after, range.above) {
            (Some(after), _) => Excluded(after),
            // No text is between one and the same with a NUL behind it.
            (None, Some(above)) => Included(IndexEntry {
                sort: format!("{above}\0"),
                key: Key {
                    pk: String::new(),
                    sk: String::new(),
                },
            }),
            (None, None) => Unbounded,
        };
        let (page, is_last) = page(entries.range((start, Unbounded)), size);
        let page: Vec<IndexEntry> = page.into_iter().cloned().collect();
        let next = page.last().filter(|_| !is_last).cloned();
        (page, next)
    }
}

/// Returns where an item is in the index; `None` if it is not.
fn place(item: &Item) -> Option<(&str, &str)> {
    let text = |name: &str| item.get(name).and_then(Value::as_string);
    Some((text(INDEX_PK)?, text(INDEX_SK)?))
}

/// Returns the first of what was found, and whether that is all.
fn page<T>(mut found: impl Iterator<Item = T>, size: usize) -> (Vec<T>, bool) {
    let page = found.by_ref().take(size).collect();
    (page, found.next().is_none())
}

fn items_and_next<'i>(
    found: impl Iterator<Item = (&'i Key, &'i Arc<Item>)>,
    size: usize,
) -> (Vec<Arc<Item>>, Option<Key>) {
    let (page, is_last) = page(found, size);
    let next = page.last().filter(|_| !is_last);
    let next = next.map(|(key, _)| (*key).clone());
    let items = page.into_iter().map(|(_, item)| Arc::clone(item));
    (items.collect(), next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(sk: &str) -> Key {
        Key {
            pk: "p".to_owned(),
            sk: sk.to_owned(),
        }
    }

    fn put(items: &mut Items, sk: &str, sort: Option<&str>) {
        let sort = sort.map(|sort| (INDEX_SK.to_owned(), Value::string(sort)));
        let partition = sort
            .as_ref()
            .map(|_| (INDEX_PK.to_owned(), Value::string("i")));
        let item: Item = partition.into_iter().chain(sort).collect();
        items.replace(key(sk), Some(Arc::new(item)));
    }

    fn sorts(items: &Items, above: Option<&str>) -> Vec<String> {
        let range = IndexRange {
            partition: "i",
            above,
            limit: None,
        };
        let (entries, next) = items.index(range, None, 10);
        assert_eq!(next, None);
        entries.into_iter().map(|entry| entry.sort).collect()
    }

    #[test]
    fn the_index_follows_the_items() {
        let mut items = Items::default();
        put(&mut items, "a", Some("2"));
        put(&mut items, "b", Some("1"));
        put(&mut items, "c", None);
        assert_eq!(sorts(&items, None), ["1", "2"]);
        put(&mut items, "a", Some("0"));
        assert_eq!(sorts(&items, None), ["0", "1"]);
        put(&mut items, "b", None);
        items.replace(key("a"), None);
        assert_eq!(sorts(&items, None), [""; 0]);
        assert!(items.index.is_empty());
    }

    #[test]
    fn above_leaves_out_every_entry_with_the_same_sort_key() {
        let mut items = Items::default();
        for (sk, sort) in [
            ("a", "1"),
            ("b", "1"),
            ("c", "1\0"),
            ("d", "10"),
            ("e", "2"),
        ] {
            put(&mut items, sk, Some(sort));
        }
        assert_eq!(sorts(&items, Some("1")), ["1\0", "10", "2"]);
    }

    #[test]
    fn the_last_page_says_so_even_if_it_is_full() {
        let mut items = Items::default();
        for sk in ["a", "b", "c", "d"] {
            put(&mut items, sk, None);
        }
        let range = PartitionRange {
            pk: "p",
            between: Some(("a", "c")),
        };
        let (found, next) = items.partition(range, None, 2);
        assert_eq!((found.len(), next), (2, Some(key("b"))));
        // The item may be deleted before its reader reads on.
        items.replace(key("b"), None);
        let (found, next) = items.partition(range, Some(key("b")), 1);
        assert_eq!((found.len(), next), (1, None));
    }
}
