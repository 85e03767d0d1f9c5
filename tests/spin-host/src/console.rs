//! What a guest prints, line by line, with its component's name in front.

use std::io::Write;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Which stream of the host the lines go to.
#[derive(Clone, Copy)]
pub enum Sink {
    Stdout,
    Stderr,
}

/// All handles that one instance has on one of its two streams.
#[derive(Clone)]
pub struct Console {
    sink: Sink,
    component: Arc<str>,
    // A guest may write a line in pieces, each through a new handle.
    line: Arc<Mutex<Vec<u8>>>,
}

impl Console {
    pub fn new(sink: Sink, component: &str) -> Self {
        Self { sink, component: component.into(), line: Arc::default() }
    }

    fn print(&self, bytes: &[u8]) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.extend_from_slice(bytes);
        let Some(end) = line.iter().rposition(|&byte| byte == b'\n') else { return };
        let mut text = Vec::new();
        for whole in line[..end].split(|&byte| byte == b'\n') {
            text.extend_from_slice(format!("[{}] ", self.component).as_bytes());
            text.extend_from_slice(whole);
            text.push(b'\n');
        }
        line.drain(..=end);
        // Nobody may be reading any more; that is no reason to end the guest.
        drop(match self.sink {
            Sink::Stdout => std::io::stdout().write_all(&text),
            Sink::Stderr => std::io::stderr().write_all(&text),
        });
    }
}

impl IsTerminal for Console {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Console {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Console {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.print(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Console {
    async fn ready(&mut self) {}
}

impl OutputStream for Console {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.print(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 * 1024)
    }
}
