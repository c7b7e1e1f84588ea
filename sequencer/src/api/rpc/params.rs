use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::RpcError;

/// Positional parameters, taken one by one.
#[derive(Debug)]
pub(crate) struct Params {
    values: std::vec::IntoIter<Value>,
    taken: usize,
}

impl Params {
    pub(crate) fn new(params: Value) -> Result<Self, RpcError> {
        let values = match params {
            Value::Null => Vec::new(),
            Value::Array(values) => values,
            _ => return Err(RpcError::invalid_params("non-array args")),
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
