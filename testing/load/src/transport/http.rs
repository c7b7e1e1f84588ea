//! A fast HTTP/1.1 client connection.

use std::io::{self, ErrorKind};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::endpoint::Endpoint;

/// Longest response, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 30;

/// Longest head of a response, in bytes.
const HEAD_BYTES_MAX: usize = 1 << 16;

/// Least bytes to read at once.
const READ_BYTES: usize = 1 << 14;

/// An HTTP/1.1 connection that is kept alive, with one request at a time.
///
/// A general client would cost several times as much processor time per request, which the node
/// under test needs.
#[derive(Debug)]
pub(crate) struct HttpConnection {
    stream: TcpStream,
    /// Head of every request, up to the value of `content-length`.
    head: Vec<u8>,
    output: Vec<u8>,
    input: Vec<u8>,
}

/// Position of a response's body in the input.
struct Head {
    status: u16,
    body: usize,
    length: Option<usize>,
    chunked: bool,
}

impl HttpConnection {
    /// Connects to send requests to a path of the endpoint.
    pub(crate) async fn open(
        endpoint: &Endpoint,
        path: &str,
        media_type: &str,
    ) -> io::Result<Self> {
        let stream = TcpStream::connect(&endpoint.authority).await?;
        stream.set_nodelay(true)?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: {media_type}\r\naccept: application/json\r\ncontent-length: ",
            endpoint.authority
        );
        Ok(Self { stream, head: head.into_bytes(), output: Vec::new(), input: Vec::new() })
    }

    /// Sends a body and returns the response's status and body. After an error the connection is
    /// unusable.
    pub(crate) async fn exchange(&mut self, body: &[u8]) -> io::Result<(u16, &[u8])> {
        self.output.clear();
        self.output.extend_from_slice(&self.head);
        self.output.extend_from_slice(body.len().to_string().as_bytes());
        self.output.extend_from_slice(b"\r\n\r\n");
        self.output.extend_from_slice(body);
        self.stream.write_all(&self.output).await?;
        self.input.clear();
        let head = self.read_head().await?;
        let end = match head {
            Head { chunked: true, body, .. } => self.read_chunks(body).await?,
            Head { length: Some(length), body, .. } => {
                self.read_to(body + length).await?;
                body + length
            }
            _ => return Err(malformed("an answer without a length")),
        };
        Ok((head.status, &self.input[head.body..end]))
    }

    async fn read_head(&mut self) -> io::Result<Head> {
        let mut looked = 0;
        loop {
            let found = self.input[looked..].windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(at) = found {
                return parse_head(&self.input[..looked + at], looked + at + 4);
            }
            if self.input.len() > HEAD_BYTES_MAX {
                return Err(malformed("a head without an end"));
            }
            looked = self.input.len().saturating_sub(3);
            self.read_more().await?;
        }
    }

    /// Joins chunks in place from `body` on. Returns the end of the joined body.
    async fn read_chunks(&mut self, body: usize) -> io::Result<usize> {
        let (mut end, mut at) = (body, body);
        loop {
            let line = loop {
                match self.input[at..].windows(2).position(|two| two == b"\r\n") {
                    Some(length) => break at..at + length,
                    None => self.read_more().await?,
                }
            };
            let text = std::str::from_utf8(&self.input[line.clone()]).ok();
            let size = text.and_then(|text| text.split(';').next());
            let size = size.and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
            let size = size.filter(|size| *size <= ANSWER_BYTES_MAX);
            let size = size.ok_or_else(|| malformed("a chunk without a size"))?;
            let start = line.end + 2;
            self.read_to(start + size + 2).await?;
            if size == 0 {
                return Ok(end);
            }
            self.input.copy_within(start..start + size, end);
            end += size;
            at = start + size + 2;
        }
    }

    async fn read_to(&mut self, length: usize) -> io::Result<()> {
        if length > ANSWER_BYTES_MAX {
            return Err(malformed("an answer that is too long"));
        }
        while self.input.len() < length {
            self.read_more().await?;
        }
        Ok(())
    }

    async fn read_more(&mut self) -> io::Result<()> {
        self.input.reserve(READ_BYTES);
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err(io::Error::new(ErrorKind::UnexpectedEof, "the node closed the connection")),
            _ => Ok(()),
        }
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

fn parse_head(head: &[u8], body: usize) -> io::Result<Head> {
    let text = std::str::from_utf8(head).map_err(|_| malformed("a head that is no text"))?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1."));
    let status = status.and_then(|line| line.get(2..5)).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| malformed("an answer that is not HTTP/1.1"))?;
    let mut parsed = Head { status, body, length: None, chunked: false };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            parsed.length = value.trim().parse().ok();
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            parsed.chunked = value.trim().eq_ignore_ascii_case("chunked");
        }
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Responses read from these pieces.
    async fn answers(
        pieces: &'static [&'static str],
        count: usize,
    ) -> Vec<io::Result<(u16, String)>> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let endpoint = Endpoint { authority, path: "/".into() };
        let serve = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            for piece in pieces {
                if piece.is_empty() {
                    // Waits for the next request.
                    let mut buffer = [0; 1_000];
                    let read = stream.read(&mut buffer).await.unwrap();
                    let request = String::from_utf8_lossy(&buffer[..read]).into_owned();
                    assert!(request.ends_with("content-length: 2\r\n\r\nhi"), "{request}");
                } else {
                    stream.write_all(piece.as_bytes()).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        });
        let mut connection = HttpConnection::open(&endpoint, "/", "text/plain").await.unwrap();
        let mut found = Vec::new();
        for _ in 0..count {
            let answer = connection.exchange(b"hi").await;
            found.push(answer.map(|(status, body)| (status, String::from_utf8_lossy(body).into())));
        }
        serve.await.unwrap();
        found
    }

    #[tokio::test]
    async fn responses_with_a_length_are_read_in_turn() {
        let pieces = &[
            "",
            "HTTP/1.1 200 OK\r\nContent-Le",
            "ngth: 5\r\n\r",
            "\nhel",
            "lo",
            "",
            "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n",
        ];
        let found = answers(pieces, 2).await;
        assert_eq!(*found[0].as_ref().unwrap(), (200, "hello".into()));
        assert_eq!(*found[1].as_ref().unwrap(), (503, String::new()));
    }

    #[tokio::test]
    async fn chunks_are_joined() {
        let pieces = &[
            "",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r",
            "\n2;x=y\r\nde\r\n0\r\n\r\n",
        ];
        assert_eq!(*answers(pieces, 1).await[0].as_ref().unwrap(), (200, "abcde".into()));
    }

    #[tokio::test]
    async fn truncated_response_is_an_error() {
        let pieces = &["", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel"];
        let found = answers(pieces, 1).await;
        assert_eq!(found[0].as_ref().unwrap_err().kind(), ErrorKind::UnexpectedEof);
        let found = answers(&["", "nonsense\r\n\r\n"], 1).await;
        assert_eq!(found[0].as_ref().unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
