//! Prints the output of guests line by line, with the component's name in front.

use std::io::Write;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// The stream of the host that gets the lines.
#[derive(Clone, Copy)]
pub enum Sink {
    Stdout,
    Stderr,
}

/// One of the two output streams of an instance. All its handles share this value.
#[derive(Clone)]
pub struct Console {
    sink: Sink,
    component: Arc<str>,
    // The beginning of a line: a guest may write a line in pieces, each through a new handle.
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
        // The reader of the host's output may be gone. That must not end the guest, so ignore the
        // error.
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
