use super::Answer;
use crate::api::problem::Problem;

/// Items on one page, if the query does not say.
const PAGE_DEFAULT: usize = 20;

/// Items on one page, at most.
const PAGE_MAX: usize = 100;

/// The query of a request: plain names and values.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query that may have no other names than these.
    pub(super) fn parse(raw: Option<&str>, names: &[&str]) -> Answer<Self> {
        let mut pairs = Vec::new();
        for pair in raw.unwrap_or("").split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !names.contains(&name) || pairs.iter().any(|(known, _)| known == name) {
                let detail = format!("{name:?} is not one of {names:?}, each given once");
                return Err(Problem::bad_request("malformed-query", detail));
            }
            pairs.push((name.to_owned(), value.to_owned()));
        }
        Ok(Self(pairs))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str) -> Answer<Option<u64>> {
        let malformed = |value: &str| {
            Problem::bad_request("malformed-query", format!("{name} is {value:?}: no number"))
        };
        self.get(name).map(|value| value.parse().map_err(|_| malformed(value))).transpose()
    }
}

/// Which of a growing list are asked for: the newest, or those before one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    before: Option<u64>,
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
                    return Err(Problem::bad_request("malformed-query", detail));
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
        for raw in
            ["limit=0", "limit=101", "limit=-1", "limit=x", "before=", "after=1", "limit=1&limit=2"]
        {
            assert!(Page::parse(Some(raw)).is_err(), "{raw}");
        }
    }
}
