//! Pages: one-based, 20 entries by default, 100 at most (R-CAT-09, quirk 33).

use serde::{Deserialize, Serialize};

const LIMIT_DEFAULT: i64 = 20;
const LIMIT_MAX: i64 = 100;
/// Beyond this an offset only makes Postgres count.
const PAGE_MAX: i64 = 100_000;

/// What the caller asked for; anything out of range is brought into it.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    page: Option<i64>,
    limit: Option<i64>,
}

impl Wanted {
    pub(crate) const fn new(page: Option<i64>, limit: Option<i64>) -> Self {
        Self { page, limit }
    }
}

/// A page within range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) number: i64,
    pub(crate) limit: i64,
}

/// How the answer describes itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pagination {
    page: i64,
    limit: i64,
    total: i64,
    total_pages: i64,
}

impl From<Wanted> for Page {
    fn from(wanted: Wanted) -> Self {
        Self {
            number: wanted.page.unwrap_or(1).clamp(1, PAGE_MAX),
            limit: wanted.limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX),
        }
    }
}

impl Page {
    pub(crate) const fn offset(self) -> i64 {
        (self.number - 1) * self.limit
    }

    pub(crate) const fn of(self, total: i64) -> Pagination {
        Pagination {
            page: self.number,
            limit: self.limit,
            total,
            total_pages: (total + self.limit - 1) / self.limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_brought_into_range() {
        let page = |page, limit| Page::from(Wanted { page, limit });
        assert_eq!(page(None, None), Page { number: 1, limit: 20 });
        assert_eq!(page(Some(0), Some(0)), Page { number: 1, limit: 1 });
        assert_eq!(
            page(Some(i64::MAX), Some(i64::MAX)),
            Page {
                number: PAGE_MAX,
                limit: 100
            }
        );
        assert_eq!(page(Some(3), Some(10)).offset(), 20);
        assert_eq!(page(None, Some(10)).of(21).total_pages, 3);
    }
}
