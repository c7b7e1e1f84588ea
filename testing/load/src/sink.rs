//! A server that accepts every transaction and does nothing, to measure the client alone.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
};

use tokio_tungstenite::tungstenite::{self, Message};

use crate::{drive::Wire, endpoint::Endpoint, transport::Format};

/// The hash in every answer.
const HASH: &str = "0x0000000000000000000000000000000000000000000000000000000000000000";

/// Starts the sink on loopback. Its threads run until the process ends.
pub(crate) fn start(wire: Wire) -> io::Result<Endpoint> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let authority = listener.local_addr()?.to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || match wire {
                Wire::Http(format) => drop(serve_http(stream, format)),
                Wire::WebSocket { .. } => drop(serve_web_socket(stream)),
            });
        }
    });
    Ok(Endpoint { authority, path: "/".into() })
}

fn serve_http(stream: TcpStream, format: Format) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut output = stream.try_clone()?;
    let mut input = BufReader::with_capacity(1 << 16, stream);
    let (mut line, mut body, mut answer) = (String::new(), Vec::new(), Vec::new());
    loop {
        let mut length = 0;
        loop {
            line.clear();
            if input.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line == "\r\n" {
                break;
            }
        }
        body.resize(length, 0);
        input.read_exact(&mut body)?;
        let text = match format {
            Format::Bulk => answer_bulk(&body),
            Format::JsonRpc => answer_rpc(&body),
        };
        answer.clear();
        write!(
            answer,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            text.len()
        )?;
        answer.extend_from_slice(text.as_bytes());
        output.write_all(&answer)?;
    }
}

fn serve_web_socket(stream: TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    stream.set_nodelay(true)?;
    let mut socket = tungstenite::accept(stream)?;
    loop {
        if let Message::Text(text) = socket.read()? {
            socket.send(Message::text(answer_rpc(text.as_bytes())))?;
        }
    }
}

/// Answers each id in a request.
fn answer_rpc(body: &[u8]) -> String {
    const ID: &[u8] = br#","id":"#;
    let mut answers = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.windows(ID.len()).position(|bytes| bytes == ID) {
        rest = &rest[at + ID.len()..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let id = String::from_utf8_lossy(&rest[..digits]);
        answers.push(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"{HASH}"}}"#));
        // The rest of the request holds no further id key.
        rest = &rest[digits..];
    }
    if body.starts_with(b"[") { format!("[{}]", answers.join(",")) } else { answers.concat() }
}

fn answer_bulk(mut body: &[u8]) -> String {
    let mut answers = Vec::new();
    while let Some((length, rest)) = body.split_first_chunk() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        body = rest.get(length..).unwrap_or_default();
        answers.push(format!(r#"{{"hash":"{HASH}"}}"#));
    }
    format!(r#"{{"results":[{}]}}"#, answers.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{read, write};

    #[test]
    fn sink_answers_every_transaction() {
        for (format, ids) in [
            (Format::JsonRpc, vec![41, 42]),
            (Format::JsonRpc, vec![7]),
            (Format::Bulk, vec![0, 1]),
        ] {
            let mut body = Vec::new();
            write(format, ids.iter().map(|id| (*id, &[2_u8, 3][..])), &mut body);
            let answer = match format {
                Format::Bulk => answer_bulk(&body),
                Format::JsonRpc => answer_rpc(&body),
            };
            let mut found = Vec::new();
            read(format, 200, answer.as_bytes(), |id, result| found.push((id, result))).unwrap();
            assert_eq!(found, ids.into_iter().map(|id| (id, Ok(()))).collect::<Vec<_>>());
        }
    }
}
