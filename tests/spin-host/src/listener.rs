//! Serves HTTP/1.1 and cleartext HTTP/2 on a socket.

use std::net::SocketAddr;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;
use wasmtime_wasi_http::WasiBody;

/// Answers every request by `answer`, until the process ends.
pub async fn serve<F, R>(listener: TcpListener, answer: F) -> std::io::Result<()>
where
    F: Fn(Request<Incoming>, SocketAddr) -> R + Clone + Send + 'static,
    R: Future<Output = wasmtime::Result<Response<WasiBody>>> + Send + 'static,
{
    loop {
        let (stream, client) = listener.accept().await?;
        let answer = answer.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, client));
            // A client that leaves is not an error of the host.
            drop(
                Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            );
        });
    }
}
