use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use super::error::RpcError;

/// Parameters of a request, at most.
const PARAMS_MAX: usize = 16;

/// The values of a list; `None` if it has more than [`PARAMS_MAX`].
struct FewValues(Option<Vec<Value>>);

impl<'de> Deserialize<'de> for FewValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FewValuesVisitor)
    }
}

struct FewValuesVisitor;

impl<'de> Visitor<'de> for FewValuesVisitor {
    type Value = FewValues;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<FewValues, A::Error> {
        let mut values = Vec::new();
        while values.len() < PARAMS_MAX {
            match list.next_element()? {
                Some(value) => values.push(value),
                None => return Ok(FewValues(Some(values))),
            }
        }
        let mut has_more = false;
        while list.next_element::<IgnoredAny>()?.is_some() {
            has_more = true;
        }
        Ok(FewValues((!has_more).then_some(values)))
    }
}

/// Positional parameters, taken one by one.
#[derive(Debug)]
pub(crate) struct Params {
    values: std::vec::IntoIter<Value>,
    taken: usize,
}

impl Params {
    pub(crate) fn new(params: Option<&RawValue>) -> Result<Self, RpcError> {
        let values = match params {
            None => Vec::new(),
            Some(params) => {
                let FewValues(values) = serde_json::from_str(params.get())
                    .map_err(|_| RpcError::invalid_params("non-array args"))?;
                values.ok_or_else(|| {
                    RpcError::invalid_params(format!("too many arguments, limit {PARAMS_MAX}"))
                })?
            }
        };
        Ok(Self { values: values.into_iter(), taken: 0 })
    }

    /// The next parameter; an error if it is missing or not a `T`.
    pub(crate) fn next<T: DeserializeOwned>(&mut self) -> Result<T, RpcError> {
        let index = self.taken;
        self.optional()?.ok_or_else(|| {
            RpcError::invalid_params(format!("missing value for required argument {index}"))
        })
    }

    /// The next parameter, if there is one; an error if it is not a `T`.
    pub(crate) fn optional<T: DeserializeOwned>(&mut self) -> Result<Option<T>, RpcError> {
        let index = self.taken;
        self.taken += 1;
        match self.values.next() {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value).map(Some).map_err(|error| {
                RpcError::invalid_params(format!("invalid argument {index}: {error}"))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(text: &str) -> Result<usize, String> {
        let raw: &RawValue = serde_json::from_str(text).expect("is JSON");
        let params = Params::new(Some(raw));
        params.map(|params| params.values.len()).map_err(|error| error.answered(None))
    }

    #[test]
    fn parameters_are_a_short_list() {
        let list = |count: usize| format!("[{}]", vec!["{}"; count].join(","));
        for count in [0, 1, PARAMS_MAX] {
            assert_eq!(params(&list(count)), Ok(count));
        }
        for count in [PARAMS_MAX + 1, 100_000] {
            let error = params(&list(count)).expect_err("too many");
            assert!(error.contains("too many arguments, limit 16"), "{error}");
        }
        for text in ["{}", "7", "\"[]\""] {
            assert!(params(text).expect_err("not a list").contains("non-array args"), "{text}");
        }
    }
}
