//! What a rule can look at.

/// Declares the variables once: the enum, its names and their number.
macro_rules! variables {
    ($($variable:ident = $name:literal,)*) => {
        /// A variable of SecLang: a collection of named values, or a single value without a name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Variable {
            $($variable,)*
        }

        impl Variable {
            pub(crate) const COUNT: usize = [$(Variable::$variable),*].len();

            /// The name in rules and decisions.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variable => $name,)* }
            }

            /// The variable of that name, in any case.
            pub(crate) fn named(name: &str) -> Option<Self> {
                [$((Variable::$variable, $name)),*]
                    .into_iter()
                    .find(|(_, known)| known.eq_ignore_ascii_case(name))
                    .map(|(variable, _)| variable)
            }
        }
    };
}

variables! {
    Args = "ARGS",
    ArgsCombinedSize = "ARGS_COMBINED_SIZE",
    ArgsGet = "ARGS_GET",
    ArgsGetNames = "ARGS_GET_NAMES",
    ArgsNames = "ARGS_NAMES",
    ArgsPost = "ARGS_POST",
    ArgsPostNames = "ARGS_POST_NAMES",
    AuthType = "AUTH_TYPE",
    Duration = "DURATION",
    Env = "ENV",
    Files = "FILES",
    FilesCombinedSize = "FILES_COMBINED_SIZE",
    FilesNames = "FILES_NAMES",
    FilesSizes = "FILES_SIZES",
    FilesTmpnames = "FILES_TMPNAMES",
    FullRequestLength = "FULL_REQUEST_LENGTH",
    Geo = "GEO",
    Global = "GLOBAL",
    InboundDataError = "INBOUND_DATA_ERROR",
    Ip = "IP",
    MatchedVar = "MATCHED_VAR",
    MatchedVarName = "MATCHED_VAR_NAME",
    MatchedVars = "MATCHED_VARS",
    MatchedVarsNames = "MATCHED_VARS_NAMES",
    MultipartBoundaryQuoted = "MULTIPART_BOUNDARY_QUOTED",
    MultipartBoundaryWhitespace = "MULTIPART_BOUNDARY_WHITESPACE",
    MultipartCrlfLfLines = "MULTIPART_CRLF_LF_LINES",
    MultipartDataAfter = "MULTIPART_DATA_AFTER",
    MultipartDataBefore = "MULTIPART_DATA_BEFORE",
    MultipartFileLimitExceeded = "MULTIPART_FILE_LIMIT_EXCEEDED",
    MultipartFilename = "MULTIPART_FILENAME",
    MultipartHeaderFolding = "MULTIPART_HEADER_FOLDING",
    MultipartInvalidHeaderFolding = "MULTIPART_INVALID_HEADER_FOLDING",
    MultipartInvalidPart = "MULTIPART_INVALID_PART",
    MultipartInvalidQuoting = "MULTIPART_INVALID_QUOTING",
    MultipartLfLine = "MULTIPART_LF_LINE",
    MultipartMissingSemicolon = "MULTIPART_MISSING_SEMICOLON",
    MultipartName = "MULTIPART_NAME",
    MultipartPartHeaders = "MULTIPART_PART_HEADERS",
    MultipartStrictError = "MULTIPART_STRICT_ERROR",
    MultipartUnmatchedBoundary = "MULTIPART_UNMATCHED_BOUNDARY",
    OutboundDataError = "OUTBOUND_DATA_ERROR",
    PathInfo = "PATH_INFO",
    QueryString = "QUERY_STRING",
    RemoteAddr = "REMOTE_ADDR",
    RemoteHost = "REMOTE_HOST",
    RemotePort = "REMOTE_PORT",
    ReqbodyError = "REQBODY_ERROR",
    ReqbodyErrorMsg = "REQBODY_ERROR_MSG",
    ReqbodyProcessor = "REQBODY_PROCESSOR",
    ReqbodyProcessorError = "REQBODY_PROCESSOR_ERROR",
    RequestBasename = "REQUEST_BASENAME",
    RequestBody = "REQUEST_BODY",
    RequestBodyLength = "REQUEST_BODY_LENGTH",
    RequestCookies = "REQUEST_COOKIES",
    RequestCookiesNames = "REQUEST_COOKIES_NAMES",
    RequestFilename = "REQUEST_FILENAME",
    RequestHeaders = "REQUEST_HEADERS",
    RequestHeadersNames = "REQUEST_HEADERS_NAMES",
    RequestLine = "REQUEST_LINE",
    RequestMethod = "REQUEST_METHOD",
    RequestProtocol = "REQUEST_PROTOCOL",
    RequestUri = "REQUEST_URI",
    RequestUriRaw = "REQUEST_URI_RAW",
    Resource = "RESOURCE",
    ResponseBody = "RESPONSE_BODY",
    ResponseContentLength = "RESPONSE_CONTENT_LENGTH",
    ResponseContentType = "RESPONSE_CONTENT_TYPE",
    ResponseHeaders = "RESPONSE_HEADERS",
    ResponseHeadersNames = "RESPONSE_HEADERS_NAMES",
    ResponseProtocol = "RESPONSE_PROTOCOL",
    ResponseStatus = "RESPONSE_STATUS",
    Rule = "RULE",
    ServerAddr = "SERVER_ADDR",
    ServerName = "SERVER_NAME",
    ServerPort = "SERVER_PORT",
    Session = "SESSION",
    Tx = "TX",
    UniqueId = "UNIQUE_ID",
    UrlencodedError = "URLENCODED_ERROR",
    User = "USER",
    UserId = "USERID",
    XmlText = "XML",
    XmlAttributes = "XML://@*",
}

impl Variable {
    /// Where the values stand that this variable shows: its own, or those of the variables that it joins.
    pub(crate) const fn sources(self) -> &'static [Self] {
        match self {
            Self::Args => &[Self::ArgsGet, Self::ArgsPost],
            Self::ArgsNames => &[Self::ArgsGetNames, Self::ArgsPostNames],
            _ => &[],
        }
    }

    /// The same, with a variable that joins no others as its own place.
    pub(crate) fn places(&self) -> &[Self] {
        match self.sources() {
            [] => std::slice::from_ref(self),
            joined => joined,
        }
    }

    /// The variable that holds the names of this collection's values, if rules can look at them.
    pub(crate) const fn names(self) -> Option<Self> {
        match self {
            Self::ArgsGet => Some(Self::ArgsGetNames),
            Self::ArgsPost => Some(Self::ArgsPostNames),
            Self::RequestCookies => Some(Self::RequestCookiesNames),
            Self::RequestHeaders => Some(Self::RequestHeadersNames),
            Self::ResponseHeaders => Some(Self::ResponseHeadersNames),
            Self::Files => Some(Self::FilesNames),
            _ => None,
        }
    }

    /// Whether it tells what a rule has matched before.
    pub(crate) const fn is_matched(self) -> bool {
        matches!(self, Self::MatchedVar | Self::MatchedVarName | Self::MatchedVars | Self::MatchedVarsNames)
    }

    /// Whether rules write to it.
    pub(crate) const fn is_writable(self) -> bool {
        matches!(self, Self::Tx | Self::Ip | Self::Global | Self::Session | Self::Resource | Self::User | Self::Env)
    }
}
