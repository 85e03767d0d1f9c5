//! An upload: its body is counted as it arrives, and the count is published to the channel.
//!
//! The upload creates its channel and finishes it, so that each channel has one upload, and one
//! end.

use std::pin::Pin;

use futures_util::future::LocalBoxFuture;
use futures_util::{Stream, StreamExt};
use tidewire_core::{
    Append, Change, ContentType, Create, Error, ErrorKind, Reply, Result, Routed, json,
};

use crate::message::{JobState, Kind};
use crate::{INTERVAL_MS, MAX_TEXT_CHARS, sink};

/// How often the last event is sent before the upload gives up. No other code publishes the end.
const TRIES: usize = 3;

/// An object in a bucket that is written in pieces.
// Nothing here is sent to another thread.
#[allow(async_fn_in_trait)]
pub trait Object {
    async fn write(&mut self, chunk: &[u8]) -> Result<()>;
    /// The object is complete: keep it.
    async fn finish(&mut self) -> Result<()>;
    /// The upload failed: leave nothing behind.
    async fn abort(&mut self);
}

/// Carries operations to the channel and returns the answers.
pub type Channel<'a> = &'a dyn Fn(Change, Vec<u8>) -> LocalBoxFuture<'a, Reply>;

/// A body as it arrives.
type Chunks = Pin<Box<dyn Stream<Item = Result<Vec<u8>>>>>;

/// The body of an upload, counted.
pub struct Body<'a> {
    chunks: Chunks,
    channel: Channel<'a>,
    now_ms: fn() -> u64,
    max_bytes: u64,
    state: JobState,
}

/// Carries out an upload and answers with its last event.
///
/// # Errors
///
/// The error whose code the last event has as its reason. If the channel existed before or another
/// client finished it, there is no such event.
pub async fn upload(
    routed: &Routed,
    chunks: Chunks,
    channel: Channel<'_>,
    now_ms: fn() -> u64,
    max_bytes: u64,
    mut object: Option<impl Object>,
) -> Result<Reply> {
    let label = routed.parameter("name").unwrap_or_else(|| routed.channel.to_string());
    let label = label.chars().take(MAX_TEXT_CHARS).collect();
    let at = now_ms();
    let state = JobState {
        r#type: Kind::Progress,
        label,
        value: 0,
        max: routed.length,
        unit: "bytes".into(),
        at,
        reason: None,
        detail: None,
        sha256: None,
    };
    let create = |closed| {
        Change::Create(Create {
            content_type: Some(ContentType::json()),
            closed,
            ..Create::default()
        })
    };
    if routed.length.is_some_and(|length| length > max_bytes) {
        // The last event reports the error as well: a client that is still writing may see only a
        // broken connection.
        let error = too_large(max_bytes);
        channel(create(true), event(&state.failed(&error))).await;
        return Err(error);
    }
    let made = channel(create(false), event(&state)).await;
    match made.status().as_u16() {
        201 => {}
        200 | 409 => {
            return Err(Error::new(
                ErrorKind::ConfigurationMismatch,
                "the channel exists: send the upload to a new channel",
            ));
        }
        _ => return Ok(made),
    }
    let mut body = Body { chunks, channel, now_ms, max_bytes, state };
    let outcome = sink(&mut body, object.as_mut()).await;
    if let (Err(_), Some(object)) = (&outcome, &mut object) {
        object.abort().await;
    }
    body.finish(outcome).await
}

