//! Which upstreams get requests.

use letterkeep_network::{Proxy, ProxyError, ProxySettings};

use crate::running::{before, start};
use crate::upstream::Upstream;

/// The last line of an answer: the name of the upstream.
fn name(answer: &str) -> &str {
    answer.rsplit("\r\n").next().unwrap_or_default()
}

#[tokio::test]
async fn requests_go_round_and_an_upstream_that_is_gone_gets_none_until_it_is_back() {
    let (a, b) = (Upstream::start("a"), Upstream::start("b"));
    let running = start(before(&[a.address, b.address])).await;
    let ask = async |count: usize| {
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(name(&running.get("/").await).to_owned());
        }
        names
    };
    assert_eq!(ask(4).await, ["a", "b", "a", "b"]);
    let address = b.stop().await;
    running.proxy.check().await;
    assert_eq!(running.proxy.well().len(), 2, "one failure is no reason");
    running.proxy.check().await;
    assert_eq!(running.proxy.well().len(), 1);
    assert_eq!(ask(3).await, ["a", "a", "a"]);
    let _b = Upstream::start_at("b", address);
    running.proxy.check().await;
    assert_eq!(running.proxy.well().len(), 1, "one success is not enough");
    running.proxy.check().await;
    let names = ask(4).await;
    assert_eq!(names.iter().filter(|name| *name == "b").count(), 2, "{names:?}");
}

#[tokio::test]
async fn a_service_that_says_it_is_ill_gets_no_requests() {
    let a = Upstream::start("a");
    let running = start(ProxySettings { health_path: "/ill".into(), ..before(&[a.address]) }).await;
    assert_eq!(name(&running.get("/").await), "a");
    running.proxy.check().await;
    running.proxy.check().await;
    let answer = running.get("/").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("\r\nretry-after: 5\r\n"), "{answer}");
    assert_eq!(a.requests().len(), 1);
}

#[tokio::test]
async fn a_request_without_a_body_is_tried_on_another_and_others_are_not() {
    let (a, gone) = (Upstream::start("a"), Upstream::start("gone"));
    let gone = gone.stop().await;
    let running = start(before(&[gone, a.address])).await;
    let post = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx";
    assert!(running.send(post).await.starts_with("HTTP/1.1 502"), "its turn is the one that is gone");
    assert!(a.requests().is_empty());
    assert_eq!(name(&running.send(post).await), "a");
    let answer = running.get("/").await;
    assert_eq!(name(&answer), "a", "tried again: {answer}");
    assert_eq!(running.proxy.well().len(), 1, "two connections that failed take it out");
    for _ in 0..3 {
        assert_eq!(name(&running.send(post).await), "a");
    }
}

#[tokio::test]
async fn when_nobody_is_there_the_answer_says_so() {
    let gone = Upstream::start("gone").stop().await;
    let running = start(before(&[gone])).await;
    let statuses = [running.get("/").await, running.get("/").await, running.get("/").await];
    let statuses = statuses.map(|answer| answer[9..12].to_owned());
    assert_eq!(statuses, ["502", "502", "503"]);
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let with = |health_path: &str| {
        let upstreams = vec!["http://127.0.0.1:1".parse().unwrap()];
        Proxy::new(ProxySettings { upstreams, health_path: health_path.to_owned(), ..ProxySettings::default() })
    };
    assert!(with("/health?deep=1").is_ok());
    for path in ["", "health", "/a b", "/a#b", "/a\r\nX: y"] {
        assert!(matches!(with(path).err(), Some(ProxyError::HealthPath(_))), "{path}");
    }
    assert!(matches!(Proxy::new(ProxySettings::default()).err(), Some(ProxyError::NoUpstream)));
}
