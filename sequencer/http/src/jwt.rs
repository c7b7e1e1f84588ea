//! The secret that administrators share with a node, and the bearer tokens that prove its
//! knowledge.
//!
//! Format: HS256 JSON Web Tokens with an `iat` claim, as Ethereum's engine API uses them. `iat` may
//! be [`TOKEN_SECONDS_MAX`] away from the node's clock; every other claim is ignored.

use std::{fmt, path::Path};

use anyhow::Context as _;
use chrono::DateTime;
use jwt_compact::{
    AlgorithmExt as _, Claims, Header, UntrustedToken, ValidationError,
    alg::{Hs256, Hs256Key},
};
use serde::{Deserialize, Serialize};

/// Bytes of the secret.
const SECRET_BYTES: usize = 32;

/// Seconds that a token's `iat` may be away from the node's clock.
const TOKEN_SECONDS_MAX: u64 = 60;

/// Bytes of a token, at most.
const TOKEN_BYTES_MAX: usize = 4 * 1024;

/// The only accepted algorithm.
const ALGORITHM: &str = "HS256";

/// A secret that administrators share with a node.
#[derive(Clone)]
pub struct JwtSecret(Hs256Key);

/// Why a token is rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The text is not a JSON Web Token.
    #[error("not a JSON Web Token")]
    Malformed,
    /// The token names another algorithm, or `none`.
    #[error("expected algorithm {ALGORITHM}, found {0:?}")]
    Algorithm(String),
    /// The token is signed with another secret.
    #[error("invalid signature")]
    Signature,
    /// The token has no `iat` claim.
    #[error("no iat")]
    NoIssuedAt,
    /// The token was issued too long ago, or in the future.
    #[error("iat {issued_at} is more than {TOKEN_SECONDS_MAX} s from the node's time {now}")]
    IssuedAt {
        /// When the token was issued, in Unix seconds.
        issued_at: u64,
        /// The node's time, in Unix seconds.
        now: u64,
    },
}

/// Claims other than `iat`: accepted and ignored.
#[derive(Serialize, Deserialize)]
struct OtherClaims {}

impl JwtSecret {
    /// Reads a secret from a file: 64 hexadecimal digits.
    pub fn from_file(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the secret in {}", path.display()))?;
        let bytes: [u8; SECRET_BYTES] = const_hex::decode_to_array(text.trim()).map_err(|_| {
            let path = path.display();
            anyhow::anyhow!("{path}: expected {SECRET_BYTES} bytes in hexadecimal")
        })?;
        Ok(Self(Hs256Key::new(bytes)))
    }

    /// A token that is issued at `now`, in Unix seconds.
    pub fn token(&self, now: u64) -> String {
        let mut claims = Claims::new(OtherClaims {});
        claims.issued_at = i64::try_from(now).ok().and_then(|now| DateTime::from_timestamp(now, 0));
        let header = Header::empty().with_token_type("JWT");
        Hs256.token(&header, &claims, &self.0).expect("invariant: the claims are JSON")
    }

    /// Checks a token at `now`, in Unix seconds. The signature is compared in constant time.
    pub fn check(&self, token: &str, now: u64) -> Result<(), TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        let token = UntrustedToken::new(token).map_err(|_| TokenError::Malformed)?;
        let token = Hs256.validator::<OtherClaims>(&self.0).validate(&token)?;
        let issued_at = token.claims().issued_at.ok_or(TokenError::NoIssuedAt)?;
        let issued_at = u64::try_from(issued_at.timestamp()).map_err(|_| TokenError::Malformed)?;
        if now.abs_diff(issued_at) > TOKEN_SECONDS_MAX {
            return Err(TokenError::IssuedAt { issued_at, now });
        }
        Ok(())
    }
}

impl From<ValidationError> for TokenError {
    fn from(error: ValidationError) -> Self {
        match error {
            ValidationError::AlgorithmMismatch { actual, .. } => Self::Algorithm(actual),
            ValidationError::InvalidSignature
            | ValidationError::InvalidSignatureLen { .. }
            | ValidationError::MalformedSignature(_) => Self::Signature,
            _ => Self::Malformed,
        }
    }
}

impl fmt::Debug for JwtSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JwtSecret(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use jwt_compact::{Algorithm as _, AlgorithmSignature as _};

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn secret(byte: u8) -> JwtSecret {
        JwtSecret(Hs256Key::new([byte; SECRET_BYTES]))
    }

    /// Unpadded base64 with the URL alphabet, as a token's parts use it.
    fn base64(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let digits = bytes.chunks(3).flat_map(|chunk| {
            let word = chunk.iter().fold(0, |word, byte| word << 8 | u32::from(*byte));
            let word = word << (8 * (3 - chunk.len()));
            (0..=chunk.len()).map(move |at| DIGITS[(word >> (18 - 6 * at)) as usize & 63])
        });
        digits.map(char::from).collect()
    }

    /// A token with this header and these claims, signed with the right secret.
    fn signed(header: &str, claims: &str) -> String {
        let text = format!("{}.{}", base64(header.as_bytes()), base64(claims.as_bytes()));
        let signature = Hs256.sign(&secret(1).0, text.as_bytes());
        format!("{text}.{}", base64(&signature.as_bytes()))
    }

    #[test]
    fn token_is_valid_for_a_minute_around_iat() {
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
    fn token_of_another_library_is_accepted() {
        // The header has no `typ`, and the token has claims that are ignored.
        let header = r#"{"alg":"HS256"}"#;
        let token = signed(header, &format!(r#"{{"iat":{NOW},"id":"another's","exp":1}}"#));
        assert_eq!(secret(1).check(&token, NOW), Ok(()));
    }

    #[test]
    fn malformed_tokens_are_rejected() {
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
    fn secret_is_32_bytes_of_hex() {
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
            let read = JwtSecret::from_file(&path);
            assert_eq!(read.is_ok(), is_secret, "{text:?}");
            if let Err(error) = read {
                assert!(
                    text.is_empty() || !error.to_string().contains(&text),
                    "the error contains the secret"
                );
            }
        }
        let read = |text| {
            std::fs::write(&path, text).expect("writes");
            JwtSecret::from_file(&path).expect("is a secret")
        };
        assert_eq!(read("01".repeat(32)).check(&secret(1).token(NOW), NOW), Ok(()));
        assert_eq!(format!("{:?}", secret(1)), "JwtSecret(hidden)");
    }
}