impl Body<'_> {
    /// The next chunk, after it is counted and, if it is time, the count is published; `None` at
    /// the end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(chunk) = self.chunks.next().await.transpose()? else {
            // Not every server in front distinguishes a client that left from one that is done.
            return match self.state.max {
                Some(max) if self.state.value < max => Err(Error::new(
                    ErrorKind::BodyIncomplete,
                    "the body is shorter than its Content-Length",
                )),
                _ => Ok(None),
            };
        };
        self.state.value += chunk.len() as u64;
        if self.state.value > self.max_bytes {
            return Err(too_large(self.max_bytes));
        }
        let now_ms = (self.now_ms)();
        if now_ms >= self.state.at + INTERVAL_MS {
            self.state.at = now_ms;
            // If one state does not arrive, the next makes up for it.
            if self.append(false).await.status().as_u16() == 409 {
                return Err(Error::new(
                    ErrorKind::ChannelClosed,
                    "another client closed the channel, which ends the upload",
                ));
            }
        }
        Ok(Some(chunk))
    }

    async fn finish(mut self, outcome: Result<String>) -> Result<Reply> {
        self.state.at = (self.now_ms)();
        match &outcome {
            Ok(sha256) => {
                self.state.r#type = Kind::Done;
                self.state.max = Some(self.state.value);
                self.state.sha256 = Some(sha256.clone());
            }
            Err(error) if error.kind() == ErrorKind::ChannelClosed => return Err(error.clone()),
            Err(error) => self.state = self.state.failed(error),
        }
        let mut reply = self.append(true).await;
        for _ in 1..TRIES {
            if !reply.status().is_server_error() {
                break;
            }
            reply = self.append(true).await;
        }
        outcome?;
        // 409: an earlier attempt, whose answer was lost, has finished the channel.
        if reply.status().is_success() || reply.status().as_u16() == 409 {
            Ok(json(event(&self.state)))
        } else {
            Ok(reply)
        }
    }

    async fn append(&self, closed: bool) -> Reply {
        let append =
            Append { content_type: Some(ContentType::json()), closed, ..Append::default() };
        (self.channel)(Change::Append(append), event(&self.state)).await
    }
}

impl JobState {
    fn failed(&self, error: &Error) -> JobState {
        let detail = error.detail().chars().take(MAX_TEXT_CHARS).collect();
        JobState {
            r#type: Kind::Failed,
            reason: Some(error.kind().code().into()),
            detail: Some(detail),
            ..self.clone()
        }
    }
}

fn event(state: &JobState) -> Vec<u8> {
    // Texts and numbers: serializing them cannot fail.
    serde_json::to_vec(state).unwrap_or_default()
}

