//! Language and colours, switchable without a script.

use axum::extract::Request;
use axum::response::Response;
use http::Method;
use letterkeep_model::Locale;

use crate::access::Routes;
use crate::component::Fields;
use crate::frame::{self, Scheme, add_cookies, set_cookie};
use crate::visit::read_form;
use crate::{Problem, see_other};

pub(crate) fn routes() -> Routes {
    Routes::new().public(&Method::POST, "/preferences", "the language of public pages is chosen before log-in", choose)
}

/// A year.
const KEPT: u64 = 31_536_000;

/// The guard has checked the origin; a display preference needs no token beyond that.
async fn choose(request: Request) -> Result<Response, Problem> {
    Ok(chosen(&read_form(request).await?))
}

/// Back to where the form stood, with what it chose.
pub(crate) fn chosen(form: &Fields) -> Response {
    let mut cookies = scheme_cookie(form);
    if let Ok(locale) = form.text("locale").parse::<Locale>() {
        cookies.push(set_cookie(frame::LOCALE, locale.tag(), Some(KEPT)));
    }
    let mut response = see_other(local(form.text("back")));
    add_cookies(response.headers_mut(), &cookies);
    response
}

/// The cookie of the colour scheme that a form asks for, if it does.
pub(crate) fn scheme_cookie(form: &Fields) -> Vec<String> {
    let scheme = Scheme::from_name(form.text("scheme"));
    scheme.map(|scheme| set_cookie(frame::SCHEME, scheme.name(), Some(KEPT))).into_iter().collect()
}

/// The path, if it is one of ours; else the first page. `//host` and `/\host` lead elsewhere.
pub(crate) fn local(path: &str) -> &str {
    let sound = path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && path.len() <= 2_048;
    if sound { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leads_nowhere_else() {
        assert_eq!(local("/contacts?list=1"), "/contacts?list=1");
        for path in
            ["https://evil.example", "//evil.example", "/\\evil.example", "", "/a\r\nSet-Cookie: x=1", "javascript:x"]
        {
            assert_eq!(local(path), "/", "{path:?}");
        }
    }
}
