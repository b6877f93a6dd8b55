//! What went wrong on the way to a mail server, in the reader's language. The server's own words, and those of the TLS
//! library about a certificate, stay as they are and are marked as quoted.

use std::io::ErrorKind;

use letterkeep_account::Action;
use letterkeep_delivery::domain::SignerError;
use letterkeep_delivery::relay::RelayError;
use letterkeep_delivery::smtp::{SmtpError, Stage};
use letterkeep_delivery::test_send::TestSendError;
use letterkeep_delivery::trouble::Trouble;
use maud::{Markup, html};

use super::campaigns::{fault, may};
use super::editor::problems;
use crate::Problem;
use crate::text::{Speaks, t};
use crate::visit::Visit;

/// Why a conversation with a mail server failed.
pub(super) fn smtp(speaks: &impl Speaks, error: &SmtpError) -> Markup {
    let say = |text: String| html! { p { (text) } };
    match error {
        SmtpError::Resolve(host) => say(t!(speaks, "smtp-resolve", host = host.as_str())),
        SmtpError::OutOfReach(host) => say(t!(speaks, "smtp-out-of-reach", host = host.as_str())),
        SmtpError::Connect { host, port, reason } => {
            // A port is a name, not a quantity: no thousands separator.
            let (port, reason) = (port.to_string(), reason_text(speaks, *reason));
            say(t!(speaks, "smtp-connect", host = host.as_str(), port = port, reason = reason))
        }
        SmtpError::Timeout(stage) => say(t!(speaks, "smtp-timeout", stage = stage_text(speaks, *stage))),
        SmtpError::Closed(stage) => say(t!(speaks, "smtp-closed", stage = stage_text(speaks, *stage))),
        SmtpError::Broken(stage, reason) => {
            let (stage, reason) = (stage_text(speaks, *stage), reason_text(speaks, *reason));
            say(t!(speaks, "smtp-broken", stage = stage, reason = reason))
        }
        SmtpError::Tls(words) => html! { p { (t!(speaks, "smtp-tls")) } (quoted(words)) },
        SmtpError::TlsName(host) => say(t!(speaks, "smtp-tls-name", host = host.as_str())),
        SmtpError::NoStartTls => say(t!(speaks, "smtp-no-starttls")),
        SmtpError::Injection => say(t!(speaks, "smtp-injection")),
        SmtpError::NoAuth => say(t!(speaks, "smtp-no-auth")),
        SmtpError::Refused { stage, reply } => refused(speaks, *stage, &reply.to_string()),
        SmtpError::Protocol(stage, _) => say(t!(speaks, "smtp-protocol", stage = stage_text(speaks, *stage))),
        SmtpError::Trust(_) => say(t!(speaks, "smtp-trust")),
    }
}

/// Why a sending is held up, and where to mend it.
pub(super) fn sending(visit: &Visit, trouble: &Trouble) -> Markup {
    let say = |text: String| html! { p { (text) } };
    let told = match trouble {
        Trouble::NoDomain => say(t!(visit, "trouble-no-domain")),
        Trouble::NoRelay => say(t!(visit, "check-no-relay")),
        Trouble::Signer => say(t!(visit, "test-signer")),
        Trouble::Content => say(t!(visit, "trouble-content")),
        Trouble::Relay(error) => smtp(visit, error),
        Trouble::Sender(reply) => html! { p { (t!(visit, "trouble-sender")) } (quoted(&reply.to_string())) },
        Trouble::Service => say(t!(visit, "trouble-service")),
    };
    let mend = match trouble {
        Trouble::NoDomain | Trouble::Signer => {
            Some((Action::ManageSendingDomains, "/domains", t!(visit, "nav-domains")))
        }
        Trouble::NoRelay | Trouble::Relay(_) | Trouble::Sender(_) => {
            Some((Action::ManageRelay, "/relay", t!(visit, "nav-relay")))
        }
        Trouble::Content | Trouble::Service => None,
    };
    html! {
        (told)
        @if let Some((_, place, name)) = mend.filter(|(action, ..)| may(visit, *action)) {
            p { a href=(place) { (name) } }
        }
    }
}

