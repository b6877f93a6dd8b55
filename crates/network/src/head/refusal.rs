//! Why a request is refused, and with which status.

use http::StatusCode;

/// Why a request is refused. Its text is one plain sentence for the client and repeats nothing that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A line ends with LF alone.
    #[error("A line of the request does not end with CR LF.")]
    BareLineFeed,
    /// The first line is not method, target and version with one space between (RFC 9112 §3).
    #[error("The first line of the request is malformed.")]
    RequestLine,
    /// The method is no token.
    #[error("The method is malformed.")]
    Method,
    /// The target is in none of the forms of RFC 9112 §3.2 that an origin server serves.
    #[error("The target of the request is malformed.")]
    Target,
    /// A version of HTTP that is not spoken here.
    #[error("This version of HTTP is not supported.")]
    Version,
    /// `CONNECT`: this is no proxy for its clients.
    #[error("This method is not supported.")]
    Connect,
    /// A line begins with white space (RFC 9112 §5.2).
    #[error("A header line is folded.")]
    Folded,
    /// A field's name is no token, or white space stands before the colon (RFC 9112 §5.1).
    #[error("The name of a header field is malformed.")]
    FieldName,
    /// A field's value holds a control byte (RFC 9110 §5.5).
    #[error("The value of a header field is malformed.")]
    FieldValue,
    /// No `Host`, several, or none that is a host (RFC 9112 §3.2).
    #[error("The Host field is missing or malformed.")]
    Host,
    /// `Host` and target name different hosts.
    #[error("The Host field and the target of the request disagree.")]
    OtherHost,
    /// `Content-Length` is given twice, or is no number (RFC 9112 §6.3).
    #[error("The Content-Length field is malformed.")]
    ContentLength,
    /// `Content-Length` beside `Transfer-Encoding` (RFC 9112 §6.3).
    #[error("The request gives its length in two ways.")]
    TwoLengths,
    /// `Transfer-Encoding` is given twice, in HTTP/1.0, or is not `chunked`. What is encoded otherwise cannot be judged.
    #[error("This transfer encoding is not supported.")]
    TransferEncoding,
    /// A name that some servers read as one of the fields that frame a request.
    #[error("The name of a header field is ambiguous.")]
    AmbiguousName,
    /// `Connection` names a field that this connection is not about (RFC 9110 §7.6.1).
    #[error("The Connection field is malformed.")]
    Connection,
    /// `Upgrade` to HTTP/2, with a body, in HTTP/1.0, or without `Connection: upgrade` (RFC 9110 §7.8).
    #[error("This upgrade is not supported.")]
    Upgrade,
    /// An expectation other than `100-continue` (RFC 9110 §10.1.1).
    #[error("The expectation of the request is not supported.")]
    Expectation,
    /// The size of a chunk is malformed (RFC 9112 §7.1).
    #[error("The size of a chunk is malformed.")]
    ChunkSize,
    /// A chunk extension: none is known here, and their reading differs.
    #[error("Chunk extensions are not supported.")]
    ChunkExtension,
    /// A chunk does not end where its size says.
    #[error("A chunk does not end where its size says.")]
    ChunkEnd,
    /// Trailer fields: nothing here reads them, and elsewhere they might count as header fields.
    #[error("Trailer fields are not supported.")]
    Trailers,
    /// The first line is longer than [`HeadLimits::line`](super::HeadLimits).
    #[error("The target of the request is too long.")]
    TargetTooLong,
    /// A field is longer than [`HeadLimits::line`](super::HeadLimits).
    #[error("A header field is too long.")]
    FieldTooLong,
    /// The head is longer than [`HeadLimits::bytes`](super::HeadLimits).
    #[error("The header fields are too long.")]
    HeadTooLong,
    /// There are more fields than [`HeadLimits::fields`](super::HeadLimits).
    #[error("There are too many header fields.")]
    TooManyFields,
    /// The body is longer than any that can be read.
    #[error("The body of the request is too long.")]
    BodyTooLong,
    /// The head, or the body, came too slowly.
    #[error("The request came too slowly.")]
    TooSlow,
}

impl Refusal {
    /// The status of the answer.
    pub fn status(self) -> StatusCode {
        match self {
            Self::BareLineFeed
            | Self::RequestLine
            | Self::Method
            | Self::Target
            | Self::Folded
            | Self::FieldName
            | Self::FieldValue
            | Self::Host
            | Self::OtherHost
            | Self::ContentLength
            | Self::TwoLengths
            | Self::AmbiguousName
            | Self::Connection
            | Self::Upgrade
            | Self::ChunkSize
            | Self::ChunkExtension
            | Self::ChunkEnd
            | Self::Trailers => StatusCode::BAD_REQUEST,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Connect | Self::TransferEncoding => StatusCode::NOT_IMPLEMENTED,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::FieldTooLong | Self::HeadTooLong | Self::TooManyFields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::BodyTooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// The whole answer on the wire of HTTP/1, after which the connection ends.
    pub(crate) fn answer(self) -> Vec<u8> {
        let (status, sentence) = (self.status(), self.to_string());
        let fields = "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n\
                      Cache-Control: no-store\r\nConnection: close";
        let reason = status.canonical_reason().unwrap_or_default();
        let length = sentence.len() + 1;
        format!("HTTP/1.1 {} {reason}\r\n{fields}\r\nContent-Length: {length}\r\n\r\n{sentence}\n", status.as_u16())
            .into_bytes()
    }
}
