use http::StatusCode;

use crate::support::{Host, manifest, send, soon, tally, whole};

#[tokio::test]
async fn an_instance_accepts_128_requests_in_all() {
    let host = Host::start(&manifest("", ""));
    let mut answered = Vec::new();
    for _ in 0..300 {
        answered.push(host.get("/guest/instance").await.1);
    }
    let most = tally(answered).into_values().max();
    assert_eq!(most, Some(128));
}

#[tokio::test]
async fn an_instance_holds_many_open_streams() {
    let host = Host::start(&manifest("", ""));
    let mut streams = Vec::new();
    for _ in 0..40 {
        let mut stream = host.open("/guest/ticks").await;
        let instance = stream.instance().await;
        streams.push((instance, stream));
    }
    assert_eq!(host.counters().await["open_requests"], 40);
    let most = tally(streams.iter().map(|(instance, _)| instance.clone())).into_values().max();
    assert!(
        most > Some(16),
        "open streams do not count as outstanding, yet no instance has more than {most:?}"
    );
}

#[tokio::test]
async fn at_most_16_requests_of_an_instance_wait_for_their_head() {
    let mut host = Host::start(&manifest("", ""));
    let later = host.get("/guest/clock").await.1.parse::<u64>().expect("a number") + 3_600_000;
    let mut waiting = Vec::new();
    for _ in 0..40 {
        let path = format!("/guest/wait?{later}");
        let address = host.address;
        waiting.push(tokio::spawn(async move {
            whole(send(address, http::Method::GET, &path, "").await).await
        }));
        assert_eq!(soon(host.stdout.recv()).await.as_deref(), Some("[guest] waiting"));
    }
    host.disturb("/clock?shift_ms=7200000").await;
    let mut answered = Vec::new();
    for request in waiting {
        let (status, instance) = request.await.expect("an answer");
        assert_eq!(status, StatusCode::OK);
        answered.push(instance);
    }
    assert_eq!(tally(answered).into_values().max(), Some(16));
}

#[tokio::test]
async fn an_idle_instance_is_dropped() {
    let host = Host::start(&manifest("", ""));
    let first = host.get("/guest/instance").await.1;
    assert_eq!(host.counters().await["instances_started"], 1);
    host.until(|counters| counters["instances_active"] == 0).await;
    assert_ne!(host.get("/guest/instance").await.1, first);
    assert_eq!(host.counters().await["traps"], 0);
}

#[tokio::test]
async fn a_stream_outlives_the_idle_timeout() {
    let host = Host::start(&manifest("", ""));
    let mut stream = host.open("/guest/ticks").await;
    let instance = stream.instance().await;
    // Each takes 20 ms, so all take longer than the second after which an idle instance ends.
    for _ in 0..100 {
        assert_eq!(stream.instance().await, instance);
    }
}

#[tokio::test]
async fn a_trap_ends_the_streams_of_its_instance_and_no_others() {
    let host = Host::start(&manifest("", ""));
    let mut elder = host.open("/guest/ticks").await;
    let elders = elder.instance().await;
    host.disturb("/recycle").await;
    let mut younger = host.open("/guest/ticks").await;
    assert_ne!(younger.instance().await, elders);

    assert_eq!(host.get("/guest/panic").await, (StatusCode::INTERNAL_SERVER_ERROR, String::new()));
    younger.ended().await;
    assert_eq!(elder.instance().await, elders);
    host.until(|counters| counters["traps"] == 1 && counters["instances_active"] == 1).await;
}

#[tokio::test]
async fn a_task_that_only_another_task_could_wake_traps() {
    let host = Host::start(&manifest("", ""));
    assert_eq!(host.get("/guest/park").await.0, StatusCode::INTERNAL_SERVER_ERROR);
    host.until(|counters| counters["traps"] == 1).await;
}

#[tokio::test]
async fn busy_guests_leave_time_for_everybody_else() {
    let mut host = Host::start(&manifest("", ""));
    let later = host.get("/guest/clock").await.1.parse::<u64>().expect("a number") + 3_600_000;
    let threads = std::thread::available_parallelism().expect("a number").get();
    let mut spinning = Vec::new();
    for _ in 0..=threads {
        let (address, path) = (host.address, format!("/guest/spin?{later}"));
        spinning.push(tokio::spawn(async move {
            whole(send(address, http::Method::GET, &path, "").await).await
        }));
        assert_eq!(soon(host.stdout.recv()).await.as_deref(), Some("[guest] spinning"));
    }
    assert_eq!(host.get("/guest/echo").await.0, StatusCode::OK);
    host.disturb("/clock?shift_ms=7200000").await;
    let mut instances = Vec::new();
    for request in spinning {
        instances.push(request.await.expect("an answer").1);
    }
    assert_eq!(tally(instances).into_values().max(), Some(1));
}