/// Why a test message did not go out; a [`Problem`] where that is the service's fault or no news to the reader.
pub(super) fn test_send(visit: &Visit, error: TestSendError) -> Result<Markup, Problem> {
    let say = |text: String| Ok(html! { p { (text) } });
    match error {
        TestSendError::NoCampaign => Err(Problem::NotFound),
        TestSendError::Store(error)
        | TestSendError::Signer(SignerError::Store(error))
        | TestSendError::Relay(RelayError::Store(error)) => Err(error.into()),
        TestSendError::Keys(error) => Err(error.into()),
        TestSendError::Campaign(error) => Err(fault(error)),
        TestSendError::Read(error) => Err(error.into()),
        error @ (TestSendError::Relay(_) | TestSendError::Signer(SignerError::Open(_))) => {
            Err(Problem::internal(error))
        }
        TestSendError::NoContact => say(t!(visit, "test-no-contact")),
        TestSendError::Content(found) => Ok(html! { p { (t!(visit, "test-content")) } (problems(visit, &found)) }),
        TestSendError::NoDomain => say(t!(visit, "test-no-domain")),
        TestSendError::NoRelay => say(t!(visit, "check-no-relay")),
        TestSendError::Refused(stage, reply) => Ok(refused(visit, stage, &reply.to_string())),
        TestSendError::Smtp(error) => Ok(smtp(visit, &error)),
        TestSendError::Render(_) => say(t!(visit, "test-render")),
        TestSendError::Signer(_) => say(t!(visit, "test-signer")),
        error @ (TestSendError::Message(_) | TestSendError::Sign(_) | TestSendError::Body(_)) => {
            Ok(html! { p { (t!(visit, "test-message")) } p class="quiet small" lang="en" { (error.to_string()) } })
        }
    }
}

fn refused(speaks: &impl Speaks, stage: Stage, reply: &str) -> Markup {
    html! { p { (t!(speaks, "smtp-refused", stage = stage_text(speaks, stage))) } (quoted(reply)) }
}

/// Somebody else's words, in whatever language they are.
pub(super) fn quoted(words: &str) -> Markup {
    html! { blockquote { code translate="no" lang="" { (words) } } }
}

fn stage_text(speaks: &impl Speaks, stage: Stage) -> String {
    match stage {
        Stage::Greeting => t!(speaks, "smtp-stage-greeting"),
        Stage::Hello => "EHLO".to_owned(),
        Stage::StartTls => "STARTTLS".to_owned(),
        Stage::Auth => t!(speaks, "smtp-stage-auth"),
        Stage::Sender => "MAIL FROM".to_owned(),
        Stage::Recipient => "RCPT TO".to_owned(),
        Stage::Data => "DATA".to_owned(),
        Stage::Message => t!(speaks, "smtp-stage-message"),
        Stage::End => "QUIT".to_owned(),
    }
}

fn reason_text(speaks: &impl Speaks, reason: ErrorKind) -> String {
    match reason {
        ErrorKind::ConnectionRefused => t!(speaks, "smtp-reason-refused"),
        ErrorKind::TimedOut => t!(speaks, "smtp-reason-timeout"),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            t!(speaks, "smtp-reason-unreachable")
        }
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            t!(speaks, "smtp-reason-reset")
        }
        ErrorKind::UnexpectedEof => t!(speaks, "smtp-reason-end"),
        _ => t!(speaks, "smtp-reason-other"),
    }
}

#[cfg(test)]
mod tests {
    use letterkeep_delivery::smtp::{Reply, ReplyError, TrustError};
    use letterkeep_model::Locale;

    use super::*;

    fn reply() -> Reply {
        Reply { code: 535, enhanced: None, lines: vec!["5.7.8 <b>Bad</b> credentials".to_owned()] }
    }

    #[test]
    fn every_failure_is_told_in_both_languages() {
        let host = || "smtp.example".to_owned();
        let all = [
            SmtpError::Resolve(host()),
            SmtpError::OutOfReach(host()),
            SmtpError::Connect { host: host(), port: 2525, reason: ErrorKind::ConnectionRefused },
            SmtpError::Timeout(Stage::Greeting),
            SmtpError::Closed(Stage::Auth),
            SmtpError::Broken(Stage::Message, ErrorKind::ConnectionReset),
            SmtpError::Tls("invalid peer certificate: UnknownIssuer".to_owned()),
            SmtpError::TlsName(host()),
            SmtpError::NoStartTls,
            SmtpError::Injection,
            SmtpError::NoAuth,
            SmtpError::Refused { stage: Stage::Auth, reply: reply() },
            SmtpError::Protocol(Stage::Hello, ReplyError::Code),
            SmtpError::Trust(TrustError::Empty),
        ];
        for error in all {
            let [german, english] = [Locale::De, Locale::En].map(|locale| smtp(&locale, &error).into_string());
            assert_ne!(german, english, "{error}");
            for text in [&german, &english] {
                assert!(!text.contains("smtp-") && !text.contains("{ "), "{error}: {text}");
            }
            assert!(!german.contains("the server") && !german.contains("2.525"), "{german}");
        }
    }

    #[test]
    fn what_the_server_said_is_quoted_and_kept() {
        let error = SmtpError::Refused { stage: Stage::Auth, reply: reply() };
        let german = smtp(&Locale::De, &error).into_string();
        let words = "<blockquote><code translate=\"no\" lang=\"\">535 5.7.8 &lt;b&gt;Bad&lt;/b&gt; credentials</code></blockquote>";
        assert!(german.contains(words), "{german}");
    }
}
