//! Parses responses.

use std::borrow::Cow;

use serde::Deserialize;

use super::Format;

/// Why a node refused a transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Refusal {
    /// Code of the error, or of the whole response.
    pub(crate) code: String,
    /// Message.
    pub(crate) text: String,
}

impl Refusal {
    /// Whether the node lacked room, so that a retry may succeed.
    pub(crate) fn is_busy(&self) -> bool {
        let busy = ["txpool is full", "account limit exceeded", "limit exceeded", "too many"];
        let codes = ["pool-full", "sender-full", "sender-bytes-full", "HTTP 429", "HTTP 503"];
        codes.contains(&self.code.as_str()) || busy.iter().any(|text| self.text.contains(text))
    }

    /// Whether the node has the transaction or has used its nonce: after a lost answer this is
    /// acceptance.
    pub(crate) fn is_known(&self) -> bool {
        let known = ["already known", "already imported", "nonce too low"];
        matches!(self.code.as_str(), "already-known" | "nonce-too-low")
            || known.iter().any(|text| self.text.contains(text))
    }

    /// The refusal with numbers and addresses blanked, so that equal kinds can be counted.
    pub(crate) fn kind(&self) -> Self {
        let words = self.text.split(' ').map(|word| {
            let numbers = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
            let number = numbers.starts_with(|c: char| c.is_ascii_digit());
            if number { Cow::from(word.replace(numbers, "#")) } else { Cow::from(word) }
        });
        let text = words.collect::<Vec<_>>().join(" ");
        Self { code: self.code.clone(), text: text.chars().take(200).collect() }
    }
}

/// A JSON-RPC response.
#[derive(Deserialize)]
struct RpcAnswer<'a> {
    /// Null if the node could not parse the request.
    id: Option<u32>,
    #[serde(borrow)]
    error: Option<RpcError<'a>>,
}

#[derive(Deserialize)]
struct RpcError<'a> {
    code: i64,
    #[serde(borrow)]
    message: Cow<'a, str>,
}

/// The response to a bulk body.
#[derive(Deserialize)]
struct BulkAnswer<'a> {
    #[serde(borrow)]
    results: Vec<BulkResult<'a>>,
}

#[derive(Deserialize)]
struct BulkResult<'a> {
    #[serde(borrow)]
    error: Option<Problem<'a>>,
}

/// The fields of a problem document (RFC 9457) that name the error.
#[derive(Default, Deserialize)]
struct Problem<'a> {
    #[serde(borrow, default)]
    code: Cow<'a, str>,
    #[serde(borrow, default)]
    detail: Cow<'a, str>,
    #[serde(borrow, default)]
    title: Cow<'a, str>,
}

impl From<RpcError<'_>> for Refusal {
    fn from(error: RpcError<'_>) -> Self {
        Self { code: error.code.to_string(), text: error.message.into_owned() }
    }
}

impl From<Problem<'_>> for Refusal {
    fn from(problem: Problem<'_>) -> Self {
        let Problem { code, detail, title } = problem;
        let text = if detail.is_empty() { title } else { detail };
        Self { code: code.into_owned(), text: text.into_owned() }
    }
}

/// Parses a response and calls the closure with each id and result. In bulk responses the id is the
/// position in the request. An error applies to the whole request.
pub(crate) fn read(
    format: Format,
    status: u16,
    body: &[u8],
    mut each: impl FnMut(u32, Result<(), Refusal>),
) -> Result<(), Refusal> {
    let unreadable = |error: serde_json::Error| Refusal {
        code: format!("HTTP {status}"),
        text: format!("cannot parse the response: {error}"),
    };
    match format {
        Format::Bulk if status != 200 => {
            let mut problem: Refusal =
                serde_json::from_slice::<Problem<'_>>(body).unwrap_or_default().into();
            if problem.code.is_empty() {
                problem.code = format!("HTTP {status}");
            }
            Err(problem)
        }
        Format::Bulk => {
            let answer: BulkAnswer<'_> = serde_json::from_slice(body).map_err(unreadable)?;
            for (place, result) in (0..).zip(answer.results) {
                each(place, result.error.map_or(Ok(()), |problem| Err(problem.into())));
            }
            Ok(())
        }
        Format::JsonRpc => {
            let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
            if first == Some(&b'[') {
                let answers: Vec<RpcAnswer<'_>> =
                    serde_json::from_slice(body).map_err(unreadable)?;
                for answer in answers {
                    hand_out(answer, &mut each)?;
                }
                Ok(())
            } else {
                hand_out(serde_json::from_slice(body).map_err(unreadable)?, &mut each)
            }
        }
    }
}

fn hand_out(
    answer: RpcAnswer<'_>,
    each: &mut impl FnMut(u32, Result<(), Refusal>),
) -> Result<(), Refusal> {
    let result = answer.error.map_or(Ok(()), |error| Err(error.into()));
    match answer.id {
        Some(id) => {
            each(id, result);
            Ok(())
        }
        None => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcomes = (Vec<(u32, Result<(), Refusal>)>, Result<(), Refusal>);

    fn outcomes(format: Format, status: u16, body: &str) -> Outcomes {
        let mut found = Vec::new();
        let whole = read(format, status, body.as_bytes(), |id, result| found.push((id, result)));
        (found, whole)
    }

    fn refusal(code: &str, text: &str) -> Refusal {
        Refusal { code: code.into(), text: text.into() }
    }

    #[test]
    fn batch_answers_may_come_in_any_order() {
        let body = r#"[{"jsonrpc":"2.0","id":4,"result":"0xab"},
            {"jsonrpc":"2.0","id":3,"error":{"code":-32000,"message":"a \"quote\"","data":{}}}]"#;
        let (found, whole) = outcomes(Format::JsonRpc, 200, body);
        whole.unwrap();
        assert_eq!(found, [(4, Ok(())), (3, Err(refusal("-32000", "a \"quote\"")))]);
    }

    #[test]
    fn one_error_may_answer_a_whole_batch() {
        let body = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"too long"}}"#;
        let (found, whole) = outcomes(Format::JsonRpc, 200, body);
        assert_eq!((found.len(), whole), (0, Err(refusal("-32600", "too long"))));
    }

    #[test]
    fn bulk_answers_come_in_order() {
        let body =
            r#"{"results":[{"hash":"0xab"},{"error":{"code":"pool-full","detail":"full"}}]}"#;
        let (found, whole) = outcomes(Format::Bulk, 200, body);
        whole.unwrap();
        assert_eq!(found, [(0, Ok(())), (1, Err(refusal("pool-full", "full")))]);
        let (_, whole) = outcomes(Format::Bulk, 503, "busy");
        assert!(whole.unwrap_err().is_busy());
    }

    #[test]
    fn response_that_is_not_json_is_a_refusal() {
        let (_, whole) = outcomes(Format::JsonRpc, 502, "<html>");
        assert_eq!(whole.unwrap_err().code, "HTTP 502");
    }

    #[test]
    fn refusals_of_one_kind_are_equal() {
        let one = refusal("-32000", "nonce too low: next nonce 12, tx nonce 3 (0xAb1)").kind();
        assert_eq!(one.text, "nonce too low: next nonce #, tx nonce # (#)");
        assert!(one.is_known() && !one.is_busy());
        assert!(refusal("-32000", "txpool is full").is_busy());
    }
}
