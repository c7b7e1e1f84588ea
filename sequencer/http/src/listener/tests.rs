use axum::{body::Bytes, http::header::RETRY_AFTER, response::IntoResponse as _, routing::post};
use futures_util::stream;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
};

use super::*;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(3_600);

/// A timeout that ends the test's connection soon.
const SHORT: Duration = Duration::from_millis(50);

/// Bytes of a chunk that no kernel buffers for a client that does not read.
const ENDLESS_CHUNK: usize = 1024 * 1024;

/// Timeouts that never end. Each test shortens one of them.
const ENDLESS: Timeouts =
    Timeouts { head: LONG, idle: LONG, stall: LONG, bytes_per_second: 1, grace: LONG };

/// Renders a refusal as plain text with its code.
fn render(refusal: ServerRefusal) -> Response {
    let (status, code) = match refusal {
        ServerRefusal::ConnectionsFull => (StatusCode::SERVICE_UNAVAILABLE, "connections-full"),
        ServerRefusal::ConnectionsOfClient => {
            (StatusCode::TOO_MANY_REQUESTS, "too-many-connections")
        }
        ServerRefusal::UriTooLong { .. } => (StatusCode::URI_TOO_LONG, "uri-too-long"),
        ServerRefusal::SlowBody => (StatusCode::REQUEST_TIMEOUT, "slow-body"),
        ServerRefusal::BodiesFull => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
    };
    let mut response = (status, format!("/problems/{code}")).into_response();
    if let Some(seconds) = refusal.retry_after_seconds() {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

struct TestServer {
    address: SocketAddr,
    serving: JoinHandle<anyhow::Result<()>>,
    stop: CancellationToken,
    /// Lets one request at `/wait` end.
    go_on: Arc<Notify>,
    /// Signalled when a request at `/wait` has begun.
    begun: mpsc::UnboundedReceiver<()>,
    /// Signalled when an answer of `/endless` is given up.
    given_up: mpsc::UnboundedReceiver<()>,
}

/// Signals when it is dropped.
struct SignalOnDrop(mpsc::UnboundedSender<()>);

impl Drop for SignalOnDrop {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

impl TestServer {
    fn new(limits: HttpLimits) -> Self {
        let (go_on, (send_begun, begun)) = (Arc::new(Notify::new()), mpsc::unbounded_channel());
        let (send_given_up, given_up) = mpsc::unbounded_channel();
        let wait = {
            let go_on = Arc::clone(&go_on);
            move || async move {
                let _ = send_begun.send(());
                go_on.notified().await;
                "waited"
            }
        };
        let endless = move || async move {
            let chunk = Bytes::from(vec![0; ENDLESS_CHUNK]);
            let told = SignalOnDrop(send_given_up);
            Body::from_stream(stream::unfold(told, move |told| {
                let chunk = chunk.clone();
                async move { Some((Ok::<_, Infallible>(chunk), told)) }
            }))
        };
        let router = Router::new()
            .route("/", post(|body: Bytes| async move { body.len().to_string() }))
            .route("/wait", post(wait))
            .route("/endless", post(endless));
        let listener = bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let address = listener.local_addr().expect("is bound");
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let serving =
            tokio::spawn(async move { serve(listener, router, render, &limits, stopped).await });
        Self { address, serving, stop, go_on, begun, given_up }
    }

    fn patient(timeouts: Timeouts) -> Self {
        Self::new(HttpLimits { timeouts, ..HttpLimits::default() })
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connects")
    }

    /// Sends a text, and reads until the server closes the connection.
    async fn all_of(&self, text: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.expect("sends");
        rest(&mut stream).await
    }

    async fn stopped(self) {
        self.stop.cancel();
        self.serving.await.expect("no panic").expect("stops");
    }
}

fn request(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A reset ends the stream as well.
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8(text).expect("is text")
}

/// Sends a request and reads an answer that ends with this.
async fn ask(stream: &mut TcpStream, path: &str, body: &str, answer: &str) -> String {
    stream.write_all(request(path, body).as_bytes()).await.expect("sends");
    read_answer(stream, answer).await
}

async fn read_answer(stream: &mut TcpStream, answer: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(&format!("\r\n\r\n{answer}")) {
        let mut some = [0; 1_024];
        let bytes = stream.read(&mut some).await.expect("reads");
        assert!(bytes > 0, "the answer ends with {text}");
        text.push_str(std::str::from_utf8(&some[..bytes]).expect("is text"));
    }
    text
}

#[tokio::test]
async fn missing_request_head_ends_the_connection() {
    let server = TestServer::patient(Timeouts { head: SHORT, ..ENDLESS });
    for head in ["", "P", "POST / HTTP/1.1\r\nhost: a\r\n"] {
        assert_eq!(server.all_of(head).await, "", "{head:?}");
    }
    // The same holds after a response.
    let text = server.all_of(&format!("{}POST", request("/", "four"))).await;
    assert!(text.starts_with("HTTP/1.1 200 OK") && text.ends_with("\r\n\r\n4"), "{text}");
}

#[tokio::test]
async fn idle_connection_times_out() {
    let server = TestServer::patient(Timeouts { idle: SHORT, ..ENDLESS });
    let text = server.all_of(&request("/", "")).await;
    assert!(text.ends_with("\r\n\r\n0"), "{text}");
}

#[tokio::test]
async fn missing_body_times_out() {
    let server = TestServer::patient(Timeouts { stall: SHORT, ..ENDLESS });
    let text = server.all_of("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nfour").await;
    assert!(text.starts_with("HTTP/1.1 408 Request Timeout"), "{text}");
    assert!(text.contains("connection: close") && text.contains("/problems/slow-body"), "{text}");
}

#[tokio::test]
async fn unread_response_times_out() {
    let mut server = TestServer::patient(Timeouts { stall: SHORT, ..ENDLESS });
    let mut stream = server.connect().await;
    stream.write_all(request("/endless", "").as_bytes()).await.expect("sends");
    server.given_up.recv().await.expect("is given up");
}

#[tokio::test]
async fn longest_idle_connection_is_closed_for_a_new_one() {
    let limits =
        HttpLimits { connections_max: Some(2), timeouts: ENDLESS, ..HttpLimits::default() };
    let mut server = TestServer::new(limits);
    let mut first = server.connect().await;
    ask(&mut first, "/", "", "0").await;
    let mut second = server.connect().await;
    ask(&mut second, "/", "", "0").await;
    ask(&mut first, "/", "12", "2").await;
    let mut third = server.connect().await;
    ask(&mut third, "/", "123", "3").await;
    assert_eq!(rest(&mut second).await, "", "it was evicted");
    // Busy connections are not evicted.
    first.write_all(request("/wait", "").as_bytes()).await.expect("sends");
    third.write_all(request("/wait", "").as_bytes()).await.expect("sends");
    server.begun.recv().await.expect("begins");
    server.begun.recv().await.expect("begins");
    let text = server.all_of(&request("/", "")).await;
    assert!(text.starts_with("HTTP/1.1 503 Service Unavailable"), "{text}");
    assert!(text.contains("retry-after: 5") && text.contains("connections-full"), "{text}");
    server.go_on.notify_waiters();
    read_answer(&mut first, "waited").await;
    read_answer(&mut third, "waited").await;
    ask(&mut server.connect().await, "/", "", "0").await;
}

#[tokio::test]
async fn connection_limit_per_address_holds() {
    let limits =
        HttpLimits { connections_per_address: Some(1), timeouts: ENDLESS, ..HttpLimits::default() };
    let server = TestServer::new(limits);
    let mut first = server.connect().await;
    ask(&mut first, "/", "", "0").await;
    let text = server.all_of(&request("/", "")).await;
    assert!(text.starts_with("HTTP/1.1 429 Too Many Requests"), "{text}");
    assert!(text.contains("retry-after: 5"), "{text}");
    ask(&mut first, "/", "1", "1").await;
}

#[tokio::test]
async fn request_heads_are_bounded() {
    let server = TestServer::patient(ENDLESS);
    let close = "\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let long = |bytes| "x".repeat(bytes);
    for (head, status) in [
        (format!("POST /?{} HTTP/1.1", long(URI_BYTES_MAX - 2)), "200"),
        (format!("POST /?{} HTTP/1.1", long(URI_BYTES_MAX - 1)), "414"),
        (format!("POST / HTTP/1.1\r\na: {}", long(HEAD_BYTES_MAX)), "431"),
        (format!("POST / HTTP/1.1{}", "\r\na: b".repeat(HEADERS_MAX - 2)), "200"),
        (format!("POST / HTTP/1.1{}", "\r\na: b".repeat(HEADERS_MAX - 1)), "431"),
    ] {
        let text = server.all_of(&format!("{head}{close}")).await;
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {text}");
    }
}

#[tokio::test]
async fn stop_lets_requests_finish() {
    let mut server = TestServer::patient(ENDLESS);
    let (mut idle, mut busy) = (server.connect().await, server.connect().await);
    let mut fresh = server.connect().await;
    ask(&mut idle, "/", "", "0").await;
    busy.write_all(request("/wait", "").as_bytes()).await.expect("sends");
    server.begun.recv().await.expect("begins");
    server.stop.cancel();
    assert_eq!(rest(&mut idle).await, "");
    assert_eq!(rest(&mut fresh).await, "");
    assert!(!server.serving.is_finished());
    server.go_on.notify_waiters();
    let text = rest(&mut busy).await;
    assert!(text.contains("connection: close") && text.ends_with("waited"), "{text}");
    let address = server.address;
    server.stopped().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn stop_waits_no_longer_than_grace() {
    let mut server = TestServer::patient(Timeouts { grace: SHORT, ..ENDLESS });
    let mut busy = server.connect().await;
    busy.write_all(request("/wait", "").as_bytes()).await.expect("sends");
    server.begun.recv().await.expect("begins");
    server.stopped().await;
    assert_eq!(rest(&mut busy).await, "");
}