fn too_large(max_bytes: u64) -> Error {
    Error::new(ErrorKind::BodyTooLarge, format!("an upload must have at most {max_bytes} bytes"))
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use futures_util::{FutureExt, stream};
    use tidewire_core::{RequestHead, Settings, Target, problem, route};

    use super::*;
    use crate::Progress;

    thread_local! {
        /// Each chunk takes 100 ms.
        static NOW_MS: Cell<u64> = const { Cell::new(0) };
    }

    #[derive(Default)]
    struct Kept {
        bytes: Vec<u8>,
        is_finished: bool,
        is_aborted: bool,
    }

    impl Object for &mut Kept {
        async fn write(&mut self, chunk: &[u8]) -> Result<()> {
            self.bytes.extend_from_slice(chunk);
            Ok(())
        }

        async fn finish(&mut self) -> Result<()> {
            self.is_finished = true;
            Ok(())
        }

        async fn abort(&mut self) {
            self.is_aborted = true;
        }
    }

    fn routed(length: Option<&str>) -> Routed {
        let headers = |name: &str| length.filter(|_| name == "content-length").map(Into::into);
        let head = RequestHead {
            method: "PUT",
            url: "",
            path: "/-/upload/demo-a",
            query: "name=a.bin",
            headers: &headers,
        };
        match route::<Progress>(&head, &Settings::default()).unwrap() {
            Target::Route(routed) => routed,
            other => panic!("{other:?}"),
        }
    }

    /// Uploads; the channel answers with these statuses, then with 204. Returns the outcome and
    /// what the channel was sent.
    fn uploaded(
        chunks: Vec<Result<Vec<u8>>>,
        length: Option<&str>,
        statuses: &[u16],
        kept: &mut Kept,
    ) -> (Result<Reply>, Vec<(bool, JobState)>) {
        let sent = RefCell::new(Vec::new());
        let channel = |change: Change, body: Vec<u8>| {
            let is_last = matches!(
                change,
                Change::Append(Append { closed: true, .. })
                    | Change::Create(Create { closed: true, .. })
            );
            let mut reply = Reply::default();
            *reply.status_mut() =
                statuses.get(sent.borrow().len()).copied().unwrap_or(204).try_into().unwrap();
            crate::check(&body).unwrap();
            sent.borrow_mut().push((is_last, serde_json::from_slice(&body).unwrap()));
            async { reply }.boxed_local()
        };
        let chunks = Box::pin(stream::iter(chunks).inspect(|_| NOW_MS.set(NOW_MS.get() + 100)));
        let outcome = upload(&routed(length), chunks, &channel, || NOW_MS.get(), 100, Some(kept))
            .now_or_never()
            .unwrap();
        (outcome, sent.into_inner())
    }

    #[test]
    fn tells_at_most_every_250_ms_and_how_it_ended() {
        let mut kept = Kept::default();
        let (outcome, sent) =
            uploaded((0..10).map(|_| Ok(vec![7; 10])).collect(), Some("100"), &[201], &mut kept);
        let values: Vec<_> = sent.iter().map(|(is_last, state)| (*is_last, state.value)).collect();
        assert_eq!(values, [(false, 0), (false, 30), (false, 60), (false, 90), (true, 100)]);
        let last = &sent.last().unwrap().1;
        assert_eq!(outcome.unwrap().body(), &event(last));
        assert_eq!(
            (last.label.as_str(), last.max, last.sha256.as_ref().map(String::len)),
            ("a.bin", Some(100), Some(64))
        );
        assert!(kept.is_finished && !kept.is_aborted && kept.bytes == [7; 100]);
    }

    #[test]
    fn a_body_that_breaks_off_leaves_nothing_behind() {
        for (chunks, length, reason) in [
            (
                vec![Ok(vec![7; 10]), Err(Error::new(ErrorKind::BodyIncomplete, "x"))],
                Some("20"),
                "body-incomplete",
            ),
            (vec![Ok(vec![7; 10])], Some("20"), "body-incomplete"),
            (vec![Ok(vec![7; 101])], None, "body-too-large"),
        ] {
            let mut kept = Kept::default();
            let (outcome, sent) = uploaded(chunks, length, &[201], &mut kept);
            assert_eq!(outcome.unwrap_err().kind().code(), reason);
            let (is_last, state) = sent.last().unwrap();
            assert_eq!(
                (*is_last, state.r#type, state.reason.as_deref()),
                (true, Kind::Failed, Some(reason))
            );
            assert!(kept.is_aborted && !kept.is_finished);
        }
    }

    #[test]
    fn how_it_ended_is_sent_again_until_it_is_stored() {
        let (outcome, sent) =
            uploaded(vec![Ok(vec![7])], None, &[201, 500, 500, 204], &mut Kept::default());
        assert_eq!((outcome.unwrap().status().as_u16(), sent.len()), (200, 4));
        let (outcome, _) =
            uploaded(vec![Ok(vec![7])], None, &[201, 500, 409], &mut Kept::default());
        assert_eq!(outcome.unwrap().status().as_u16(), 200);
        let (outcome, _) =
            uploaded(vec![Ok(vec![7])], None, &[201, 500, 500, 500], &mut Kept::default());
        assert_eq!(outcome.unwrap().status().as_u16(), 500);
    }

    #[test]
    fn a_channel_that_is_there_or_refuses_is_left_alone() {
        for (status, outcome) in [(200, 409), (409, 409), (503, 503)] {
            let mut kept = Kept::default();
            let (refused, sent) = uploaded(vec![Ok(vec![7])], None, &[status], &mut kept);
            assert_eq!(refused.unwrap_or_else(|error| problem(&error)).status().as_u16(), outcome);
            assert!(sent.len() == 1 && kept.bytes.is_empty());
        }
    }

    #[test]
    fn what_is_too_large_by_its_own_word_is_told_in_the_channel_at_once() {
        let (refused, sent) = uploaded(vec![], Some("101"), &[201], &mut Kept::default());
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::BodyTooLarge);
        let [(true, state)] = sent.as_slice() else { panic!("{sent:?}") };
        assert_eq!((state.r#type, state.reason.as_deref()), (Kind::Failed, Some("body-too-large")));
    }

    #[test]
    fn whoever_finishes_the_channel_ends_the_upload_and_a_lost_state_does_not() {
        let chunks = || (0..9).map(|_| Ok(vec![7])).collect();
        let (outcome, sent) =
            uploaded(chunks(), None, &[201, 500, 429, 204, 204], &mut Kept::default());
        assert!(outcome.is_ok() && sent.len() == 5);
        let mut kept = Kept::default();
        let (outcome, sent) = uploaded(chunks(), None, &[201, 204, 409], &mut kept);
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ChannelClosed);
        assert!(sent.len() == 3 && kept.is_aborted);
    }
}
