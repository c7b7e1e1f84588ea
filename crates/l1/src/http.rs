//! HTTP connections to L1's endpoints.

use std::time::Duration;

use alloy::transports::http::reqwest;

use crate::L1Error;

/// Timeout of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) fn parse_url(url: &str) -> Result<reqwest::Url, L1Error> {
    url.parse().map_err(|_| L1Error::Unreachable("the URL is malformed".to_owned()))
}

pub(crate) fn http_client() -> Result<reqwest::Client, L1Error> {
    let built = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).build();
    built.map_err(|_| L1Error::Unreachable("cannot make an HTTP client".to_owned()))
}
