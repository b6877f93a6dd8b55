//! The SMTP client against the sink, over real sockets: replies, refusals, TLS, log-in, and servers that misbehave.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use letterkeep_delivery::relay;
use letterkeep_delivery::sink::{Behaviour, Reaction, Sink, SinkError, SinkTls, Taken};
use letterkeep_delivery::smtp::{
    Body, Connection, Credentials, Delivered, Failure, Mail, Reach, Security, Server, SmtpError, Stage, Timeouts,
    Trust, Verdict, verdict,
};
use letterkeep_model::{EmailAddress, Network};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

fn mail(to: &str) -> Mail {
    let message = format!("From: news@example.org\r\nTo: {to}\r\n\r\n.dot\r\nHello {to}\r\n");
    Mail { from: address("news@example.org"), to: address(to), body: Body::new(message.as_bytes()).unwrap() }
}

fn server(address: SocketAddr, security: Security) -> Server {
    let wait = Duration::from_secs(5);
    Server {
        host: "localhost".into(),
        port: address.port(),
        security,
        credentials: None,
        hello: "localhost".into(),
        timeouts: Timeouts { connect: wait, command: wait, message: wait },
        reach: Reach::with(&Network::LOOPBACK),
    }
}

fn certificate() -> (Arc<ServerConfig>, Trust) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    (Arc::new(config), Trust::only(made.cert.pem().as_bytes()).unwrap())
}

fn unused_trust() -> Trust {
    certificate().1
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Taken>>>);

impl Kept {
    fn behaviour(&self) -> Behaviour {
        let kept = self.0.clone();
        let mut behaviour = Behaviour::accept_all(move |taken| kept.lock().unwrap().push(taken));
        behaviour.react = Arc::new(|to| match to.split('@').next().unwrap() {
            "unknown" => Reaction::AnswerRecipient("550 5.1.1 no such user".into()),
            "later" => Reaction::AnswerRecipient("450 4.2.1 greylisted".into()),
            "policy" => Reaction::AnswerMessage("550 5.7.26 not aligned".into()),
            "bye" => Reaction::AnswerRecipient("421 4.3.2 closing".into()),
            "rcptcut" => Reaction::CloseAtRecipient,
            "cut" => Reaction::CloseInMessage,
            "doubt" => Reaction::CloseAfterMessage,
            _ => Reaction::Accept,
        });
        behaviour
    }

    fn recipients(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().flat_map(|taken| taken.to.clone()).collect()
    }
}

/// Delivers to each name in turn over one connection, the next envelope behind each message.
async fn deliver_all(connection: &mut Connection, names: &[&str]) -> Vec<Delivered> {
    let mails: Vec<Mail> = names.iter().map(|name| mail(&format!("{name}@example.com"))).collect();
    let mut outcomes = Vec::new();
    for (number, mail) in mails.iter().enumerate() {
        outcomes.push(connection.deliver(mail, mails.get(number + 1)).await);
        if !connection.is_usable() {
            break;
        }
    }
    outcomes
}

