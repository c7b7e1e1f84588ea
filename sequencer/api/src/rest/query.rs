use utoipa::IntoParams;

use super::{Answer, parse_number};
use crate::problem::{Code, Problem};

/// Items on one page, if the query does not say.
const PAGE_DEFAULT: usize = 20;

/// Items on one page, at most.
const PAGE_MAX: usize = 100;

/// The query of a request: plain names and values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query that may have no other names than these.
    pub(crate) fn parse(raw: Option<&str>, names: &[&str]) -> Answer<Self> {
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

    pub(super) fn number(&self, name: &str) -> Answer<Option<u64>> {
        let parse = |value| {
            parse_number(value).ok_or_else(|| malformed(format!("{name} is {value:?}: no number")))
        };
        self.get(name).map(parse).transpose()
    }
}

/// A query that cannot be understood.
pub(crate) fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(Code::MalformedQuery, detail)
}

/// Which of a growing list are asked for: the newest, or those before one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// Only what is older than the item with this number.
    before: Option<u64>,
    /// How many items.
    #[param(minimum = 1, maximum = 100, default = 20, required = false)]
    limit: usize,
}

impl Page {
    /// `?before=&limit=`.
    pub(super) fn parse(raw: Option<&str>) -> Answer<Self> {
        Self::of(&Query::parse(raw, &["before", "limit"])?)
    }

    pub(super) fn of(query: &Query) -> Answer<Self> {
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

    /// The places on this page, newest first, of a list of so many.
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
    fn pages_go_back_from_the_newest() {
        assert_eq!(places("", 3), [2, 1, 0]);
        assert_eq!(places("limit=2", 5), [4, 3]);
        assert_eq!(places("before=3&limit=2", 5), [2, 1]);
        assert_eq!(places("before=900", 2), [1, 0]);
        assert_eq!(places("before=0", 2), [0; 0]);
        assert_eq!(places("", 100).len(), PAGE_DEFAULT);
    }

    #[test]
    fn anything_else_is_a_problem() {
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
