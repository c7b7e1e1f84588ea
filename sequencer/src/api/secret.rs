//! The secret that administrators share with a node, and the tokens that prove it: HS256 JSON Web Tokens with an `iat`, as
//! Ethereum's engine API has them.

use std::{fmt, path::Path};

use alloy_primitives::hex;
use anyhow::Context as _;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Bytes of the secret.
const SECRET_BYTES: usize = 32;

/// Seconds that a token's `iat` may be away from the node's clock.
const TOKEN_SECONDS_MAX: u64 = 60;

/// Bytes of a token.
const TOKEN_BYTES_MAX: usize = 4 * 1024;

/// The only algorithm: HMAC with SHA-256.
const ALGORITHM: &str = "HS256";

/// A secret that administrators share with a node.
#[derive(Clone)]
pub struct AdminSecret([u8; SECRET_BYTES]);

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It has not the form of a token.
    #[error("not a JSON Web Token")]
    Malformed,
    /// It is signed in another way, or not at all.
    #[error("algorithm {0:?}: {ALGORITHM} is expected")]
    Algorithm(String),
    /// It is signed with another secret.
    #[error("the signature is wrong")]
    Signature,
    /// It does not say when it was made.
    #[error("no iat")]
    NoIssuedAt,
    /// It was made too long ago, or will be.
    #[error("iat {issued_at} is more than {TOKEN_SECONDS_MAX} s from the node's time {now}")]
    IssuedAt {
        /// When it was made, in seconds.
        issued_at: u64,
        /// The node's time, in seconds.
        now: u64,
    },
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    typ: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iat: Option<u64>,
}

impl AdminSecret {
    /// Reads a secret from a file: 64 hexadecimal digits.
    pub fn from_file(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the secret in {}", path.display()))?;
        let bytes = hex::decode_to_array(text.trim()).map_err(|_| {
            anyhow::anyhow!("{}: {SECRET_BYTES} bytes in hexadecimal are expected", path.display())
        })?;
        Ok(Self(bytes))
    }

    /// A token, made at `now`, in seconds.
    pub fn token(&self, now: u64) -> String {
        let header = Header { alg: ALGORITHM.to_owned(), typ: Some("JWT".to_owned()) };
        let text = format!("{}.{}", encode(&header), encode(&Claims { iat: Some(now) }));
        let signature = self.mac(&text).finalize().into_bytes();
        format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// Checks a token at `now`, in seconds.
    pub fn check(&self, token: &str, now: u64) -> Result<(), TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        let (text, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = text.split_once('.').ok_or(TokenError::Malformed)?;
        let header: Header = decode(header)?;
        if header.alg != ALGORITHM {
            return Err(TokenError::Algorithm(header.alg));
        }
        let signature =
            BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
        // In constant time.
        self.mac(text).verify_slice(&signature).map_err(|_| TokenError::Signature)?;
        let issued_at = decode::<Claims>(claims)?.iat.ok_or(TokenError::NoIssuedAt)?;
        if now.abs_diff(issued_at) > TOKEN_SECONDS_MAX {
            return Err(TokenError::IssuedAt { issued_at, now });
        }
        Ok(())
    }

    fn mac(&self, text: &str) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0);
        mac.expect("invariant: a key may have any length").chain_update(text.as_bytes())
    }
}

impl fmt::Debug for AdminSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminSecret(hidden)")
    }
}

fn encode(part: &impl Serialize) -> String {
    let json = serde_json::to_vec(part).expect("invariant: it is JSON");
    BASE64_URL_SAFE_NO_PAD.encode(json)
}

