//! A body that arrives in chunks.

use std::fmt::Display;
use std::result;

use crate::error::{Error, Result};

/// Reads a body to its end. `next` returns the next chunk, and `None` at the end.
///
/// # Errors
///
/// [`ErrorKind::BodyIncomplete`](crate::ErrorKind::BodyIncomplete) if a chunk fails, and
/// [`ErrorKind::BodyTooLarge`](crate::ErrorKind::BodyTooLarge) beyond `max_bytes`. In both cases
/// the rest of the body is not read.
pub async fn read_body<C: AsRef<[u8]>, E: Display>(
    max_bytes: u64,
    mut next: impl AsyncFnMut() -> Option<result::Result<C, E>>,
) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = next().await {
        body.extend_from_slice(chunk.map_err(Error::body_incomplete)?.as_ref());
        if body.len() as u64 > max_bytes {
            return Err(Error::body_too_large(max_bytes));
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::error::ErrorKind;

    /// What is read of these chunks, and how many of them are left.
    fn read(
        max_bytes: u64,
        chunks: &[result::Result<&str, &str>],
    ) -> (result::Result<Vec<u8>, ErrorKind>, usize) {
        let mut rest = chunks.iter().copied();
        let body = {
            let mut reading = pin!(read_body(max_bytes, async || rest.next()));
            match reading.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(body) => body.map_err(|error| error.kind()),
                Poll::Pending => unreachable!("every chunk is ready"),
            }
        };
        (body, rest.count())
    }

    #[test]
    fn a_body_is_read_to_its_end_and_not_beyond_its_limit() {
        assert_eq!(read(4, &[Ok("ab"), Ok("cd")]), (Ok(b"abcd".to_vec()), 0));
        assert_eq!(read(3, &[Ok("ab"), Ok("cd"), Ok("e")]), (Err(ErrorKind::BodyTooLarge), 1));
        assert_eq!(read(0, &[]), (Ok(Vec::new()), 0));
    }

    #[test]
    fn a_chunk_that_fails_makes_the_body_incomplete() {
        assert_eq!(
            read(9, &[Ok("ab"), Err("reset"), Ok("c")]),
            (Err(ErrorKind::BodyIncomplete), 1)
        );
    }
}
