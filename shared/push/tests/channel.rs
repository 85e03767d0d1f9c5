//! The subscriptions of a channel and their deliveries, on a store in memory and a push service that
//! answers what a test says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

use serde_json::{Value, json};
use tidewire_core::{
    ErrorKind, Grant, LocalFuture, Offset, Push, PushAnswer, PushAt, PushEvent, PushOperation,
    PushPage, PushPost, PushRow, PushSettings, PushStore, Result, Secret,
};
use tidewire_push::{Meaning, Notice, Urgency, WebPush};

const KEY: &str =
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
const VAPID: &str = "k1:yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
const NOW_MS: u64 = 1_800_000_000_000;
const EPOCH: u64 = 7;

static PUSH: WebPush = WebPush::new(|event| {
    let event: Value = serde_json::from_slice(event).unwrap();
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    match &event["seen"] {
        Value::Number(seq) => {
            Meaning::ReadUpTo(Offset { epoch: EPOCH, seq: seq.as_u64().unwrap() })
        }
        _ => Meaning::Notice(Notice {
            id: text("id"),
            title: text("id"),
            body: "a text".into(),
            url: None,
            at_ms: event["at"].as_u64().unwrap_or(1),
            urgency: Urgency::Normal,
        }),
    }
});

/// A status, headers, and a body.
type Said = (u16, &'static [(&'static str, &'static str)], &'static str);
const CREATED: Said = (201, &[], "");

/// One channel.
struct Fake {
    settings: PushSettings,
    now_ms: Cell<u64>,
    rows: RefCell<BTreeMap<String, PushRow>>,
    events: RefCell<Vec<PushEvent>>,
    /// What the service says next; after the last it takes everything. `None`: nothing.
    says: RefCell<Vec<Option<Said>>>,
    /// The endpoints that were sent to, and the lengths of the bodies.
    sent: RefCell<Vec<(String, usize)>>,
    log: RefCell<Vec<String>>,
    counted: RefCell<BTreeMap<&'static str, u64>>,
}

impl PushStore for Fake {
    fn rows(&self) -> LocalFuture<'_, Result<Vec<PushRow>>> {
        Box::pin(async { Ok(self.rows.borrow().values().cloned().collect()) })
    }

    fn due(&self) -> LocalFuture<'_, Result<Vec<PushRow>>> {
        let is_due = |row: &&PushRow| row.due_ms.is_some_and(|due_ms| due_ms <= self.now_ms.get());
        Box::pin(async move { Ok(self.rows.borrow().values().filter(is_due).cloned().collect()) })
    }

    fn put(&self, row: PushRow) -> LocalFuture<'_, Result<()>> {
        self.rows.borrow_mut().insert(row.id.clone(), row);
        Box::pin(async { Ok(()) })
    }

    fn save(&self, row: PushRow) -> LocalFuture<'_, Result<()>> {
        self.put(row)
    }

    fn settle(&self, row: PushRow, pushed: u64) -> LocalFuture<'_, Result<()>> {
        let is_behind = pushed < self.tail();
        assert!(row.due_ms.is_some() || !is_behind, "nothing comes between here");
        self.put(row)
    }

    fn remove(&self, id: String) -> LocalFuture<'_, Result<()>> {
        self.rows.borrow_mut().remove(&id);
        Box::pin(async { Ok(()) })
    }

    fn events(&self, after: u64) -> LocalFuture<'_, Result<PushPage>> {
        let events = self.events.borrow();
        let events = events.iter().filter(|event| event.seq > after).cloned().collect();
        let page = PushPage { epoch: EPOCH, tail: self.tail(), events };
        Box::pin(async { Ok(page) })
    }

    fn post(&self, post: PushPost) -> LocalFuture<'_, Option<PushAnswer>> {
        self.sent.borrow_mut().push((post.url, post.body.len()));
        let mut says = self.says.borrow_mut();
        let said = if says.is_empty() { Some(CREATED) } else { says.remove(0) };
        let answer = said.map(|(status, headers, body)| PushAnswer {
            status,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            body: body.into(),
        });
        Box::pin(async { answer })
    }

    fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    fn random(&self) -> [u8; 48] {
        [7; 48]
    }

    fn log(&self, line: String) {
        self.log.borrow_mut().push(line);
    }

    fn count(&self, result: &'static str) {
        *self.counted.borrow_mut().entry(result).or_default() += 1;
    }
}