fn decode<T: for<'a> Deserialize<'a>>(part: &str) -> Result<T, TokenError> {
    let json = BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| TokenError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn secret(byte: u8) -> AdminSecret {
        AdminSecret([byte; SECRET_BYTES])
    }

    /// A token of these parts, signed with the right secret.
    fn signed(header: &str, claims: &str) -> String {
        let part = |json: &str| BASE64_URL_SAFE_NO_PAD.encode(json);
        let text = format!("{}.{}", part(header), part(claims));
        let signature = secret(1).mac(&text).finalize().into_bytes();
        format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    #[test]
    fn a_token_holds_for_a_minute_either_way() {
        let token = secret(1).token(NOW);
        for now in [NOW - 60, NOW, NOW + 60] {
            assert_eq!(secret(1).check(&token, now), Ok(()));
        }
        for now in [NOW - 61, NOW + 61] {
            let error = TokenError::IssuedAt { issued_at: NOW, now };
            assert_eq!(secret(1).check(&token, now), Err(error));
        }
    }

    #[test]
    fn what_others_make_is_taken() {
        // No `typ`, and claims that are not looked at.
        let header = r#"{"alg":"HS256"}"#;
        let token = signed(header, &format!(r#"{{"iat":{NOW},"id":"another's","exp":1}}"#));
        assert_eq!(secret(1).check(&token, NOW), Ok(()));
    }

    #[test]
    fn nothing_else_is_a_token() {
        let right = secret(1).token(NOW);
        let (text, signature) = right.rsplit_once('.').expect("has parts");
        let claims = format!(r#"{{"iat":{NOW}}}"#);
        let none = signed(r#"{"alg":"none"}"#, &claims);
        let (unsigned, _) = none.rsplit_once('.').expect("has parts");
        let algorithm = |name: &str| Err(TokenError::Algorithm(name.to_owned()));
        for (token, expected) in [
            (String::new(), Err(TokenError::Malformed)),
            ("a.b.c".to_owned(), Err(TokenError::Malformed)),
            (text.to_owned(), Err(TokenError::Malformed)),
            (format!("{text}."), Err(TokenError::Signature)),
            (format!("{text}.AAAA"), Err(TokenError::Signature)),
            (format!("{text}.{}", &signature[2..]), Err(TokenError::Malformed)),
            (secret(2).token(NOW), Err(TokenError::Signature)),
            (none.clone(), algorithm("none")),
            (format!("{unsigned}."), algorithm("none")),
            (signed(r#"{"alg":"HS512"}"#, &claims), algorithm("HS512")),
            (signed(r#"{"alg":"RS256"}"#, &claims), algorithm("RS256")),
            (signed(r#"{"alg":"hs256"}"#, &claims), algorithm("hs256")),
            (signed(r#"{"typ":"JWT"}"#, &claims), Err(TokenError::Malformed)),
            (signed(r#"{"alg":"HS256"}"#, "{}"), Err(TokenError::NoIssuedAt)),
            (signed(r#"{"alg":"HS256"}"#, r#"{"iat":"1"}"#), Err(TokenError::Malformed)),
            (signed(r#"{"alg":"HS256"}"#, r#"{"iat":-1}"#), Err(TokenError::Malformed)),
            (format!("{right}.{}", "A".repeat(TOKEN_BYTES_MAX)), Err(TokenError::Malformed)),
        ] {
            assert_eq!(secret(1).check(&token, NOW), expected, "{token}");
        }
    }

    #[test]
    fn a_secret_is_32_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        for (text, is_secret) in [
            (format!("0x{}\n", "01".repeat(32)), true),
            ("01".repeat(32), true),
            ("01".repeat(31), false),
            ("zz".repeat(32), false),
            (String::new(), false),
        ] {
            std::fs::write(&path, &text).expect("writes");
            let read = AdminSecret::from_file(&path);
            assert_eq!(read.is_ok(), is_secret, "{text:?}");
            if let Err(error) = read {
                assert!(text.is_empty() || !error.to_string().contains(&text), "never the secret");
            }
        }
        let read = |text| {
            std::fs::write(&path, text).expect("writes");
            AdminSecret::from_file(&path).expect("is a secret")
        };
        assert_eq!(read("01".repeat(32)).check(&secret(1).token(NOW), NOW), Ok(()));
        assert_eq!(format!("{:?}", secret(1)), "AdminSecret(hidden)");
    }
}
