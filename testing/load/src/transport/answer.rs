use std::borrow::Cow;

use serde::Deserialize;

use super::Format;

/// Why a node did not take a transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Refusal {
    /// The error's code, or that of the answer as a whole.
    pub(crate) code: String,
    /// What it says.
    pub(crate) text: String,
}

impl Refusal {
    /// Whether there is only no room now: it is worth trying again.
    pub(crate) fn is_busy(&self) -> bool {
        let busy = ["txpool is full", "account limit exceeded", "limit exceeded", "too many"];
        matches!(self.code.as_str(), "pool-full" | "sender-full" | "HTTP 429" | "HTTP 503")
            || busy.iter().any(|text| self.text.contains(text))
    }

    /// Whether the node has the transaction already, or its nonce is used: no refusal for one that is sent again.
    pub(crate) fn is_known(&self) -> bool {
        let known = ["already known", "already imported", "nonce too low"];
        matches!(self.code.as_str(), "already-known" | "nonce-too-low")
            || known.iter().any(|text| self.text.contains(text))
    }

    /// The same with all numbers and addresses alike, so that refusals can be counted by kind.
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

/// One answer of JSON-RPC.
#[derive(Deserialize)]
struct RpcAnswer<'a> {
    /// Null where the node could not make out the request.
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

/// The answer to a bulk body.
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

/// A problem document (RFC 9457), as far as it says why.
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

/// Reads an answer and says of each number what became of its transaction. Bulk answers give the places in the request as
/// numbers. An error means that the answer is for none of them in particular.
pub(crate) fn read(
    format: Format,
    status: u16,
    body: &[u8],
    mut each: impl FnMut(u32, Result<(), Refusal>),
) -> Result<(), Refusal> {
    let unreadable = |error: serde_json::Error| Refusal {
        code: format!("HTTP {status}"),
        text: format!("the answer cannot be read: {error}"),
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
    fn answers_of_a_batch_may_come_in_any_order() {
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
    fn what_is_no_json_is_a_refusal() {
        let (_, whole) = outcomes(Format::JsonRpc, 502, "<html>");
        assert_eq!(whole.unwrap_err().code, "HTTP 502");
    }

    #[test]
    fn refusals_of_a_kind_are_alike() {
        let one = refusal("-32000", "nonce too low: next nonce 12, tx nonce 3 (0xAb1)").kind();
        assert_eq!(one.text, "nonce too low: next nonce #, tx nonce # (#)");
        assert!(one.is_known() && !one.is_busy());
        assert!(refusal("-32000", "txpool is full").is_busy());
    }
}