fn now<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

impl Fake {
    fn new() -> Fake {
        let settings = PushSettings {
            vapid_keys: Secret::new(VAPID),
            vapid_subject: "mailto:admin@example.com".into(),
            services: String::new(),
            delay_ms: 5_000,
            max_subscriptions: 3,
            life_ms: None,
        };
        Fake {
            settings,
            now_ms: Cell::new(NOW_MS),
            rows: RefCell::default(),
            events: RefCell::default(),
            says: RefCell::default(),
            sent: RefCell::default(),
            log: RefCell::default(),
            counted: RefCell::default(),
        }
    }

    fn tail(&self) -> u64 {
        self.events.borrow().last().map_or(0, |event| event.seq)
    }

    fn at(&self) -> PushAt<'_> {
        PushAt { channel: "user-7", hash: "00", settings: &self.settings, store: self }
    }

    fn answer(&self, asked: &PushOperation, body: &str) -> Result<Value, ErrorKind> {
        let grant = Grant { subject: Some("7".into()), ..Grant::default() };
        let reply = now(PUSH.answer(asked, body.as_bytes(), &grant, self.at()));
        reply
            .map(|reply| serde_json::from_slice(reply.body()).unwrap())
            .map_err(|error| error.kind())
    }

    fn subscribe(&self, endpoint: &str) -> Result<String, ErrorKind> {
        let body = json!({
            "endpoint": endpoint, "keys": {"p256dh": KEY, "auth": "BTBZMqHH6r4Tts7J_aSIgg"}, "name": "Phone",
        });
        let answer = self.answer(&PushOperation::Subscribe, &body.to_string())?;
        Ok(answer["id"].as_str().unwrap().into())
    }

    fn list(&self) -> Vec<Value> {
        let answer = self.answer(&PushOperation::List, "").unwrap();
        answer["subscriptions"].as_array().unwrap().clone()
    }

    /// Stores an event, and does what an adapter does with it.
    fn publish(&self, event: Value) {
        let data = event.to_string().into_bytes();
        if PUSH.is_owed(&data) {
            for row in self.rows.borrow_mut().values_mut() {
                row.due_ms = row.due_ms.or(Some(self.now_ms.get() + self.settings.delay_ms));
            }
        }
        let seq = self.tail() + 1;
        self.events.borrow_mut().push(PushEvent { seq, at_ms: self.now_ms.get(), data });
    }

    /// Lets time pass and delivers; returns to whom was sent.
    fn after(&self, ms: u64) -> Vec<String> {
        self.now_ms.set(self.now_ms.get() + ms);
        self.sent.borrow_mut().clear();
        now(PUSH.deliver(self.at())).unwrap();
        self.sent.borrow().iter().map(|(url, _)| url.rsplit('/').next().unwrap().into()).collect()
    }

    fn says(&self, said: &[Option<Said>]) {
        *self.says.borrow_mut() = said.to_vec();
    }
}

const A: &str = "https://fcm.googleapis.com/fcm/send/a";
const B: &str = "https://fcm.googleapis.com/fcm/send/b";
const C: &str = "https://web.push.apple.com/c";

#[test]
fn a_subscription_is_listed_without_its_endpoint_and_kept_once() {
    let fake = Fake::new();
    let id = fake.subscribe(A).unwrap();
    assert_eq!(fake.subscribe(A).unwrap(), id);
    assert_eq!(
        fake.list(),
        [json!({
            "id": id, "name": "Phone", "service": "fcm.googleapis.com", "createdAt": NOW_MS,
            "lastSuccess": null, "lastFailure": null, "failure": null,
        })]
    );
    fake.answer(&PushOperation::Remove { id }, "").unwrap();
    assert_eq!(fake.list(), [Value::Null; 0]);
}

#[test]
fn a_channel_has_so_many_and_one_that_fails_gives_way() {
    let fake = Fake::new();
    for endpoint in [A, B, C] {
        fake.subscribe(endpoint).unwrap();
    }
    let fourth = "https://web.push.apple.com/d";
    assert_eq!(fake.subscribe(fourth), Err(ErrorKind::SubscriptionsFull));
    assert!(fake.subscribe(B).is_ok());
    fake.publish(json!({"id": "n"}));
    fake.says(&[Some(CREATED), Some((500, &[], ""))]);
    assert_eq!(fake.after(5_000), ["a", "b", "c"]);
    fake.subscribe(fourth).unwrap();
    let rows = fake.rows.borrow();
    let left = rows.values().filter(|row| row.data.contains("/send/b")).count();
    assert_eq!((rows.len(), left), (3, 0));
}

