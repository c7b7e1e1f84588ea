use utoipa::IntoParams;

use super::{RestResult, parse_number};
use crate::problem::{Code, Problem};

/// Items on one page by default.
const PAGE_DEFAULT: usize = 20;

/// Items on one page, at most.
const PAGE_MAX: usize = 100;

/// The query of a request: plain names and values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Parses a query that may only have these names, each once.
    pub(crate) fn parse(raw: Option<&str>, names: &[&str]) -> RestResult<Self> {
        let mut pairs = Vec::new();
        for (name, value) in form_urlencoded::parse(raw.unwrap_or("").as_bytes()) {
            let is_known = names.contains(&name.as_ref());
            if !is_known || pairs.iter().any(|(known, _)| *known == name) {
                let detail = format!("{name:?} is not one of {names:?}, each given once");
                return Err(malformed(detail));
            }
            pairs.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(pairs))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn number(&self, name: &str) -> RestResult<Option<u64>> {
        let parse = |value| {
            parse_number(value).ok_or_else(|| malformed(format!("{name} is {value:?}: no number")))
        };
        self.get(name).map(parse).transpose()
    }
}

/// The problem of a malformed query.
pub(crate) fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(Code::MalformedQuery, detail)
}

/// A page of a growing list, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// Only items older than the one with this number.
    before: Option<u64>,
    /// Number of items.
    #[param(minimum = 1, maximum = 100, default = 20, required = false)]
    limit: usize,
}

impl Page {
    /// `?before=&limit=`.
    pub(super) fn parse(raw: Option<&str>) -> RestResult<Self> {
        Self::of(&Query::parse(raw, &["before", "limit"])?)
    }

    pub(super) fn of(query: &Query) -> RestResult<Self> {
        let limit = match query.number("limit")? {
            None => PAGE_DEFAULT,
            Some(limit) => match usize::try_from(limit) {
                Ok(limit @ 1..=PAGE_MAX) => limit,
                _ => {
                    let detail = format!("limit is {limit}: 1 to {PAGE_MAX} are allowed");
                    return Err(malformed(detail));
                }
            },
        };
        Ok(Self { before: query.number("before")?, limit })
    }

    /// The indices on this page of a list of `count` items, newest first.
    pub(super) fn places(self, count: usize) -> impl Iterator<Item = usize> {
        let before = self.before.map_or(usize::MAX, |at| usize::try_from(at).unwrap_or(usize::MAX));
        (0..count.min(before)).rev().take(self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(raw: &str, count: usize) -> Vec<usize> {
        Page::parse(Some(raw)).expect("well formed").places(count).collect()
    }

    #[test]
    fn pages_are_newest_first() {
        assert_eq!(places("", 3), [2, 1, 0]);
        assert_eq!(places("limit=2", 5), [4, 3]);
        assert_eq!(places("before=3&limit=2", 5), [2, 1]);
        assert_eq!(places("before=900", 2), [1, 0]);
        assert_eq!(places("before=0", 2), [0; 0]);
        assert_eq!(places("", 100).len(), PAGE_DEFAULT);
    }

    #[test]
    fn malformed_pages_are_rejected() {
        for raw in [
            "limit=0",
            "limit=101",
            "limit=-1",
            "limit=x",
            "before=",
            "before=9223372036854775808",
            "after=1",
            "limit=1&limit=2",
        ] {
            assert!(Page::parse(Some(raw)).is_err(), "{raw}");
        }
    }
}
