//! An upload: its body is counted as it arrives, and the count is published to the channel.
//!
//! The upload creates its channel and finishes it, so that each channel has one upload, and one
//! end.

use tidewire_core::{
    Append, Call, Change, ContentType, Create, Error, ErrorKind, LocalFuture, Reply, Result, json,
};

use crate::message::{JobState, Kind};
use crate::{INTERVAL_MS, MAX_TEXT_CHARS, sink};

/// How often the last event is sent before the upload gives up. No other code publishes the end.
const TRIES: usize = 3;

/// An object in a bucket that is written in pieces.
pub trait Object {
    fn write<'a>(&'a mut self, chunk: &'a [u8]) -> LocalFuture<'a, Result<()>>;
    /// The object is complete: keep it.
    fn finish(&mut self) -> LocalFuture<'_, Result<()>>;
    /// The upload failed: leave nothing behind.
    fn abort(&mut self) -> LocalFuture<'_, ()>;
}

/// The body of an upload, counted.
pub struct Body {
    call: Call,
    state: JobState,
}

/// Carries out an upload and answers with its last event; `object` is the destination in a bucket,
/// where there is one.
///
/// # Errors
///
/// The error whose code the last event has as its reason. If the channel existed before or another
/// client finished it, there is no such event.
pub async fn upload(mut call: Call, mut object: Option<Box<dyn Object>>) -> Result<Reply> {
    let label = call.routed.parameter("name").unwrap_or_else(|| call.routed.channel.to_string());
    let state = JobState {
        r#type: Kind::Progress,
        label: label.chars().take(MAX_TEXT_CHARS).collect(),
        value: 0,
        max: call.routed.length,
        unit: "bytes".into(),
        at: call.now_ms(),
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
    let max_bytes = call.settings.upload_max_bytes;
    if call.routed.length.is_some_and(|length| length > max_bytes) {
        // The last event reports the error as well: a client that is still writing may see only a
        // broken connection.
        let error = Error::body_too_large(max_bytes);
        call.send(create(true), event(&state.failed(&error))).await;
        return Err(error);
    }
    let made = call.send(create(false), event(&state)).await;
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
    let mut body = Body { call, state };
    let outcome = sink(&mut body, object.as_mut()).await;
    if let (Err(_), Some(object)) = (&outcome, &mut object) {
        object.abort().await;
    }
    body.finish(outcome).await
}

impl Body {
    /// The next chunk, after it is counted and, if it is time, the count is published; `None` at
    /// the end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let chunk = self.call.chunk(self.call.settings.upload_max_bytes).await;
        self.state.value = self.call.received();
        let Some(chunk) = chunk? else { return Ok(None) };
        let now_ms = self.call.now_ms();
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
        self.state.at = self.call.now_ms();
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

    async fn append(&mut self, closed: bool) -> Reply {
        let append =
            Append { content_type: Some(ContentType::json()), closed, ..Append::default() };
        self.call.send(Change::Append(append), event(&self.state)).await
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

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    use futures_util::FutureExt;
    use tidewire_core::{Grant, Platform, RequestHead, Routed, Settings, Target, problem, route};

    use super::*;
    use crate::Progress;

    #[derive(Default)]
    struct Kept {
        bytes: Vec<u8>,
        is_finished: bool,
        is_aborted: bool,
    }

    impl Object for Rc<RefCell<Kept>> {
        fn write<'a>(&'a mut self, chunk: &'a [u8]) -> LocalFuture<'a, Result<()>> {
            self.borrow_mut().bytes.extend_from_slice(chunk);
            Box::pin(async { Ok(()) })
        }

        fn finish(&mut self) -> LocalFuture<'_, Result<()>> {
            self.borrow_mut().is_finished = true;
            Box::pin(async { Ok(()) })
        }

        fn abort(&mut self) -> LocalFuture<'_, ()> {
            self.borrow_mut().is_aborted = true;
            Box::pin(async {})
        }
    }

    type Sent = Rc<RefCell<Vec<(bool, JobState)>>>;

    /// Each chunk takes 100 ms. The channel answers with these statuses, then with 204.
    struct Scripted {
        chunks: std::vec::IntoIter<Result<Vec<u8>>>,
        statuses: Vec<u16>,
        sent: Sent,
        now_ms: Cell<u64>,
    }

    impl Platform for Scripted {
        fn chunk(&mut self) -> LocalFuture<'_, Result<Option<Vec<u8>>>> {
            let chunk = self.chunks.next();
            if chunk.is_some() {
                self.now_ms.set(self.now_ms.get() + 100);
            }
            Box::pin(async { chunk.transpose() })
        }

        fn send(&self, change: Change, _: Grant, body: Vec<u8>) -> LocalFuture<'_, Result<Reply>> {
            let is_last = matches!(
                change,
                Change::Append(Append { closed: true, .. })
                    | Change::Create(Create { closed: true, .. })
            );
            let mut sent = self.sent.borrow_mut();
            let mut reply = Reply::default();
            *reply.status_mut() =
                self.statuses.get(sent.len()).copied().unwrap_or(204).try_into().unwrap();
            crate::check(&body).unwrap();
            sent.push((is_last, serde_json::from_slice(&body).unwrap()));
            Box::pin(async { Ok(reply) })
        }

        fn now_ms(&self) -> u64 {
            self.now_ms.get()
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

    /// Uploads; the channel answers with these statuses, then with 204. Returns the outcome, what
    /// the channel was sent, and what the bucket has.
    fn uploaded(
        chunks: Vec<Result<Vec<u8>>>,
        length: Option<&str>,
        statuses: &[u16],
    ) -> (Result<Reply>, Vec<(bool, JobState)>, Kept) {
        let (sent, kept) = (Sent::default(), Rc::<RefCell<Kept>>::default());
        let platform = Scripted {
            chunks: chunks.into_iter(),
            statuses: statuses.into(),
            sent: Rc::clone(&sent),
            now_ms: Cell::default(),
        };
        let settings = Settings { upload_max_bytes: 100, ..Settings::default() };
        let call = Call::new(routed(length), settings.into(), platform);
        let outcome = upload(call, Some(Box::new(Rc::clone(&kept)))).now_or_never().unwrap();
        (outcome, sent.take(), kept.take())
    }

    #[test]
    fn tells_at_most_every_250_ms_and_how_it_ended() {
        let (outcome, sent, kept) =
            uploaded((0..10).map(|_| Ok(vec![7; 10])).collect(), Some("100"), &[201]);
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
            let (outcome, sent, kept) = uploaded(chunks, length, &[201]);
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
        let (outcome, sent, _) = uploaded(vec![Ok(vec![7])], None, &[201, 500, 500, 204]);
        assert_eq!((outcome.unwrap().status().as_u16(), sent.len()), (200, 4));
        let (outcome, ..) = uploaded(vec![Ok(vec![7])], None, &[201, 500, 409]);
        assert_eq!(outcome.unwrap().status().as_u16(), 200);
        let (outcome, ..) = uploaded(vec![Ok(vec![7])], None, &[201, 500, 500, 500]);
        assert_eq!(outcome.unwrap().status().as_u16(), 500);
    }

    #[test]
    fn a_channel_that_is_there_or_refuses_is_left_alone() {
        for (status, outcome) in [(200, 409), (409, 409), (503, 503)] {
            let (refused, sent, kept) = uploaded(vec![Ok(vec![7])], None, &[status]);
            assert_eq!(refused.unwrap_or_else(|error| problem(&error)).status().as_u16(), outcome);
            assert!(sent.len() == 1 && kept.bytes.is_empty());
        }
    }

    #[test]
    fn what_is_too_large_by_its_own_word_is_told_in_the_channel_at_once() {
        let (refused, sent, _) = uploaded(vec![], Some("101"), &[201]);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::BodyTooLarge);
        let [(true, state)] = sent.as_slice() else { panic!("{sent:?}") };
        assert_eq!((state.r#type, state.reason.as_deref()), (Kind::Failed, Some("body-too-large")));
    }

    #[test]
    fn whoever_finishes_the_channel_ends_the_upload_and_a_lost_state_does_not() {
        let chunks = || (0..9).map(|_| Ok(vec![7])).collect();
        let (outcome, sent, _) = uploaded(chunks(), None, &[201, 500, 429, 204, 204]);
        assert!(outcome.is_ok() && sent.len() == 5);
        let (outcome, sent, kept) = uploaded(chunks(), None, &[201, 204, 409]);
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ChannelClosed);
        assert!(sent.len() == 3 && kept.is_aborted);
    }
}
