//! Starts the host on free ports, sends HTTP requests to it, and ends it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

const HOST: &str = env!("CARGO_BIN_EXE_tidewire-spin-host");

/// The guest's component, built once for all tests.
fn guest() -> &'static Path {
    static GUEST: OnceLock<PathBuf> = OnceLock::new();
    GUEST.get_or_init(|| {
        let target = Path::new(HOST).ancestors().nth(2).expect("a target directory");
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest/Cargo.toml");
        let mut build = Command::new(env!("CARGO"));
        build
            .args(["build", "--quiet", "--locked", "--target", "wasm32-wasip2", "--manifest-path"])
            .arg(manifest)
            .env("CARGO_TARGET_DIR", target);
        assert!(
            build.status().expect("cargo").success(),
            "the guest does not build; is the target wasm32-wasip2 installed?"
        );
        target.join("wasm32-wasip2/debug/tidewire_spin_host_guest.wasm")
    })
}

/// A manifest with the guest as `guest` on `/guest/...`; `more` goes into its component, `rest` at
/// the end.
pub fn manifest(more: &str, rest: &str) -> String {
    format!(
        r#"
        spin_manifest_version = 2
        [application]
        name = "test"
        [[trigger.http]]
        route = "/guest/..."
        component = "guest"
        [component.guest]
        source = {:?}
        {more}
        {rest}
        "#,
        guest()
    )
}

/// A folder that its drop removes.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name =
            format!("spin-host-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn command(folder: &Folder, manifest: &str) -> Command {
    let path = folder.0.join("spin.toml");
    std::fs::write(&path, manifest).expect("a manifest");
    // More than the usual 1,024 files, for a guest that opens all its connections.
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -S -n 4096 2> /dev/null; exec \"$0\" \"$@\"", HOST]);
    command.arg("--manifest").arg(path).arg("--state").arg(folder.0.join("state"));
    command.args(["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]);
    command
}

/// Starts a host that must fail, and returns its output.
pub fn refusal(manifest: &str, arguments: &[&str]) -> Output {
    let folder = Folder::new();
    command(&folder, manifest).args(arguments).output().expect("the host runs")
}

pub struct Host {
    child: Child,
    pub address: SocketAddr,
    pub control: SocketAddr,
    /// The lines that guests print, without the lines with addresses.
    pub stdout: mpsc::UnboundedReceiver<String>,
    _folder: Option<Folder>,
}

impl Host {
    pub fn start(manifest: &str) -> Self {
        Self::start_with(manifest, &[], &[])
    }

    pub fn start_with(manifest: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        let mut host = Self::start_in(&folder, manifest, arguments, environment);
        host._folder = Some(folder);
        host
    }

    /// Starts the host in a folder that outlives it.
    pub fn start_in(
        folder: &Folder,
        manifest: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let mut child = command(folder, manifest)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the host starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut address = |word: &str| {
            let line = lines.next().expect("the host starts").expect("text");
            line.strip_prefix(word).expect(word).parse().expect("an address")
        };
        let (control, address) = (address("control http://"), address("ready http://"));
        let (sender, stdout) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, address, control, stdout, _folder: None }
    }

    pub async fn get(&self, path: &str) -> (StatusCode, String) {
        whole(send(self.address, Method::GET, path, "").await).await
    }

    pub async fn post(&self, path: &str, body: &str) -> (StatusCode, String) {
        whole(send(self.address, Method::POST, path, body).await).await
    }

    /// A response whose head has arrived.
    pub async fn open(&self, path: &str) -> Stream {
        let response = send(self.address, Method::GET, path, "").await;
        assert_eq!(response.status(), StatusCode::OK);
        Stream(response.into_body())
    }

    pub async fn counters(&self) -> Value {
        let (status, text) = whole(send(self.control, Method::GET, "/counters", "").await).await;
        assert_eq!(status, StatusCode::OK);
        serde_json::from_str(&text).expect("JSON")
    }

    pub async fn disturb(&self, path: &str) -> String {
        let (status, text) = whole(send(self.control, Method::POST, path, "").await).await;
        assert_eq!(status, StatusCode::OK);
        text
    }

    /// Ends the host by SIGTERM, as a supervisor does, and returns when the process has ended.
    pub fn terminate(&mut self) {
        let killed = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()
            .expect("kill");
        assert!(killed.success());
        self.child.wait().expect("an end");
    }

    /// Reads the counters until the condition holds.
    pub async fn until(&self, wanted: impl Fn(&Value) -> bool) {
        soon(async { while !wanted(&self.counters().await) {} }).await;
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The body of an open response.
pub struct Stream(Incoming);

impl Stream {
    /// The next piece; `None` at a clean end.
    pub async fn next(&mut self) -> Option<String> {
        let frame = soon(self.0.frame()).await?.expect("the stream ends cleanly");
        Some(String::from_utf8(frame.into_data().expect("data").to_vec()).expect("text"))
    }

    /// The first word of the next piece: the instance, in the answer of `/ticks`.
    pub async fn instance(&mut self) -> String {
        let piece = self.next().await.expect("a piece");
        piece.split(' ').next().expect("a word").to_owned()
    }

    /// Reads until an error: the connection must break before the last piece.
    pub async fn cut(&mut self) {
        while soon(self.0.frame()).await.expect("no clean end").is_ok() {}
    }

    pub async fn ended(&mut self) {
        while self.next().await.is_some() {}
    }
}

/// A time limit, so that a missing answer fails the test and does not stop it for ever.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(std::time::Duration::from_secs(60), future)
        .await
        .expect("it comes within a minute")
}

/// Sends one request on a new connection, which stays open as long as the response.
pub async fn send(
    address: SocketAddr,
    method: Method,
    path: &str,
    body: &str,
) -> Response<Incoming> {
    request(address, Request::builder().method(method).uri(path), body).await
}

pub async fn request(
    address: SocketAddr,
    request: http::request::Builder,
    body: &str,
) -> Response<Incoming> {
    let stream = TcpStream::connect(address).await.expect("a connection");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
    tokio::spawn(connection);
    let request = request
        .header("host", address.to_string())
        .body(Full::new(Bytes::from(body.to_owned())))
        .expect("a request");
    soon(sender.send_request(request)).await.expect("a response")
}

pub async fn whole(response: Response<Incoming>) -> (StatusCode, String) {
    let status = response.status();
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8(bytes.to_vec()).expect("text"))
}

/// Counts how often each text occurs.
pub fn tally(texts: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for text in texts {
        *tally.entry(text).or_default() += 1;
    }
    tally
}
