use std::fmt;

use alloy::signers::local::PrivateKeySigner;

/// A private key as the user gave it. It is parsed after the arguments are: clap prints arguments that do not parse.
#[derive(Clone)]
pub(crate) struct Key(String);

impl Key {
    /// Parses the key.
    pub(crate) fn signer(&self) -> anyhow::Result<PrivateKeySigner> {
        self.0
            .parse()
            .map_err(|_| anyhow::anyhow!("expected a private key: 32 bytes in hexadecimal"))
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(hidden)")
    }
}

/// Parses the key, if there is one.
pub(crate) fn signer_of(key: Option<&Key>) -> anyhow::Result<Option<PrivateKeySigner>> {
    key.map(Key::signer).transpose()
}
