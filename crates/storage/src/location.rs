use std::{
    convert::Infallible,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Where a database is: a file, or a PostgreSQL server.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseLocation(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    File(PathBuf),
    Postgres(String),
}

/// Schemes of a PostgreSQL URL.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// What a password is shown as.
const HIDDEN: &str = "…";

impl DatabaseLocation {
    /// The SQLite file, if it is one. What is not of the database lies beside it.
    pub fn file(&self) -> Option<&Path> {
        match &self.0 {
            Kind::File(path) => Some(path),
            Kind::Postgres(_) => None,
        }
    }

    /// The URL of a PostgreSQL database, password included.
    pub(crate) fn url(&self) -> Option<&str> {
        match &self.0 {
            Kind::File(_) => None,
            Kind::Postgres(url) => Some(url),
        }
    }
}

impl FromStr for DatabaseLocation {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let is_url = SCHEMES.iter().any(|scheme| text.starts_with(scheme));
        Ok(Self(if is_url { Kind::Postgres(text.into()) } else { Kind::File(text.into()) }))
    }
}

impl From<PathBuf> for DatabaseLocation {
    fn from(path: PathBuf) -> Self {
        Self(Kind::File(path))
    }
}

impl From<&Path> for DatabaseLocation {
    fn from(path: &Path) -> Self {
        Self(Kind::File(path.into()))
    }
}

impl fmt::Display for DatabaseLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::File(path) => path.display().fmt(f),
            Kind::Postgres(url) => f.write_str(&without_password(url)),
        }
    }
}

impl fmt::Debug for DatabaseLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseLocation({self})")
    }
}

/// A URL with its password hidden, wherever it stands. Of a URL that is hard to read little is shown.
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
    fn a_file_or_a_server() {
        assert_eq!(location("a/b.db").file(), Some(Path::new("a/b.db")));
        assert_eq!(location("postgres://host/name").file(), None);
        assert_eq!(location("postgresql://host/name").url(), Some("postgresql://host/name"));
    }

    #[test]
    fn passwords_are_not_shown() {
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