fn verdict_of(delivered: &Delivered) -> Verdict {
    match delivered {
        Delivered::Answered(stage, reply) => verdict(*stage, reply),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_connection_carries_many_messages_and_refusals_concern_one_recipient_alone() {
    for pipelining in [true, false] {
        let kept = Kept::default();
        let mut behaviour = kept.behaviour();
        behaviour.pipelining = pipelining;
        let sink = Sink::start(ANY, behaviour).await.unwrap();
        let mut connection = Connection::open(&server(sink.address(), Security::None), &unused_trust()).await.unwrap();
        assert_eq!(connection.pipelines(), pipelining);
        let names = ["a", "unknown", "b", "later", "later", "policy", "c"];
        let outcomes = deliver_all(&mut connection, &names).await;
        let verdicts: Vec<Verdict> = outcomes.iter().map(verdict_of).collect();
        assert_eq!(
            verdicts,
            [
                Verdict::Accepted,
                Verdict::Failed(Failure::HardBounce),
                Verdict::Accepted,
                Verdict::Deferred,
                Verdict::Deferred,
                Verdict::Failed(Failure::SenderFault),
                Verdict::Accepted,
            ]
        );
        assert_eq!(kept.recipients(), ["a@example.com", "b@example.com", "c@example.com"]);
        let first = String::from_utf8(kept.0.lock().unwrap()[0].message.clone()).unwrap();
        assert!(first.ends_with("\r\n\r\n.dot\r\nHello a@example.com\r\n"), "{first}");
        connection.quit().await;
    }
}

#[tokio::test]
async fn where_the_server_closes_decides_between_later_and_in_doubt() {
    let kept = Kept::default();
    let sink = Sink::start(ANY, kept.behaviour()).await.unwrap();
    for (name, doubt) in [("rcptcut", false), ("cut", true), ("doubt", true), ("bye", false)] {
        let mut connection = Connection::open(&server(sink.address(), Security::None), &unused_trust()).await.unwrap();
        let outcomes = deliver_all(&mut connection, &["a", name, "b"]).await;
        assert_eq!(outcomes.len(), 2, "{name}: nothing goes over a connection that is spent");
        assert_eq!(verdict_of(&outcomes[0]), Verdict::Accepted);
        match &outcomes[1] {
            // All of a small message had left when the server closed: only the server knows, so it is in doubt.
            Delivered::LostAfter(_) => assert!(doubt, "{name}"),
            Delivered::LostBefore(_) => assert!(!doubt, "{name}"),
            Delivered::Answered(_, reply) => assert!(name == "bye" && reply.code == 421, "{name}"),
        }
        assert!(!connection.is_usable());
    }
    // A message that is too large for the buffers in between cannot have arrived.
    let mut connection = Connection::open(&server(sink.address(), Security::None), &unused_trust()).await.unwrap();
    let large = format!("From: news@example.org\r\n\r\n{}", "x\r\n".repeat(6_000_000));
    let mut mail = mail("cut@example.com");
    mail.body = Body::new(large.as_bytes()).unwrap();
    assert!(matches!(connection.deliver(&mail, None).await, Delivered::LostBefore(_)));
    assert!(!kept.recipients().contains(&"cut@example.com".to_owned()));
}

#[tokio::test]
async fn tls_is_verified_and_the_log_in_needs_the_right_password() {
    let (config, trust) = certificate();
    for (tls, security) in [(SinkTls::StartTls, Security::StartTls), (SinkTls::Implicit, Security::ImplicitTls)] {
        let kept = Kept::default();
        let mut behaviour = kept.behaviour();
        behaviour.tls = Some((tls, config.clone()));
        behaviour.login = Some(("user".into(), "right".into()));
        let sink = Sink::start(ANY, behaviour).await.unwrap();
        let mut server = server(sink.address(), security);
        let credentials = |password: &str| {
            Some(Credentials { user_name: "user".into(), password: zeroize::Zeroizing::new(password.to_owned()) })
        };
        server.credentials = credentials("right");
        let report = relay::test(server.clone(), &trust).await.unwrap();
        assert!(report.encrypted && report.logged_in == Some(true) && report.pipelining);
        let mut connection = Connection::open(&server, &trust).await.unwrap();
        deliver_all(&mut connection, &["a", "b"]).await;
        assert!(kept.0.lock().unwrap().iter().all(|taken| taken.encrypted && taken.logged_in));
        assert_eq!(kept.recipients().len(), 2);

        server.credentials = credentials("wrong");
        let error = relay::test(server.clone(), &trust).await.unwrap_err();
        assert!(matches!(&error, SmtpError::Refused { stage: Stage::Auth, reply } if reply.code == 535), "{error}");
        server.credentials = credentials("right");
        // Another certificate authority, or another name than the certificate's.
        assert!(matches!(relay::test(server.clone(), &unused_trust()).await, Err(SmtpError::Tls(_))));
        server.host = "127.0.0.1".into();
        assert!(matches!(relay::test(server.clone(), &trust).await, Err(SmtpError::Tls(_))));
    }
}

#[tokio::test]
async fn starttls_is_demanded() {
    let sink = Sink::start(ANY, Kept::default().behaviour()).await.unwrap();
    let error = relay::test(server(sink.address(), Security::StartTls), &unused_trust()).await.unwrap_err();
    assert!(matches!(error, SmtpError::NoStartTls), "{error}");
}

/// A server that says what it is told to, line by line, whatever the client says.
async fn scripted(script: &'static [&'static str]) -> SocketAddr {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut input = [0; 4096];
        for (number, words) in script.iter().enumerate() {
            if number > 0 && socket.read(&mut input).await.unwrap_or(0) == 0 {
                return;
            }
            socket.write_all(words.as_bytes()).await.unwrap();
        }
        // Keeps the connection until the client goes.
        let _ = socket.read(&mut input).await;
    });
    address
}