#[test]
fn what_a_subscription_must_not_be_is_refused() {
    let fake = Fake::new();
    for endpoint in [
        "https://127.0.0.1/a",
        "http://fcm.googleapis.com/a",
        "https://fcm.googleapis.com:8443/a",
        "https://user@fcm.googleapis.com/a",
    ] {
        assert_eq!(fake.subscribe(endpoint), Err(ErrorKind::SubscriptionInvalid), "{endpoint}");
    }
    let keys = json!({"p256dh": KEY, "auth": "BTBZMqHH6r4Tts7J_aSIgg"});
    for body in [
        json!({"endpoint": A, "keys": {"p256dh": "AA", "auth": "AA"}}),
        json!({"endpoint": A, "keys": keys, "name": 7}),
        json!({"endpoint": A, "keys": keys, "page": "javascript:alert(1)"}),
        json!([]),
    ] {
        let refused = fake.answer(&PushOperation::Subscribe, &body.to_string());
        assert_eq!(refused, Err(ErrorKind::SubscriptionInvalid), "{body}");
    }
    let long = "x".repeat(100 * 1024);
    assert_eq!(
        fake.answer(&PushOperation::Subscribe, &long),
        Err(ErrorKind::BodyTooLarge),
        "it is not parsed"
    );
    assert!(fake.rows.borrow().is_empty());
}

#[test]
fn a_notification_that_nobody_has_seen_is_sent_once() {
    let fake = Fake::new();
    fake.publish(json!({"id": "earlier"}));
    fake.subscribe(A).unwrap();
    fake.publish(json!({"id": "n1"}));
    assert_eq!(fake.after(4_999), [""; 0]);
    assert_eq!(fake.after(1), ["a"]);
    assert_eq!(fake.after(60_000), [""; 0]);
    fake.publish(json!({"id": "n2"}));
    fake.publish(json!({"seen": 3}));
    assert_eq!(fake.after(5_000), [""; 0]);
    assert_eq!(fake.rows.borrow().values().next().unwrap().due_ms, None);
    assert!(fake.list()[0]["lastSuccess"].is_number());
}

