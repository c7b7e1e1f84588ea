use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{error::RpcError, params::Params};

/// How deep lists and objects may be nested.
const DEPTH_MAX: usize = 64;

/// Bytes of a request's id, which the response echoes, at most.
const ID_BYTES_MAX: usize = 1_024;

/// Bytes of a method's name, at most.
const METHOD_BYTES_MAX: usize = 128;

/// A parsed request. Its parameters are borrowed from the text.
#[derive(Debug, Deserialize)]
pub(super) struct Request<'a> {
    /// Echoed in the response. Without an id the request is a notification, which gets no response.
    #[serde(default, borrow, deserialize_with = "given")]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) method: Cow<'a, str>,
    #[serde(default, borrow)]
    params: Option<&'a RawValue>,
}

/// Deserializes an id that is present. A `null` is an id, too.
fn given<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

impl<'a> Request<'a> {
    pub(super) fn parse(text: &'a RawValue) -> Result<Self, RpcError> {
        let parsed = serde_json::from_str(text.get());
        let request: Self = parsed.map_err(|error| RpcError::invalid_request(error.to_string()))?;
        let id_bytes = request.id.map_or(0, |id| id.get().len());
        for (what, bytes, limit) in
            [("id", id_bytes, ID_BYTES_MAX), ("method", request.method.len(), METHOD_BYTES_MAX)]
        {
            if bytes > limit {
                let message = format!("{what} of {bytes} bytes, limit {limit}");
                return Err(RpcError::invalid_request(message));
            }
        }
        Ok(request)
    }

    /// Bytes of the parameters' text.
    pub(super) fn params_bytes(&self) -> usize {
        self.params.map_or(0, |params| params.get().len())
    }

    pub(super) fn params(&self) -> Result<Params, RpcError> {
        Params::new(self.params)
    }
}

/// A message: one request, or a batch of many.
#[derive(Debug)]
pub(super) enum Message<'a> {
    One(&'a RawValue),
    Many(Vec<&'a RawValue>),
}

impl<'a> Message<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, RpcError> {
        if is_deeper(body, DEPTH_MAX) {
            let message = format!("lists and objects are nested more than {DEPTH_MAX} deep");
            return Err(RpcError::invalid_request(message));
        }
        let parse_error = |error| RpcError::parse(&error);
        let text: &RawValue = serde_json::from_slice(body).map_err(parse_error)?;
        if text.get().starts_with('[') {
            serde_json::from_str(text.get()).map(Self::Many).map_err(parse_error)
        } else {
            Ok(Self::One(text))
        }
    }
}

/// Whether lists and objects are nested deeper than `max`. The result for invalid JSON is
/// arbitrary.
fn is_deeper(text: &[u8], max: usize) -> bool {
    let (mut depth, mut is_string, mut is_escaped) = (0_usize, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_string,
            b'"' => is_string = !is_string,
            _ if is_string => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > max {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_lists_and_objects_and_ignores_strings() {
        for (text, depth) in [
            ("7", 0),
            ("[]", 1),
            ("[[], {}, []]", 2),
            (r#"{"a": [{"b": 1}]}"#, 3),
            (r#"["[[[[", "\\\"[[["]"#, 1),
            (r#"["\\", [1]]"#, 2),
        ] {
            assert!(!is_deeper(text.as_bytes(), depth), "{text}");
            assert!(depth == 0 || is_deeper(text.as_bytes(), depth - 1), "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_before_parsing() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Message::parse(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert!(Message::parse(nested(DEPTH_MAX + 1).as_bytes()).is_err());
        assert!(Message::parse("[{\"a\":".repeat(1_000_000).as_bytes()).is_err());
    }

    #[test]
    fn names_and_ids_are_bounded() {
        let parse = |id: usize, method: usize| {
            let text = format!(r#"{{"id":{},"method":"{}"}}"#, "7".repeat(id), "m".repeat(method));
            let text: &RawValue = serde_json::from_str(&text).expect("is JSON");
            Request::parse(text).map(drop).map_err(|error| error.answered(None))
        };
        assert_eq!(parse(ID_BYTES_MAX, METHOD_BYTES_MAX), Ok(()));
        let error = parse(1, METHOD_BYTES_MAX + 1).expect_err("too long");
        assert!(error.contains("method of 129 bytes, limit 128"), "{error}");
        let error = parse(ID_BYTES_MAX + 1, 1).expect_err("too long");
        assert!(error.contains("id of 1025 bytes, limit 1024"), "{error}");
    }

    #[test]
    fn response_echoes_the_id() {
        for id in ["1", "\"a\\u0062\"", "1e400", "[1, 2]"] {
            let body = format!("  {{\"id\":{id} ,\"method\":\"eth\\u005fx\"}}\n");
            let Ok(Message::One(text)) = Message::parse(body.as_bytes()) else { panic!("{body}") };
            let request = Request::parse(text).expect("is a request");
            assert_eq!(request.id.map(RawValue::get), Some(id));
            assert_eq!(request.method, "eth_x");
        }
        for (body, id) in
            [(r#"{"method":"m","id":null}"#, Some("null")), (r#"{"method":"m"}"#, None)]
        {
            let Ok(Message::One(text)) = Message::parse(body.as_bytes()) else { panic!("{body}") };
            assert_eq!(Request::parse(text).expect("is a request").id.map(RawValue::get), id);
        }
    }

    #[test]
    fn list_with_white_space_is_a_batch() {
        let Ok(Message::Many(all)) = Message::parse(b" [ 7, {\"method\": \"m\"}, [] ]") else {
            panic!()
        };
        let parsed: Vec<_> = all.iter().map(|text| Request::parse(text).is_ok()).collect();
        assert_eq!(parsed, [false, true, false]);
        assert!(Message::parse(b"[1, {]").is_err());
        assert!(Message::parse(b"{} {}").is_err());
        assert!(Message::parse(&[0xff]).is_err());
    }
}