#[tokio::test]
async fn servers_that_misbehave_are_noticed() {
    let trust = unused_trust();
    let open = async |script, security| Connection::open(&server(scripted(script).await, security), &trust).await.err();
    // Words in the clear behind the answer to STARTTLS.
    let injected: &[&str] = &["220 hi\r\n", "250-x\r\n250 STARTTLS\r\n", "220 go\r\n250 2.0.0 injected\r\n"];
    assert!(matches!(open(injected, Security::StartTls).await, Some(SmtpError::Injection)));
    // A reply that no command has asked for would be taken for the answer to the next one.
    let early: &[&str] = &["220 hi\r\n", "250 x\r\n250 2.0.0 accepted\r\n"];
    assert!(matches!(open(early, Security::None).await, Some(SmtpError::Protocol(..))));
    assert!(matches!(open(&["HTTP/1.1 200 OK\r\n"], Security::None).await, Some(SmtpError::Protocol(..))));
    assert!(matches!(open(&["554 go away\r\n"], Security::None).await, Some(SmtpError::Refused { .. })));
    // Positive control.
    assert!(open(&["220 hi\r\n", "250 x\r\n"], Security::None).await.is_none());
}

#[tokio::test]
async fn a_server_that_wants_a_message_without_recipients_gets_an_empty_one() {
    let script: &[&str] = &[
        "220 hi\r\n",
        "250-x\r\n250 PIPELINING\r\n",
        "250 ok\r\n550 5.1.1 unknown\r\n354 go\r\n",
        "554 no recipients\r\n",
        "250 reset\r\n",
        "250 ok\r\n250 ok\r\n354 go\r\n",
        "250 taken\r\n",
    ];
    let mut connection =
        Connection::open(&server(scripted(script).await, Security::None), &unused_trust()).await.unwrap();
    let first = connection.deliver(&mail("a@example.com"), None).await;
    assert_eq!(verdict_of(&first), Verdict::Failed(Failure::HardBounce));
    let second = connection.deliver(&mail("b@example.com"), None).await;
    assert_eq!(verdict_of(&second), Verdict::Accepted);
}

#[tokio::test]
async fn a_silent_server_is_left_in_time() {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let mut server = server(listener.local_addr().unwrap(), Security::None);
    server.timeouts.command = Duration::from_millis(50);
    let error = Connection::open(&server, &unused_trust()).await.err();
    assert!(matches!(error, Some(SmtpError::Timeout(Stage::Greeting))));
}

#[tokio::test]
async fn the_sink_is_never_reachable_from_elsewhere() {
    let outside = SocketAddr::from(([0, 0, 0, 0], 0));
    assert!(matches!(Sink::start(outside, Kept::default().behaviour()).await, Err(SinkError::NotLoopback(_))));
}

/// Whether anybody has connected.
fn was_met(listener: &std::net::TcpListener) -> bool {
    listener.set_nonblocking(true).unwrap();
    listener.accept().is_ok()
}

#[tokio::test]
async fn a_relay_at_a_private_address_is_not_even_dialled() {
    let here = std::net::TcpListener::bind(ANY).unwrap();
    let trust = unused_trust();
    for security in Security::ALL {
        // By name, by address, and by the address in IPv6 clothes.
        for host in ["localhost", "127.0.0.1", "::ffff:127.0.0.1"] {
            let mut server = server(here.local_addr().unwrap(), security);
            (server.host, server.reach) = (host.into(), Reach::default());
            let wait = Duration::from_millis(200);
            server.timeouts = Timeouts { connect: wait, command: wait, message: wait };
            let error = Connection::open(&server, &trust).await.err().unwrap();
            assert!(matches!(error, SmtpError::OutOfReach(_)), "{host}: {error}");
            assert!(
                !error.to_string().contains("127.0.0.1") || host != "localhost",
                "the address is not told: {error}"
            );
            assert!(!was_met(&here), "{host} was dialled");
            // Positive control: where the operator allows it, the same is dialled.
            server.reach = Reach::with(&Network::LOOPBACK);
            let error = Connection::open(&server, &trust).await.err().unwrap();
            assert!(!matches!(error, SmtpError::OutOfReach(_)) && was_met(&here), "{host}: {error}");
        }
    }
    // A network that was allowed does not make an unprotected way into it.
    let mut elsewhere = server(SocketAddr::from(([10, 9, 8, 7], 25)), Security::None);
    (elsewhere.host, elsewhere.reach) = ("10.9.8.7".into(), Reach::with(&["10.0.0.0/8".parse().unwrap()]));
    assert!(matches!(Connection::open(&elsewhere, &trust).await.err(), Some(SmtpError::Tls(_))));
}