#[test]
fn a_subscription_that_has_ended_is_removed_and_the_others_are_served() {
    for status in [404, 410, 301] {
        let fake = Fake::new();
        for endpoint in [A, B, C] {
            fake.subscribe(endpoint).unwrap();
        }
        fake.publish(json!({"id": "n"}));
        let said: Said = (status, &[("location", "https://127.0.0.1/")], "");
        fake.says(&[Some(said)]);
        assert_eq!(fake.after(5_000), ["a", "b", "c"]);
        assert_eq!(fake.list().len(), 2, "{status}");
        let log = fake.log.borrow().join("\n");
        assert!(log.contains(r#""why":"gone""#) && !log.contains("/send/a"), "{log}");
    }
}

#[test]
fn a_service_that_asks_for_time_gets_it_and_delays_no_other() {
    let fake = Fake::new();
    for endpoint in [A, B, C] {
        fake.subscribe(endpoint).unwrap();
    }
    fake.publish(json!({"id": "n"}));
    fake.says(&[Some((429, &[("retry-after", "300")], ""))]);
    // The second of the same service is not tried.
    assert_eq!(fake.after(5_000), ["a", "c"]);
    assert_eq!(fake.after(299_999), [""; 0]);
    assert_eq!(fake.after(1), ["a", "b"]);
}

#[test]
fn a_service_that_does_not_answer_is_tried_again_until_a_message_is_given_up() {
    let fake = Fake::new();
    fake.subscribe(A).unwrap();
    fake.publish(json!({"id": "n"}));
    fake.says(&[None; 8]);
    assert_eq!(fake.after(5_000), ["a"]);
    let mut tries = 1;
    for _ in 0..120 {
        tries += fake.after(60_000).len();
    }
    assert_eq!(tries, 8);
    assert_eq!(fake.list()[0]["failure"], "attempts");
    assert_eq!(*fake.counted.borrow(), [("dropped-attempts", 1), ("later", 7)].into());
    // The next one is sent.
    fake.publish(json!({"id": "n2"}));
    assert_eq!(fake.after(5_000), ["a"]);
    assert_eq!(fake.list()[0]["failure"], Value::Null);
}

#[test]
fn a_message_that_is_too_large_is_sent_shorter() {
    let fake = Fake::new();
    fake.subscribe(A).unwrap();
    fake.publish(json!({"id": "n"}));
    fake.says(&[Some((413, &[], ""))]);
    assert_eq!(fake.after(5_000), ["a", "a"]);
    let sent = fake.sent.borrow();
    assert!(sent[1].1 < sent[0].1, "{sent:?}");
    fake.publish(json!({"id": "n2"}));
    fake.says(&[Some((413, &[], "")), Some((413, &[], ""))]);
    drop(sent);
    assert_eq!(fake.after(5_000), ["a", "a"]);
    assert_eq!(fake.list()[0]["failure"], "too-large");
}

#[test]
fn a_refused_key_is_told_to_the_operator_and_ends_no_subscription() {
    let fake = Fake::new();
    fake.subscribe(C).unwrap();
    fake.publish(json!({"id": "n"}));
    let said: Said = (403, &[], r#"{"reason":"BadJwtToken"}"#);
    fake.says(&[Some(said); 2]);
    assert_eq!(fake.after(5_000), ["c", "c"]);
    let log = fake.log.borrow().join("\n");
    assert!(log.contains("VAPID_SUBJECT") && log.contains("BadJwtToken"), "{log}");
    assert_eq!(fake.list()[0]["failure"], "refused");
}

#[test]
fn what_is_older_than_a_day_is_dropped() {
    let fake = Fake::new();
    fake.subscribe(A).unwrap();
    fake.publish(json!({"id": "n"}));
    assert_eq!(fake.after(86_400_000), [""; 0]);
    assert_eq!(fake.list()[0]["failure"], "expired");
}

#[test]
fn many_are_one_message_and_few_are_sent_in_order() {
    let fake = Fake::new();
    fake.subscribe(A).unwrap();
    (0..10).for_each(|n| fake.publish(json!({"id": format!("n{n}")})));
    assert_eq!(fake.after(5_000), ["a"]);
    (0..2).for_each(|n| fake.publish(json!({"id": format!("m{n}")})));
    assert_eq!(fake.after(5_000), ["a", "a"]);
}

#[test]
fn a_key_or_a_service_that_the_operator_took_away_ends_its_subscriptions() {
    for change in [
        (|settings: &mut PushSettings| {
            settings.vapid_keys = Secret::new("k2:yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw");
        }) as fn(&mut PushSettings),
        |settings| settings.services = "push.example.com".into(),
    ] {
        let mut fake = Fake::new();
        fake.subscribe(A).unwrap();
        change(&mut fake.settings);
        fake.publish(json!({"id": "n"}));
        assert_eq!(fake.after(5_000), [""; 0]);
        assert!(fake.rows.borrow().is_empty());
    }
}

#[test]
fn without_keys_a_page_finds_none_and_cannot_subscribe() {
    let mut fake = Fake::new();
    fake.settings.vapid_keys = Secret::new("");
    let answer = fake.answer(&PushOperation::List, "").unwrap();
    assert_eq!(answer, json!({"key": null, "subscriptions": []}));
    assert_eq!(fake.subscribe(A), Err(ErrorKind::NotSupported));
}

#[test]
fn a_subscription_keeps_the_key_that_it_was_made_with() {
    let mut fake = Fake::new();
    fake.subscribe(A).unwrap();
    let other = "k2:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    fake.settings.vapid_keys = Secret::new(format!("{other},{VAPID}"));
    fake.subscribe(A).unwrap();
    fake.subscribe(B).unwrap();
    let rows = fake.rows.borrow();
    let key = |end: &str| {
        let row = rows.values().find(|row| row.data.contains(end)).unwrap();
        serde_json::from_str::<Value>(&row.data).unwrap()["key"].clone()
    };
    assert_eq!((key("/send/a"), key("/send/b")), ("k1".into(), "k2".into()));
}
