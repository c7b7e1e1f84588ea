//! The location of a database, parsed from a path or a URL.

use std::{
    convert::Infallible,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Location of a database: a SQLite file or a PostgreSQL URL. Its `Display` hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseLocation(LocationKind);

#[derive(Clone, PartialEq, Eq)]
enum LocationKind {
    File(PathBuf),
    Postgres(String),
}

/// Schemes of a PostgreSQL URL.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// Replaces a password in messages.
const HIDDEN: &str = "…";

impl DatabaseLocation {
    /// The SQLite file, if it is one. Lock file, index and checkpoints lie beside it.
    pub fn file(&self) -> Option<&Path> {
        match &self.0 {
            LocationKind::File(path) => Some(path),
            LocationKind::Postgres(_) => None,
        }
    }

    /// The PostgreSQL URL, if it is one, password included.
    pub(crate) fn url(&self) -> Option<&str> {
        match &self.0 {
            LocationKind::File(_) => None,
            LocationKind::Postgres(url) => Some(url),
        }
    }
}

impl FromStr for DatabaseLocation {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let is_url = SCHEMES.iter().any(|scheme| text.starts_with(scheme));
        Ok(Self(if is_url {
            LocationKind::Postgres(text.into())
        } else {
            LocationKind::File(text.into())
        }))
    }
}

impl From<PathBuf> for DatabaseLocation {
    fn from(path: PathBuf) -> Self {
        Self(LocationKind::File(path))
    }
}

impl From<&Path> for DatabaseLocation {
    fn from(path: &Path) -> Self {
        Self(LocationKind::File(path.into()))
    }
}

impl fmt::Display for DatabaseLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            LocationKind::File(path) => path.display().fmt(f),
            LocationKind::Postgres(url) => f.write_str(&without_password(url)),
        }
    }
}

impl fmt::Debug for DatabaseLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseLocation({self})")
    }
}

/// Hides the password of a URL, in the authority and in the query. Hides every query value that may
/// be a password.
fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (rest, query) =
        rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let rest = match rest.rsplit_once('@') {
        Some((user, rest)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:{HIDDEN}@{rest}"),
            None => format!("{user}@{rest}"),
        },
        None => rest.into(),
    };
    let query = query.map(|query| {
        let shown = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name @ ("host" | "port" | "user" | "dbname"), value)) => {
                format!("{name}={value}")
            }
            Some((name, _)) => format!("{name}={HIDDEN}"),
            None => HIDDEN.into(),
        });
        format!("?{}", shown.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{rest}{}", query.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(text: &str) -> DatabaseLocation {
        let Ok(location) = text.parse();
        location
    }

    #[test]
    fn url_scheme_tells_server_from_file() {
        assert_eq!(location("a/b.db").file(), Some(Path::new("a/b.db")));
        assert_eq!(location("postgres://host/name").file(), None);
        assert_eq!(location("postgresql://host/name").url(), Some("postgresql://host/name"));
    }

    #[test]
    fn passwords_are_hidden() {
        for (url, shown) in [
            ("postgres://me:secret@host:1/name", "postgres://me:…@host:1/name"),
            ("postgres://me:s@cr@t@host/name", "postgres://me:…@host/name"),
            (
                "postgres:///name?host=/tmp/a&password=secret",
                "postgres:///name?host=/tmp/a&password=…",
            ),
            ("postgres://me@host", "postgres://me@host"),
        ] {
            assert_eq!(location(url).to_string(), shown);
            assert!(!format!("{:?}", location(url)).contains("secret"));
        }
    }
}
