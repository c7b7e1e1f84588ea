//! The OpenAPI document of the REST API, generated from its handlers, and the page that shows it.

use axum::Router;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{problem::Problem, rest, state::ApiState, stream, wait::WaitGoal};

/// Path of the document.
const DOCUMENT: &str = "/openapi.json";

/// Path of the page that shows it.
const PAGE: &str = "/docs";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Turnpike REST API",
        description = "The status of transactions, blocks, batches, outputs, disputes, deposits and withdrawals. \
            Amounts of wei are decimal strings. Times whose name ends in `Ms` and those of a transaction's stages are Unix milliseconds; all \
            others are Unix seconds. Errors are RFC 9457 problem documents with a stable `code`. \
            A request costs 5 units of the client's rate limit. A request for deposits or withdrawals costs 100, because the node \
            asks L1. Each submitted transaction costs 10 more. JSON-RPC is at `/`, the journal as a WebSocket at `/v1/feed`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(Problem, WaitGoal)),
    tags(
        (name = "Transactions", description = "Sending transactions, and their status"),
        (name = "Chain", description = "Accounts, blocks and the node"),
        (name = "Settlement", description = "What L1 holds: batches, outputs and disputes"),
        (name = "Bridge", description = "Deposits and withdrawals"),
        (name = "Events", description = "Events as they happen"),
    ),
)]
struct Base;

/// REST, its document and its page.
pub(super) fn routes() -> Router<ApiState> {
    let (router, document) = described().split_for_parts();
    // No request to the internet: by default the page asks an outside service to validate the
    // document.
    let config = Config::new([DOCUMENT]).validator_url("none");
    router.merge(SwaggerUi::new(PAGE).url(DOCUMENT, document).config(config))
}

fn described() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(Base::openapi()).merge(rest::routes()).merge(stream::routes())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::problem::MEDIA_TYPE;

    fn document() -> Value {
        serde_json::to_value(described().to_openapi()).expect("is JSON")
    }

    fn references<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    match member {
                        Value::String(to) if name == "$ref" => into.push(to),
                        other => references(other, into),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, into)),
            _ => {}
        }
    }

    #[test]
    fn all_references_resolve() {
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.strip_prefix('#').expect("is in the document");
            assert!(document.pointer(pointer).is_some(), "{reference} is missing");
        }
    }

    #[test]
    fn every_operation_is_described() {
        let document = document();
        assert_eq!(document["openapi"], "3.1.0");
        let mut ids = BTreeSet::new();
        for (path, item) in document["paths"].as_object().expect("paths") {
            assert!(path.starts_with("/v1/"), "{path}");
            for (method, operation) in item.as_object().expect("operations") {
                let name = format!("{method} {path}");
                assert!(operation["summary"].is_string(), "{name} has no summary");
                assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{name}");
                assert!(
                    ids.insert(operation["operationId"].to_string()),
                    "{name}: its id is taken"
                );
                let responses = operation["responses"].as_object().expect("responses");
                assert!(responses.contains_key("200"), "{name} succeeds");
                for (status, response) in responses {
                    let media = response["content"].as_object().expect("a body");
                    let is_problem = status.starts_with(['4', '5']);
                    assert_eq!(media.contains_key(MEDIA_TYPE), is_problem, "{name}: {status}");
                }
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    let text = parameter["description"].as_str().unwrap_or_default();
                    assert!(!text.is_empty(), "{name}: {} is not described", parameter["name"]);
                }
            }
        }
    }

    #[test]
    fn page_loads_nothing_from_the_internet() {
        let config = Config::new([DOCUMENT]).validator_url("none");
        let config = std::sync::Arc::new(config);
        for name in ["", "index.html", "swagger-initializer.js", "index.css"] {
            let file = utoipa_swagger_ui::serve(name, std::sync::Arc::clone(&config));
            let file = file.expect("is served").expect("is there");
            let text = String::from_utf8_lossy(&file.bytes).replace("http://www.w3.org/", "");
            assert!(!text.contains("http://") && !text.contains("https://"), "{name}");
        }
    }
}
